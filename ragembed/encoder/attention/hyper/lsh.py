"""HyperAttention as in its paper: the keys of a block, and a sample with weights, through one softmax.

Queries and keys are ordered by the sides of a few hyperplanes on which they lie, and both orders are cut into equally
many blocks. A query sees the keys of its block, and keys drawn from all; those that are not in its block weigh (keys
outside of the block) / (drawn ones outside of it), so that numerator and denominator are right on average. The weight's
logarithm is added to the logit: what two softmaxes would give when merged by their lse.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ragembed.encoder.attention.hyper.halves import Part
from ragembed.encoder.attention.partial import partial

if TYPE_CHECKING:
    import torch
    from torch import Tensor


def codes(vectors: Tensor, directions: Tensor) -> Tensor:
    """Each vector's bucket ``(..., n)``, neighbours differing by one side (Han et al. 2023, sortLSH).

    Args:
        vectors: ``(..., n, d)``.
        directions: ``(d, p)``; the side of each on which a vector lies is a bit of its bucket.

    The bits are read as a Gray code: buckets c and c + 1 are divided by one of the p hyperplanes only.
    """
    import torch

    bits = (vectors.to(directions.dtype) @ directions > 0).long()
    p = bits.shape[-1]
    digits = bits.cumsum(dim=-1) % 2  # a digit of a Gray code's place is the parity of the bits up to it
    return (digits << torch.arange(p - 1, -1, -1, device=bits.device)).sum(dim=-1)


def order(vectors: Tensor, directions: Tensor, there: Tensor | None = None) -> Tensor:
    """Places of `vectors` ``(rows, n, d)`` by bucket ``(rows, n)``.

    Those that are not `there` ``(rows, n)`` come evenly between the others, so that an n-th of the way through the
    queries is an n-th of the way through the keys, whatever padding each of them has.
    """
    import torch

    found = codes(vectors, directions)
    if there is None:
        return found.argsort(dim=-1, stable=True)
    found = found.masked_fill(~there, 1 << directions.shape[1]).argsort(dim=-1, stable=True)
    n, kept = there.shape[1], there.sum(dim=1, keepdim=True)
    place = torch.arange(n, device=kept.device) + 0.5
    way = (place / kept.clamp(min=1)).where(place < kept, (place - kept) / (n - kept).clamp(min=1))
    return found.gather(1, way.argsort(dim=1, stable=True))


@dataclass(frozen=True)
class Blocks:
    """Queries, and the keys that they see. A row is a head of a text; each is cut into g blocks."""

    query: Tensor
    """``(rows, g, queries of a block, d)``"""
    key: Tensor
    """``(rows, g, keys of a block + samples, d)``"""
    value: Tensor
    bias: Tensor
    """``(rows, g, 1, keys of a block + samples)``: the logarithm of each key's weight."""
    places: Tensor
    """Where each query went ``(rows, m)``, the blocks one after the other."""
    heads: int

    def back(self, found: Tensor) -> Tensor:
        """``(rows, g, queries of a block, e)`` -> ``(batch, heads, m, e)``, in the order of old."""
        return _pick(found.flatten(1, 2), self.places).unflatten(0, (-1, self.heads))


