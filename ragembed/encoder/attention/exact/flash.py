"""What FlashAttention 1 and 2 share: tiles, and the backward pass that recomputes the attention weights.

Both compute the softmax online, and never hold more than one tile of the n x n weights. For the backward pass they keep
the result and the log-sum-exp (lse) of each query's logits, from which any weight is recomputed with one exponential.

This code is for reading. `dot_product` calls fused kernels that do the same.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar

from ragembed.encoder.attention.kernels import without_padding
from ragembed.encoder.attention.mask import ALL, Mask, SubMask, TiledMask
from ragembed.encoder.attention.mechanism import Mechanism
from ragembed.errors import SpecError

if TYPE_CHECKING:
    from torch import Tensor

ROWS, COLUMNS = 256, 512
"""Queries and keys of a tile: the fastest on a CPU at 4,096 tokens, of sizes from 64 to 1,024."""


@dataclass(frozen=True)
class Problem:
    """Tensors grouped by key head, and their mask. Query heads that share a key head are rows of the same tile."""

    query: Tensor
    """``(batch, kv_heads, groups, m, d)``"""
    key: Tensor
    """``(batch, kv_heads, n, d)``"""
    value: Tensor
    """``(batch, kv_heads, n, e)``"""
    mask: TiledMask | SubMask
    scale: float
    rows: int = ROWS
    columns: int = COLUMNS

    @property
    def groups(self) -> int:
        """Query heads that share a key head."""
        return int(self.query.shape[2])

    def row_tiles(self) -> Iterator[slice]:
        """The tiles of queries, in order."""
        return _cut(slice(0, self.query.shape[3]), self.rows)

    def column_tiles(self, rows: slice | None = None) -> Iterator[slice]:
        """The tiles of keys, in order: of those that the queries in `rows` may see; None: of all."""
        return _cut(slice(0, self.key.shape[2]) if rows is None else self.mask.key_range(rows), self.columns)

    def of_rows(self, each: Tensor, rows: slice) -> Tensor:
        """``(batch, kv_heads, groups, m, x)`` -> ``(batch, kv_heads, groups * rows, x)``, in float32 at least."""
        return upcast(each[:, :, :, rows].flatten(2, 3))

    def scores(self, q: Tensor, k: Tensor, rows: slice, columns: slice) -> Tensor:
        """The scaled logits of a tile, minus infinity for masked pairs."""
        s = (q @ k.transpose(-1, -2)).mul_(self.scale)
        allowed = self.mask(rows, columns)
        if allowed is not None:
            s.masked_fill_(~allowed.repeat(1, self.groups, 1)[:, None], -math.inf)
        return s


def _cut(whole: slice, size: int) -> Iterator[slice]:
    for start in range(whole.start, whole.stop, size):
        yield slice(start, min(start + size, whole.stop))


def upcast(each: Tensor) -> Tensor:
    """The tensor in float32 at least."""
    import torch

    return each if each.dtype == torch.float64 else each.float()


def gradient_buffer(each: Tensor) -> Tensor:
    """Zeros of the tensor's shape to accumulate its gradient in, at least in float32."""
    import torch

    return torch.zeros_like(each, dtype=torch.promote_types(each.dtype, torch.float32))


def row_delta(out: Tensor, grad: Tensor) -> Tensor:
    """rowsum(dO ∘ O) ``(..., m, 1)``, which the softmax's gradient subtracts from each row (D in Dao 2023)."""
    return (upcast(grad) * upcast(out)).sum(dim=-1, keepdim=True)


def backward(
    p: Problem, delta: Tensor, lse: Tensor, grad: Tensor, into: tuple[Tensor, Tensor, Tensor]
) -> None:
    """Add the gradients of query, key and value to `into`, with the weights recomputed (Dao 2023, Algorithm 2).

    Here the outer loop is over queries, so that the mask's range of keys can be skipped by row; the paper's is over
    keys. `delta` and `lse` are over all keys that a query sees, even if `p` has only a part of them.
    """
    import torch

    d_query, d_key, d_value = into
    for rows in p.row_tiles():
        q, d_out, delta_rows = (p.of_rows(each, rows) for each in (p.query, grad, delta))
        norm = finite_max(p.of_rows(lse[..., None], rows))
        d_q = torch.zeros_like(q)
        for columns in p.column_tiles(rows):
            k, v = upcast(p.key[:, :, columns]), upcast(p.value[:, :, columns])
            weights = p.scores(q, k, rows, columns).sub_(norm).exp_()
            d_value[:, :, columns] += weights.transpose(-1, -2) @ d_out
            d_scores = (d_out @ v.transpose(-1, -2)).sub_(delta_rows).mul_(weights).mul_(p.scale)
            d_q += d_scores @ k
            d_key[:, :, columns] += d_scores.transpose(-1, -2) @ q
        d_query[:, :, :, rows] += d_q.unflatten(2, (p.groups, -1))


class Tiled(Mechanism):
    """Exact attention in tiles. Subclasses differ in the order of their loops in the forward pass."""

    exact: ClassVar[bool] = True
    honours: ClassVar[frozenset[str]] = ALL
    time: ClassVar[str] = "O(n² d)"
    memory: ClassVar[str] = "O(n + tile)"

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
        """`tile`: queries and keys of a tile. `scale` of the inner products; None: 1 / sqrt(d)."""
        if min(tile) < 1:
            raise SpecError(f"tile is {tile}", "give 1 or more queries and keys")
        key, value = without_padding(mask, key, value)
        batch, heads, m, d = query.shape
        tiled_mask = mask.tiles(batch, m, key.shape[2], query.device)
        grouped = query.unflatten(1, (key.shape[1], heads // key.shape[1]))
        scale = 1 / math.sqrt(d) if scale is None else scale
        out: Tensor = _function().apply(grouped, key, value, tiled_mask, scale, tile, self.forward)
        return out.flatten(1, 2)

    @staticmethod
    @abstractmethod
    def forward(p: Problem) -> tuple[Tensor, Tensor]:
        """The result ``(batch, kv_heads, groups, m, e)`` and its `lse` ``(batch, kv_heads, groups, m)``."""


def finite_max(row_max: Tensor) -> Tensor:
    """`row_max` with 0 for a fully masked row, whose logits minus their maximum would be NaN."""
    return row_max.masked_fill(row_max == -math.inf, 0)


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
            mask: TiledMask,
            scale: float,
            tile: tuple[int, int],
            run: Callable[[Problem], tuple[Tensor, Tensor]],
        ) -> Tensor:
            out, lse = run(Problem(query, key, value, mask, scale, *tile))
            out = out.to(query.dtype)
            ctx.save_for_backward(query, key, value, out, lse)
            ctx.rest = mask, scale, tile
            return out

        @staticmethod
        @torch.autograd.function.once_differentiable  # type: ignore[untyped-decorator]
        def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
            ctx: Any, grad: Tensor
        ) -> tuple[Tensor | None, ...]:
            query, key, value, out, lse = ctx.saved_tensors
            mask, scale, tile = ctx.rest
            found = gradient_buffer(query), gradient_buffer(key), gradient_buffer(value)
            backward(Problem(query, key, value, mask, scale, *tile), row_delta(out, grad), lse, grad, found)
            gradients = (each.to(query.dtype) for each in found)
            return (*gradients, None, None, None, None)

    return Flash
