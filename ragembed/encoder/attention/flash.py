"""What FlashAttention 1 and 2 share: tiles, and the backward pass that computes the weights again.

Neither ever holds more than a tile of the n x n weights. What is kept for the backward pass is the result and, for each
query, the logarithm of the sum of its exponentials; from it any weight is one exponential away.

These are to be read. `dot_product` calls the fused kernels that do the same.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar

from ragembed.encoder.attention.kernels import without_padding
from ragembed.encoder.attention.mask import ALL, Mask, Part, Tiles
from ragembed.encoder.attention.mechanism import Mechanism
from ragembed.errors import SpecError

if TYPE_CHECKING:
    from torch import Tensor

ROWS, COLUMNS = 256, 512
"""Queries and keys of a tile: of 64 to 1,024 the fastest on a CPU at 4,096 tokens."""


@dataclass(frozen=True)
class Problem:
    """Tensors by key head, and their mask. Query heads that share a key head are more rows of a tile."""

    query: Tensor
    """``(batch, kv_heads, groups, m, d)``"""
    key: Tensor
    """``(batch, kv_heads, n, d)``"""
    value: Tensor
    mask: Tiles | Part
    scale: float
    rows: int = ROWS
    columns: int = COLUMNS

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
        return wide(each[:, :, :, rows].flatten(2, 3))

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


def wide(each: Tensor) -> Tensor:
    import torch

    return each if each.dtype == torch.float64 else each.float()


def zeros(each: Tensor) -> Tensor:
    """Where its gradient is added up: in float32 at least."""
    import torch

    return torch.zeros_like(each, dtype=torch.promote_types(each.dtype, torch.float32))


def delta_of(out: Tensor, grad: Tensor) -> Tensor:
    """What the softmax takes off the gradient of a query's logits ``(..., m, 1)``: the sum of grad times result."""
    return (wide(grad) * wide(out)).sum(dim=-1, keepdim=True)


def backward(
    p: Problem, delta: Tensor, lse: Tensor, grad: Tensor, into: tuple[Tensor, Tensor, Tensor]
) -> None:
    """Add to `into` the gradients of query, key and value, the weights computed again (Dao 2023, Algorithm 2).

    `delta` and `lse` are of all keys of a query, be those of `p` only a part of them.
    """
    import torch

    d_query, d_key, d_value = into
    for rows in p.row_tiles():
        q, d_out, above = (p.of_rows(each, rows) for each in (p.query, grad, delta))
        norm = finite(p.of_rows(lse[..., None], rows))
        d_q = torch.zeros_like(q)
        for columns in p.column_tiles(rows):
            k, v = wide(p.key[:, :, columns]), wide(p.value[:, :, columns])
            weights = p.scores(q, k, rows, columns).sub_(norm).exp_()
            d_value[:, :, columns] += weights.transpose(-1, -2) @ d_out
            d_scores = (d_out @ v.transpose(-1, -2)).sub_(above).mul_(weights).mul_(p.scale)
            d_q += d_scores @ k
            d_key[:, :, columns] += d_scores.transpose(-1, -2) @ q
        d_query[:, :, :, rows] += d_q.unflatten(2, (p.groups, -1))


class Tiled(Mechanism):
    """Subclasses say in which order they go over the tiles."""

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
        """`tile`: queries and keys of a tile. `scale`: None: 1 / sqrt(d)."""
        if min(tile) < 1:
            raise SpecError(f"tile is {tile}", "give 1 or more queries and keys")
        key, value = without_padding(mask, key, value)
        batch, heads, m, d = query.shape
        where = mask.tiles(batch, m, key.shape[2], query.device)
        grouped = query.unflatten(1, (key.shape[1], heads // key.shape[1]))
        scale = 1 / math.sqrt(d) if scale is None else scale
        out: Tensor = _function().apply(grouped, key, value, where, scale, tile, self.forward)
        return out.flatten(1, 2)

    @staticmethod
    @abstractmethod
    def forward(p: Problem) -> tuple[Tensor, Tensor]:
        """The result ``(batch, kv_heads, groups, m, e)`` and its `lse` ``(batch, kv_heads, groups, m)``."""


def finite(highest: Tensor) -> Tensor:
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
            found = zeros(query), zeros(key), zeros(value)
            backward(Problem(query, key, value, mask, scale, *tile), delta_of(out, grad), lse, grad, found)
            gradients = (each.to(query.dtype) for each in found)
            return (*gradients, None, None, None, None)

    return Flash
