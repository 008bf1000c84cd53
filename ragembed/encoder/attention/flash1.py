"""FlashAttention 1: exact attention in tiles, the loop over keys outside. To be read; see `flash`."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from ragembed.encoder.attention import flash
from ragembed.encoder.attention.kernels import without_padding
from ragembed.encoder.attention.mask import ALL, Mask
from ragembed.encoder.attention.mechanism import Mechanism

if TYPE_CHECKING:
    from torch import Tensor


class Flash1(Mechanism):
    """Softmax over tiles, by a maximum and a sum that run along."""

    name: ClassVar[str] = "flash1"
    exact: ClassVar[bool] = True
    honours: ClassVar[frozenset[str]] = ALL
    paper: ClassVar[str] = "Dao et al. 2022, Algorithms 1 and 4"
    time: ClassVar[str] = "O(n² d)"
    memory: ClassVar[str] = "O(n + tile)"
    advice: ClassVar[str] = "to read how it works; flash2 is the better order, dot_product the fused kernel"

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
        return flash.attend(query, key, value, mask, "keys outside", scale, tile)[0]
