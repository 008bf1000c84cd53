"""What FlashAttention 1 and 2 share: tiles, and the backward pass that computes the weights again.

Neither ever holds more than a tile of the n x n weights. What is kept for the backward pass is the result and, for each
query, the logarithm of the sum of its exponentials; from it any weight is one exponential away.

These are to be read. `dot_product` calls the fused kernels that do the same.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

from ragembed.encoder.attention.mask import Mask, Tiles
from ragembed.errors import SpecError

if TYPE_CHECKING:
    from torch import Tensor

ROWS, COLUMNS = 256, 512
"""Queries and keys of a tile: of 64 to 1,024 the fastest on a CPU at 4,096 tokens."""
Order = Literal["keys outside", "queries outside"]


@dataclass(frozen=True)
class Problem:
    """Tensors by key head, and their mask. Query heads that share a key head are more rows of a tile."""

    query: Tensor
    """``(batch, kv_heads, groups, m, d)``"""
    key: Tensor
    """``(batch, kv_heads, n, d)``"""
    value: Tensor
    mask: Tiles
    scale: float
    rows: int
    columns: int

    @property
    def groups(self) -> int:
        """Query heads of a key head."""
        return int(self.query.shape[2])

    def row_tiles(self) -> Iterator[slice]:
        """Queries, a tile after the other."""
        return _cut(slice(0, self.query.shape[3]), self.rows)

    def column_tiles(self, rows: slice | None = None) -> Iterator[slice]:
        """Keys, a tile after the other: those that any of `rows` may see."""
        return _cut(slice(0, self.key.shape[2]) if rows is None else self.mask.reach(rows), self.columns)

    def of_rows(self, each: Tensor, rows: slice) -> Tensor:
        """``(batch, kv_heads, groups, m, x)`` -> ``(batch, kv_heads, groups * rows, x)``, in float32 at least."""
        return _wide(each[:, :, :, rows].flatten(2, 3))

    def scores(self, q: Tensor, k: Tensor, rows: slice, columns: slice) -> Tensor:
        """Scaled inner products of a tile, minus infinity where the mask says so."""
        s = (q @ k.transpose(-1, -2)).mul_(self.scale)
        allowed = self.mask(rows, columns)
        if allowed is not None:
            s.masked_fill_(~allowed.repeat(1, self.groups, 1)[:, None], -math.inf)
        return s


def _cut(whole: slice, size: int) -> Iterator[slice]:
    for start in range(whole.start, whole.stop, size):
        yield slice(start, min(start + size, whole.stop))


def _wide(each: Tensor) -> Tensor:
    import torch

    return each if each.dtype == torch.float64 else each.float()


def forward_keys_outside(p: Problem) -> tuple[Tensor, Tensor]:
    """FlashAttention 1 (Dao et al. 2022, Algorithm 1): for each tile of keys all tiles of queries.

    A query's result is normalised after every tile, and goes to memory and back with its maximum and its sum.
    """
    import torch

    q = _wide(p.query)
    out = q.new_zeros(*q.shape[:4], p.value.shape[3])
    highest, total = (q.new_full((*q.shape[:4], 1), start) for start in (-math.inf, 0.0))
    for columns in p.column_tiles():
        k, v = _wide(p.key[:, :, columns]), _wide(p.value[:, :, columns])
        for rows in p.row_tiles():
            s = p.scores(p.of_rows(p.query, rows), k, rows, columns)
            before, mass = (p.of_rows(each, rows) for each in (highest, total))
            now = torch.maximum(before, s.amax(dim=-1, keepdim=True))
            weights = torch.exp(s - _finite(now))
            kept = torch.exp(before - _finite(now)) * mass
            mass = kept + weights.sum(dim=-1, keepdim=True)
            mixed = (kept * p.of_rows(out, rows) + weights @ v) / mass.masked_fill(mass == 0, 1)
            for whole, part in ((out, mixed), (highest, now), (total, mass)):
                whole[:, :, :, rows] = part.unflatten(2, (p.groups, -1))
    return out, (highest + total.log()).squeeze(-1)


def forward_queries_outside(p: Problem) -> tuple[Tensor, Tensor]:
    """FlashAttention 2 (Dao 2023, Algorithm 1): for each tile of queries all tiles of keys.

    The result stays where it is computed and is divided once, at the end; tiles of queries need nothing of one another,
    so that they go to different processors.
    """
    import torch

    q = _wide(p.query)
    out = q.new_zeros(*q.shape[:4], p.value.shape[3])
    lse = q.new_full(q.shape[:4], -math.inf)
    for rows in p.row_tiles():
        q = p.of_rows(p.query, rows)
        mixed = q.new_zeros(*q.shape[:3], p.value.shape[3])
        highest, mass = (q.new_full((*q.shape[:3], 1), start) for start in (-math.inf, 0.0))
        for columns in p.column_tiles(rows):
            s = p.scores(q, _wide(p.key[:, :, columns]), rows, columns)
            now = torch.maximum(highest, s.amax(dim=-1, keepdim=True))
            weights = s.sub_(_finite(now)).exp_()
            kept = torch.exp(highest - _finite(now))
            mass = kept * mass + weights.sum(dim=-1, keepdim=True)
            mixed = mixed.mul_(kept).add_(weights @ _wide(p.value[:, :, columns]))
            highest = now
        out[:, :, :, rows] = (mixed / mass.masked_fill(mass == 0, 1)).unflatten(2, (p.groups, -1))
        lse[:, :, :, rows] = (highest + mass.log()).squeeze(-1).unflatten(2, (p.groups, -1))
    return out, lse


def backward(p: Problem, out: Tensor, lse: Tensor, grad: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of query, key and value (Dao 2023, Algorithm 2), the weights of each tile computed again."""
    import torch

    delta = (_wide(grad) * _wide(out)).sum(dim=-1, keepdim=True)  # of the softmax, for each query
    d_query, d_key, d_value = (torch.zeros_like(_wide(each)) for each in (p.query, p.key, p.value))
    for rows in p.row_tiles():
        q, d_out, above = (p.of_rows(each, rows) for each in (p.query, grad, delta))
        norm = _finite(p.of_rows(lse[..., None], rows))
        d_q = torch.zeros_like(q)
        for columns in p.column_tiles(rows):
            k, v = _wide(p.key[:, :, columns]), _wide(p.value[:, :, columns])
            weights = p.scores(q, k, rows, columns).sub_(norm).exp_()
            d_value[:, :, columns] += weights.transpose(-1, -2) @ d_out
            d_scores = (d_out @ v.transpose(-1, -2)).sub_(above).mul_(weights).mul_(p.scale)
            d_q += d_scores @ k
            d_key[:, :, columns] += d_scores.transpose(-1, -2) @ q
        d_query[:, :, :, rows] = d_q.unflatten(2, (p.groups, -1))
    return d_query, d_key, d_value


