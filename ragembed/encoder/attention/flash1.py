"""FlashAttention 1: exact attention in tiles, the loop over keys outside. To be read; see `flash`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar

from ragembed.encoder.attention.flash import Problem, Tiled, finite, wide

if TYPE_CHECKING:
    from torch import Tensor


class Flash1(Tiled):
    """Softmax over tiles, by a maximum and a sum that run along."""

    name: ClassVar[str] = "flash1"
    paper: ClassVar[str] = "Dao et al. 2022, Algorithms 1 and 4"
    advice: ClassVar[str] = "to read how it works; flash2 is the better order, dot_product the fused kernel"

    @staticmethod
    def forward(p: Problem) -> tuple[Tensor, Tensor]:
        """FlashAttention 1 (Dao et al. 2022, Algorithm 1): for each tile of keys all tiles of queries.

        A query's result is normalised after every tile, and goes to memory and back with its maximum and its sum.
        """
        import torch

        q = wide(p.query)
        out = q.new_zeros(*q.shape[:4], p.value.shape[3])
        highest, total = (q.new_full((*q.shape[:4], 1), start) for start in (-math.inf, 0.0))
        for columns in p.column_tiles():
            k, v = wide(p.key[:, :, columns]), wide(p.value[:, :, columns])
            for rows in p.row_tiles():
                s = p.scores(p.of_rows(p.query, rows), k, rows, columns)
                before, mass = (p.of_rows(each, rows) for each in (highest, total))
                now = torch.maximum(before, s.amax(dim=-1, keepdim=True))
                weights = torch.exp(s - finite(now))
                kept = torch.exp(before - finite(now)) * mass
                mass = kept + weights.sum(dim=-1, keepdim=True)
                mixed = (kept * p.of_rows(out, rows) + weights @ v) / mass.masked_fill(mass == 0, 1)
                for whole, part in ((out, mixed), (highest, now), (total, mass)):
                    whole[:, :, :, rows] = part.unflatten(2, (p.groups, -1))
        return out, (highest + total.log()).squeeze(-1)
