"""FlashAttention 2: exact attention in tiles, the loop over queries outside. To be read; see `flash`.

On a GPU with Triton, `triton_flash` computes the same.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar

from ragembed.encoder.attention import triton_flash
from ragembed.encoder.attention.flash import COLUMNS, ROWS, Problem, Tiled, finite, wide
from ragembed.encoder.attention.mask import Mask

if TYPE_CHECKING:
    from torch import Tensor


class Flash2(Tiled):
    """As `flash1`, with each result finished before the next is begun, and divided once."""

    name: ClassVar[str] = "flash2"
    paper: ClassVar[str] = "Dao 2023, Algorithms 1 and 2"
    advice: ClassVar[str] = "to read what the fused kernels behind dot_product do"

    def attend(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        mask: Mask,
        *,
        tile: tuple[int, int] = (ROWS, COLUMNS),
        scale: float | None = None,
    ) -> Tensor:
        """As `Tiled.attend`; with tiles of that size and no global tokens by Triton's kernels where there are any."""
        usual = tile == (ROWS, COLUMNS) and mask.global_tokens is None
        if usual and query.is_cuda and triton_flash.available(query, value):
            return triton_flash.attention(query, key, value, mask, scale=scale)[0]
        return super().attend(query, key, value, mask, tile=tile, scale=scale)

    @staticmethod
    def forward(p: Problem) -> tuple[Tensor, Tensor]:
        """FlashAttention 2 (Dao 2023, Algorithm 1): for each tile of queries all tiles of keys.

        The result stays where it is computed and is divided once, at the end; tiles of queries need nothing of one
        another, so that they go to different processors.
        """
        import torch

        q = wide(p.query)
        out = q.new_zeros(*q.shape[:4], p.value.shape[3])
        lse = q.new_full(q.shape[:4], -math.inf)
        for rows in p.row_tiles():
            q = p.of_rows(p.query, rows)
            mixed = q.new_zeros(*q.shape[:3], p.value.shape[3])
            highest, mass = (q.new_full((*q.shape[:3], 1), start) for start in (-math.inf, 0.0))
            for columns in p.column_tiles(rows):
                s = p.scores(q, wide(p.key[:, :, columns]), rows, columns)
                now = torch.maximum(highest, s.amax(dim=-1, keepdim=True))
                weights = s.sub_(finite(now)).exp_()
                kept = torch.exp(highest - finite(now))
                mass = kept * mass + weights.sum(dim=-1, keepdim=True)
                mixed = mixed.mul_(kept).add_(weights @ wide(p.value[:, :, columns]))
                highest = now
            out[:, :, :, rows] = (mixed / mass.masked_fill(mass == 0, 1)).unflatten(2, (p.groups, -1))
            lse[:, :, :, rows] = (highest + mass.log()).squeeze(-1).unflatten(2, (p.groups, -1))
        return out, lse