def attend(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: Mask,
    order: Order,
    scale: float | None = None,
    tile: tuple[int, int] = (ROWS, COLUMNS),
) -> tuple[Tensor, Tensor]:
    """The result and its `lse` ``(batch, heads, m)``, which a gradient goes through only by the result."""
    if min(tile) < 1:
        raise SpecError(f"tile is {tile}", "give 1 or more queries and keys")
    batch, heads, m, d = query.shape
    where = mask.tiles(batch, m, key.shape[2], query.device)
    grouped = query.unflatten(1, (key.shape[1], heads // key.shape[1]))
    scale = 1 / math.sqrt(d) if scale is None else scale
    out, lse = _function().apply(grouped, key, value, where, scale, tile, order)
    return out.flatten(1, 2), lse.flatten(1, 2)


def _finite(highest: Tensor) -> Tensor:
    """0 for minus infinity: the maximum of a row that sees nothing, of which nothing may be taken off."""
    return highest.masked_fill(highest == -math.inf, 0)


@cache
def _function() -> Any:
    import torch

    class Flash(torch.autograd.Function):  # type: ignore[misc]
        @staticmethod
        def forward(
            ctx: Any,
            query: Tensor,
            key: Tensor,
            value: Tensor,
            mask: Tiles,
            scale: float,
            tile: tuple[int, int],
            order: Order,
        ) -> tuple[Tensor, Tensor]:
            problem = Problem(query, key, value, mask, scale, *tile)
            out, lse = (forward_keys_outside if order == "keys outside" else forward_queries_outside)(problem)
            out = out.to(query.dtype)
            ctx.save_for_backward(query, key, value, out, lse)
            ctx.rest = mask, scale, tile
            ctx.mark_non_differentiable(lse)
            return out, lse

        @staticmethod
        @torch.autograd.function.once_differentiable  # type: ignore[untyped-decorator]
        def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
            ctx: Any, grad: Tensor, *_: Any
        ) -> tuple[Tensor | None, ...]:
            query, key, value, out, lse = ctx.saved_tensors
            mask, scale, tile = ctx.rest
            found = backward(Problem(query, key, value, mask, scale, *tile), out, lse, grad)
            gradients = (each.to(query.dtype) for each in found)
            return (*gradients, None, None, None, None)

    return Flash
