"""Keys in cells of one direction: a query sees the few cells that weigh most with it, and each other cell as one key.

What stands for a cell is its mean key and mean value, with the logarithm of its expected sum of weights for a logit: if
the logits of its keys are about normal, E exp(q·k) = exp(q·k̄ + qᵀΣq / 2), of which the diagonal of Σ is taken. By the
same logits a query chooses its cells.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ragembed.encoder.attention.kernels import fold, unfold
from ragembed.encoder.attention.partial import DEAD, partial

if TYPE_CHECKING:
    import torch
    from torch import Tensor

SOME = 4096
"""Queries at once: what is in memory for each is p results and the logits of all cells."""


def directions(vectors: Tensor, count: int, rounds: int, random: torch.Generator) -> Tensor:
    """Each vector's cell ``(n,)`` below `count`, of vectors ``(n, d)``: k-means by angle (Dhillon & Modha 2001).

    Angles are taken from the mean, which may be far from 0 while no softmax changes by it. By angle, not by distance,
    a query that is a multiple of a key finds that key's cell.
    """
    import torch
    from torch.nn.functional import normalize

    vectors = vectors - vectors.mean(dim=0)
    chosen = torch.randperm(len(vectors), generator=random)[:count].to(vectors.device)
    centres = vectors[chosen]
    for _ in range(rounds):
        cell = (vectors @ normalize(centres, dim=1).T).argmax(dim=1)
        centres = torch.zeros_like(centres).index_add_(0, cell, vectors)
    return (vectors @ normalize(centres, dim=1).T).argmax(dim=1)


def cut(cells: Tensor, most: int) -> tuple[Tensor, Tensor]:
    """The order ``(n,)`` that puts cells one after the other, and their sizes: none is empty, none above `most`.

    Larger ones are cut into equal parts.
    """
    import torch

    counts = torch.bincount(cells)
    counts = counts[counts > 0]
    parts = (counts + most - 1) // most
    first = (parts.cumsum(0) - parts).repeat_interleave(parts)
    counts, parts = counts.repeat_interleave(parts), parts.repeat_interleave(parts)
    rank = torch.arange(len(parts), device=cells.device) - first
    return cells.argsort(stable=True), (rank + 1) * counts // parts - rank * counts // parts


@dataclass(frozen=True)
class Cells:
    """How to cut and how much to see; see the options of `Hyper`."""

    block: int | None
    probes: int
    rounds: int
    seed: int
    scale: float

    def __call__(
        self, query: Tensor, key: Tensor, value: Tensor, asks: Tensor | None, keep: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Heads by `head`, those that share keys at once: ``(batch, heads, m, e)`` and `lse` ``(batch, heads, m)``.

        `keep` ``(batch, n)``: what is no padding; what is, among queries, changes nothing, and `asks` is not needed.
        """
        import torch

        batch, shared = key.shape[:2]
        found = []
        for text in range(batch):
            there = slice(None) if keep is None else keep[text]
            for q, k, v in zip(fold(query, shared)[text], key[text], value[text], strict=True):
                found.append(self.head(q, k[there], v[there]))
        out, lse = (torch.stack(parts).unflatten(0, (batch, shared)) for parts in zip(*found, strict=True))
        return unfold(out, query.shape[1]), unfold(lse[..., None], query.shape[1])[..., 0]

    def head(self, query: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """``(m, d)``, ``(n, d)`` and ``(n, e)`` -> ``(m, e)`` and `lse` ``(m,)``; a query depends on no other."""
        import torch

        wide = torch.float64 if query.dtype == torch.float64 else torch.float32
        if not len(key):
            dead = query.new_full((len(query),), DEAD, dtype=wide)
            return query.new_zeros(len(query), value.shape[1], dtype=wide), dead
        block = 1 << len(key).bit_length() // 2 if self.block is None else self.block
        random = torch.Generator().manual_seed(self.seed)
        found = directions(key.detach().to(wide), -(-len(key) // block), self.rounds, random)
        order, sizes = cut(found, 2 * block)
        key, value = key.index_select(0, order), value.index_select(0, order)
        means = Means.of(key.to(wide), value.to(wide), sizes, self.scale)
        keys, values = key.split(sizes.tolist()), value.split(sizes.tolist())
        parts = [self.some(each, keys, values, means) for each in query.split(SOME)]
        out, lse = (torch.cat(each) for each in zip(*parts, strict=True))
        return out, lse

    def some(
        self, query: Tensor, keys: Sequence[Tensor], values: Sequence[Tensor], means: Means
    ) -> tuple[Tensor, Tensor]:
        """Queries ``(m, d)`` over the cells' `keys` and `values`."""
        import torch

        logits = means.logits(query)
        chosen = logits.detach().topk(min(self.probes, len(keys)), dim=1, sorted=False).indices
        # all of a row at minus infinity would have no gradient
        rest = logits.scatter(1, chosen, -math.inf if len(keys) > chosen.shape[1] else DEAD)
        pairs = chosen.flatten()
        by_cell = pairs.argsort(stable=True)
        counts = torch.bincount(pairs, minlength=len(keys)).tolist()
        queries = query.index_select(0, by_cell // chosen.shape[1]).split(counts)
        found = [
            partial(q[None, None], k[None, None], v[None, None], None, causal=False, scale=self.scale)
            for q, k, v in zip(queries, keys, values, strict=True)
            if len(q)
        ]
        near, near_lse = (torch.cat(each, dim=2)[0, 0] for each in zip(*found, strict=True))
        places = torch.empty_like(by_cell)
        places[by_cell] = torch.arange(len(pairs), device=pairs.device)
        places = places.view_as(chosen)
        lses = torch.cat([near_lse.take(places), rest.logsumexp(dim=1, keepdim=True)], dim=1)
        lse = lses.logsumexp(dim=1, keepdim=True)
        out = torch.exp(rest - lse) @ means.value
        return out + weighted_sums(torch.exp(lses - lse)[:, :-1], near.to(out), places), lse[:, 0]


@dataclass(frozen=True)
class Means:
    """What stands for each cell."""

    key: Tensor
    """``(cells, d)``, times the scale of the inner products."""
    variance: Tensor
    """Of the keys in each dimension ``(cells, d)``, times the scale's square."""
    value: Tensor
    """``(cells, e)``"""
    log_size: Tensor
    """``(cells,)``"""

    @classmethod
    def of(cls, key: Tensor, value: Tensor, sizes: Tensor, scale: float) -> Means:
        """Of keys ``(n, d)`` and values ``(n, e)`` that lie cell by cell."""
        import torch

        cell = torch.arange(len(sizes), device=sizes.device).repeat_interleave(sizes)

        def mean(each: Tensor) -> Tensor:
            return each.new_zeros(len(sizes), each.shape[1]).index_add(0, cell, each) / sizes[:, None]

        key = scale * key
        centre = mean(key)
        variance = mean((key - centre.index_select(0, cell)).square())
        return cls(centre, variance, mean(value), sizes.to(key.dtype).log())

    def logits(self, query: Tensor) -> Tensor:
        """``(m, d)`` -> ``(m, cells)``: the logarithm of the weights' sum that each query expects of each cell."""
        import torch

        query = query.to(self.key.dtype)
        extra = log_mean_exp(query.square() @ self.variance.T, self.log_size)
        return torch.addmm(self.log_size, query, self.key.T) + extra


def weighted_sums(weights: Tensor, vectors: Tensor, places: Tensor) -> Tensor:
    """The sums over p of `weights` ``(m, p)`` times the `vectors` ``(rows, e)`` at `places` ``(m, p)``, never gathered."""
    from torch.nn.functional import embedding_bag

    return embedding_bag(places, vectors, mode="sum", per_sample_weights=weights)


def log_mean_exp(variance: Tensor, log_count: Tensor) -> Tensor:
    """log of the mean of exp over so many normal numbers around 0, about.

    Half the variance, as long as the sample reaches the numbers that make up that mean; from 2 log(count) on the
    largest of the sample is most of the sum, and it grows with the deviation only (the random energy model, Derrida
    1981).
    """
    import torch

    deviation = (variance + 1e-20).sqrt()  # the root has no gradient at 0
    reached = torch.minimum(deviation, (2 * log_count).sqrt())
    return reached * (deviation - reached / 2)
