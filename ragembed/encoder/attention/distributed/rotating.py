"""Attention over keys that go around: the forward pass that Ring Attention and BurstAttention share."""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar

from ragembed.encoder.attention.distributed import local
from ragembed.encoder.attention.distributed.group import Group
from ragembed.encoder.attention.distributed.rotation import Route, rotate
from ragembed.encoder.attention.distributed.sharded import Sharded
from ragembed.encoder.attention.distributed.shards import Text
from ragembed.encoder.attention.flash import delta_of, wide
from ragembed.encoder.attention.mask import Mask

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, eq=False)
class Tour:
    """Around whom blocks go, in which order, and what is seen on the way."""

    group: Group
    route: Route
    text: Text
    scale: float


@dataclass(frozen=True, eq=False)
class Saved:
    """What the backward pass has of a process's own tokens."""

    query: Tensor
    """``(batch, kv_heads, groups, m, d)``, and so the other three, but for the last dimension."""
    grad: Tensor
    delta: Tensor
    """Gradient times result, summed: ``(..., m, 1)``."""
    lse: Tensor
    """``(..., m)``"""
    key: Tensor
    """``(batch, kv_heads, m, d)``"""
    value: Tensor


class Rotating(Sharded):
    """Keys and values go around; what a query found in each block is merged by its lse."""

    memory: ClassVar[str] = "O(n / P) in each process: its part, a block at hand and one under way"

    def attend(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        mask: Mask,
        *,
        group: Any = None,
        layout: str = "contiguous",
        per_node: int | None = None,
        timeout: float | None = None,
        sent: list[int] | None = None,
        scale: float | None = None,
    ) -> Tensor:
        """Options.

        Args:
            group: A process group of torch; None: all processes, or this one alone where none was set up.
            layout: How the text was dealt out, ``contiguous`` or ``zigzag``: see `shards`.
            per_node: Processes of a node, of which each makes a ring of its own; None: one ring of all.
            timeout: Seconds to wait for another process before `PeerError`; None: as the group does.
            sent: Gets the bytes of every message that this process sends.
            scale: None: 1 / sqrt(d).
        """
        whole = Group.of(group, timeout, sent)
        route = Route.of(whole.size, per_node)
        shard = self.prepare(query, key, value, mask, whole, layout, scale)
        tour = Tour(whole, route, shard.text, shard.scale)
        grouped = query.unflatten(1, (key.shape[1], query.shape[1] // key.shape[1]))
        out: Tensor = _function().apply(grouped, shard.key, shard.value, tour, self.backward)
        return out.flatten(1, 2)

    @staticmethod
    @abstractmethod
    def backward(tour: Tour, saved: Saved) -> tuple[Tensor, Tensor, Tensor]:
        """Gradients of query, key and value of this process's tokens."""


def forward(tour: Tour, query: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
    """The result ``(batch, kv_heads, groups, m, e)`` and its lse, in float32 at least."""
    out = wide(query).new_zeros(*query.shape[:4], value.shape[3])
    lse = out.new_full(query.shape[:4], -math.inf)

    def visit(owner: int, block: list[Tensor]) -> tuple[()]:
        between = tour.group.rank, owner
        local.attend(tour.text, between, query, block[0], block[1], tour.scale, (out, lse))
        return ()

    rotate(tour.group, tour.route, [key, value], visit)
    return out, lse


@cache
def _function() -> Any:
    import torch

    class Around(torch.autograd.Function):  # type: ignore[misc]
        @staticmethod
        def forward(ctx: Any, query: Tensor, key: Tensor, value: Tensor, tour: Tour, back: Any) -> Tensor:
            out, lse = forward(tour, query, key, value)
            out = out.to(query.dtype)
            ctx.save_for_backward(query, key, value, out, lse)
            ctx.rest = tour, back
            return out

        @staticmethod
        @torch.autograd.function.once_differentiable  # type: ignore[untyped-decorator]
        def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
            ctx: Any, grad: Tensor
        ) -> tuple[Tensor | None, ...]:
            query, key, value, out, lse = ctx.saved_tensors
            tour, back = ctx.rest
            saved = Saved(query, grad.contiguous(), delta_of(out, grad), lse, key, value)
            found = back(tour, saved)
            return (*(each.to(query.dtype) for each in found), None, None)

    return Around
