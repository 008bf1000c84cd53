"""FlashAttention 1: exact attention in tiles, with the outer loop over keys. For reading; see `flash`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar

from ragembed.encoder.attention.exact.flash import Problem, Tiled, finite_max, upcast

if TYPE_CHECKING:
    from torch import Tensor


class Flash1(Tiled):
    """Exact attention with an online softmax: a running maximum and a running sum for each query."""

    name: ClassVar[str] = "flash1"
    paper: ClassVar[str] = "Dao et al. 2022, Algorithms 1 and 4"
    advice: ClassVar[str] = "for reading; flash2 has the better loop order, and dot_product the fused kernel"

    @staticmethod
    def forward(p: Problem) -> tuple[Tensor, Tensor]:
        """FlashAttention 1 (Dao et al. 2022, Algorithm 1): for each tile of keys, all tiles of queries.

        A query's result is kept normalised; it is read and written for every tile, with its maximum m and its sum l.
        """
        import torch

        q = upcast(p.query)
        out = q.new_zeros(*q.shape[:4], p.value.shape[3])
        row_max, row_sum = (q.new_full((*q.shape[:4], 1), start) for start in (-math.inf, 0.0))
        for columns in p.column_tiles():
            k, v = upcast(p.key[:, :, columns]), upcast(p.value[:, :, columns])
            for rows in p.row_tiles():
                s = p.scores(p.of_rows(p.query, rows), k, rows, columns)
                old_max, old_sum = (p.of_rows(each, rows) for each in (row_max, row_sum))
                new_max = torch.maximum(old_max, s.amax(dim=-1, keepdim=True))
                weights = torch.exp(s - finite_max(new_max))
                rescaled = torch.exp(old_max - finite_max(new_max)) * old_sum
                new_sum = rescaled + weights.sum(dim=-1, keepdim=True)
                new_out = rescaled * p.of_rows(out, rows) + weights @ v
                new_out /= new_sum.masked_fill(new_sum == 0, 1)
                for whole, part in ((out, new_out), (row_max, new_max), (row_sum, new_sum)):
                    whole[:, :, :, rows] = part.unflatten(2, (p.groups, -1))
        return out, (row_max + row_sum.log()).squeeze(-1)