@dataclass(frozen=True)
class Cut:
    """How to choose; see the options of `Hyper`."""

    block: int
    samples: int
    control_variate: bool
    alone: bool
    """Each query finds its block by its own bucket, whatever other queries there are, instead of by its rank."""
    directions: Tensor
    random: torch.Generator
    scale: float

    def __call__(
        self, query: Tensor, key: Tensor, value: Tensor, asks: Tensor | None, keep: Tensor | None
    ) -> Part:
        """See `halves.See`; with `alone`."""
        found = self.blocks(query, key, value, asks, keep)
        out, lse = partial(found.query, found.key, found.value, found.bias, causal=False, scale=self.scale)
        return found.back(out), found.back(lse[..., None])[..., 0]

    def blocks(
        self, query: Tensor, key: Tensor, value: Tensor, asks: Tensor | None, keep: Tensor | None
    ) -> Blocks:
        """`asks` ``(batch, m)`` and `keep` ``(batch, n)``: what is no padding."""
        import torch
        import torch.nn.functional as functional

        heads, m, n, where = query.shape[1], query.shape[2], key.shape[2], query.device
        key, value = (each.repeat_interleave(heads // each.shape[1], dim=1) for each in (key, value))
        q, k, v = (each.flatten(0, 1) for each in (query, key, value))
        asks, there = (None if each is None else each.repeat_interleave(heads, 0) for each in (asks, keep))
        buckets, by_key = codes(k, self.directions), order(k, self.directions, there)
        there = torch.ones_like(by_key, dtype=torch.bool) if there is None else there.gather(1, by_key)
        k, v = (_pick(each, by_key) for each in (k, v))
        picked, taken = self.draw(heads, there)
        g = -(-n // self.block)
        b, rows = -(-n // g), -(-m // g)
        fill = g * b - n  # what fills up the last block is seen by nobody
        own = functional.pad(there, (0, fill)).unflatten(1, (g, b))
        outside = taken[:, None] & (picked[:, None] // b != torch.arange(g, device=where)[:, None])
        others = (there.sum(1, keepdim=True) - own.sum(dim=2)).clamp(min=1)[..., None]  # (rows, g, 1)
        count = outside.sum(dim=2, keepdim=True).clamp(min=1)
        weight = (others / count).log().where(outside, -math.inf)
        drawn_k, drawn_v = (_pick(each, picked)[:, None].expand(-1, g, -1, -1) for each in (k, v))
        k, v = (functional.pad(each, (0, 0, 0, fill)).unflatten(1, (g, b)) for each in (k, v))
        if self.control_variate:
            wide = self.directions.dtype
            total = v.to(wide).sum(dim=2)  # padding is 0
            rest = (total.sum(dim=1, keepdim=True) - total) / others
            drawn_v = drawn_v + (rest - outside.to(wide) @ drawn_v[:, 0].to(wide) / count)[:, :, None].to(v)
        k, v = torch.cat([k, drawn_k], dim=2), torch.cat([v, drawn_v], dim=2)
        bias = torch.cat([own.float().log(), weight], dim=2)[:, :, None]
        if not self.alone:
            by_query = order(q, self.directions, asks)
            q = _pick(q, functional.pad(by_query, (0, g * rows - m))).unflatten(1, (g, rows))
            return Blocks(q, k, v, bias, by_query.argsort(dim=1), heads)
        starts = buckets.gather(1, by_key).masked_fill(~there, -1).cummax(dim=1).values[:, ::b].contiguous()
        block, grid, places = _alone(codes(q, self.directions), starts, -(-rows // 2))
        q = _pick(q, grid.flatten(1)).unflatten(1, grid.shape[1:])
        k, v, bias = (_pick(each.flatten(2), block).unflatten(2, each.shape[2:]) for each in (k, v, bias))
        return Blocks(q, k, v, bias, places, heads)

    def draw(self, heads: int, there: Tensor) -> tuple[Tensor, Tensor]:
        """Places ``(rows, samples)`` among ordered keys, and which of them are keys that are `there` ``(rows, n)``.

        All texts of a batch get the same numbers, so that none depends on its company.
        """
        import torch

        batch, n, where = len(there) // heads, there.shape[1], there.device
        s = min(self.samples, n)
        kept = there.sum(dim=1, keepdim=True)
        place = torch.arange(s, device=where)
        if self.control_variate:  # one from each of s stretches of equal length
            at = torch.rand(heads, s, generator=self.random, dtype=torch.float64).to(where).repeat(batch, 1)
            nth = ((place + at) * kept / kept.clamp(1, max(1, s))).long()
            nth = torch.minimum(nth, (kept - 1).clamp(min=0))
            return (~there).byte().argsort(dim=1, stable=True).gather(1, nth), place < kept
        chance = torch.rand(heads, n, generator=self.random).to(where).repeat(batch, 1)
        return chance.masked_fill(~there, -1).topk(s, dim=1).indices, place < kept


def _alone(buckets: Tensor, starts: Tensor, size: int) -> tuple[Tensor, Tensor, Tensor]:
    """Queries in tiles of `size` of one block each, as many as the fullest row needs.

    Args:
        buckets: of the queries ``(rows, m)``.
        starts: the lowest bucket of each block of keys ``(rows, g)``.

    Returns:
        The block of each tile ``(rows, tiles)``, its queries ``(rows, tiles, size)``, and the place of each query in
        the tiles ``(rows, m)``.
    """
    import torch

    (rows, m), g = buckets.shape, starts.shape[1]
    first, last = (
        (torch.searchsorted(starts, buckets, right=right) - 1).clamp(min=0) for right in (False, True)
    )
    own = (first + last) // 2  # the middle of the blocks that hold the bucket
    by_block = own.argsort(dim=1, stable=True)
    counts = torch.zeros_like(starts).scatter_add_(1, own, torch.ones_like(own))
    tiles = (counts + size - 1) // size
    ends = tiles.cumsum(dim=1)
    total = int(ends[:, -1].max())
    block = torch.searchsorted(ends, torch.arange(total, device=own.device).repeat(rows, 1), right=True)
    rank = by_block.argsort(dim=1) - (counts.cumsum(dim=1) - counts).gather(1, own)
    places = (ends - tiles).gather(1, own) * size + rank
    grid = torch.zeros(rows, total * size, dtype=torch.long, device=own.device)
    grid.scatter_(1, places, torch.arange(m, device=own.device).repeat(rows, 1))
    return block.clamp(max=g - 1), grid.unflatten(1, (total, size)), places


def _pick(each: Tensor, places: Tensor) -> Tensor:
    """``(rows, n, d)`` at `places` ``(rows, k)`` -> ``(rows, k, d)``: whole vectors, much faster than a gather."""
    import torch

    rows, n, _ = each.shape
    first = torch.arange(rows, device=places.device)[:, None] * n
    return each.flatten(0, 1).index_select(0, (first + places).flatten()).unflatten(0, places.shape)
