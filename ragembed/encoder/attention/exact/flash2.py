"""FlashAttention 2: exact attention in tiles, with the outer loop over queries. For reading; see `flash`.

On a GPU with Triton, the kernels of `triton_flash` compute the same.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar

from ragembed.encoder.attention.exact.flash import COLUMNS, ROWS, Problem, Tiled, finite_max, upcast
from ragembed.encoder.attention.gpu import triton_flash
from ragembed.encoder.attention.mask import Mask

if TYPE_CHECKING:
    from torch import Tensor


class Flash2(Tiled):
    """As `flash1`, but each tile of results is finished before the next is begun, and divided only once."""

    name: ClassVar[str] = "flash2"
    paper: ClassVar[str] = "Dao 2023, Algorithms 1 and 2"
    advice: ClassVar[str] = "for reading: what the fused kernels behind dot_product do"

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
        """As `Tiled.attend`; on a GPU by Triton's kernels, unless another tile or global tokens are asked for."""
        supported = tile == (ROWS, COLUMNS) and mask.global_tokens is None
        if supported and query.is_cuda and triton_flash.available(query, value):
            return triton_flash.attention(query, key, value, mask, scale=scale)[0]
        return super().attend(query, key, value, mask, tile=tile, scale=scale)

    @staticmethod
    def forward(p: Problem) -> tuple[Tensor, Tensor]:
        """FlashAttention 2 (Dao 2023, Algorithm 1): for each tile of queries, all tiles of keys that they see.

        The unnormalised result is accumulated in place and divided once, at the end. Tiles of queries are independent,
        so a GPU gives each to a thread block of its own.
        """
        import torch

        q = upcast(p.query)
        out = q.new_zeros(*q.shape[:4], p.value.shape[3])
        lse = q.new_full(q.shape[:4], -math.inf)
        for rows in p.row_tiles():
            q = p.of_rows(p.query, rows)
            acc = q.new_zeros(*q.shape[:3], p.value.shape[3])
            row_max, row_sum = (q.new_full((*q.shape[:3], 1), start) for start in (-math.inf, 0.0))
            for columns in p.column_tiles(rows):
                s = p.scores(q, upcast(p.key[:, :, columns]), rows, columns)
                new_max = torch.maximum(row_max, s.amax(dim=-1, keepdim=True))
                weights = s.sub_(finite_max(new_max)).exp_()
                correction = torch.exp(row_max - finite_max(new_max))
                row_sum = correction * row_sum + weights.sum(dim=-1, keepdim=True)
                acc = acc.mul_(correction).add_(weights @ upcast(p.value[:, :, columns]))
                row_max = new_max
            out[:, :, :, rows] = (acc / row_sum.masked_fill(row_sum == 0, 1)).unflatten(2, (p.groups, -1))
            lse[:, :, :, rows] = (row_max + row_sum.log()).squeeze(-1).unflatten(2, (p.groups, -1))
        return out, lse
