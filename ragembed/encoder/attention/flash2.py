"""FlashAttention 2: exact attention in tiles, the loop over queries outside. To be read; see `flash`."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from ragembed.encoder.attention import flash
from ragembed.encoder.attention.kernels import without_padding
from ragembed.encoder.attention.mask import ALL, Mask
from ragembed.encoder.attention.mechanism import Mechanism

if TYPE_CHECKING:
    from torch import Tensor


class Flash2(Mechanism):
    """As `flash1`, with each result finished before the next is begun, and divided once."""

    name: ClassVar[str] = "flash2"
    exact: ClassVar[bool] = True
    honours: ClassVar[frozenset[str]] = ALL
    paper: ClassVar[str] = "Dao 2023, Algorithms 1 and 2"
    time: ClassVar[str] = "O(n² d)"
    memory: ClassVar[str] = "O(n + tile)"
    advice: ClassVar[str] = "to read what the fused kernels behind dot_product do"

    def attend(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        mask: Mask,
        *,
        tile: tuple[int, int] = (flash.ROWS, flash.COLUMNS),
        scale: float | None = None,
    ) -> Tensor:
        """`tile`: queries and keys of a tile."""
        key, value = without_padding(mask, key, value)
        return flash.attend(query, key, value, mask, "queries outside", scale, tile)[0]
