"""What Ring Attention and BurstAttention share: the options, and the forward pass, in which keys are passed around."""

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
from ragembed.encoder.attention.distributed.shards import ShardedMask
from ragembed.encoder.attention.exact.flash import row_delta, upcast
from ragembed.encoder.attention.mask import Mask

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, eq=False)
class RingSetup:
    """The processes, the order in which blocks pass them, and the mask."""

    group: Group
    route: Route
    mask: ShardedMask
    scale: float


@dataclass(frozen=True, eq=False)
class SavedTensors:
    """What the backward pass has of the process's own tokens."""

    query: Tensor
    """``(batch, kv_heads, groups, m, d)``"""
    grad: Tensor
    """Of the result ``(batch, kv_heads, groups, m, e)``."""
    delta: Tensor
    """``(batch, kv_heads, groups, m, 1)``: see `row_delta`."""
    lse: Tensor
    """``(batch, kv_heads, groups, m)``"""
    key: Tensor
    """``(batch, kv_heads, m, d)``"""
    value: Tensor
    """``(batch, kv_heads, m, e)``"""


class Rotating(Sharded):
    """Keys and values are passed around; results over each block are merged by their lse."""

    memory: ClassVar[str] = "O(n / P) in each process: its shard, the current block and one in transit"

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
            group: A torch process group; None: all processes, or this one alone without torch.distributed set up.
            layout: How the text is sharded, ``contiguous`` or ``zigzag``: see `shards`.
            per_node: Processes of a node, for a ring within each node and one between nodes; None: a single ring.
            timeout: Seconds to wait for another process before `PeerError`, and before Ctrl-C is heard; None: the
                group's own timeout.
            sent: A list to which the bytes of every message that this process sends are appended.
            scale: Of the inner products; None: 1 / sqrt(d).
        """
        whole = Group.from_torch(group, timeout, sent)
        route = Route.create(whole.size, per_node)
        shard = self.prepare(query, key, value, mask, whole, layout, scale, per_node=route.per_node)
        setup = RingSetup(whole, route, shard.sharded_mask, shard.scale)
        grouped = query.unflatten(1, (key.shape[1], query.shape[1] // key.shape[1]))
        out: Tensor = _function().apply(grouped, shard.key, shard.value, setup, self.backward)
        return out.flatten(1, 2)

    @staticmethod
    @abstractmethod
    def backward(setup: RingSetup, saved: SavedTensors) -> tuple[Tensor, Tensor, Tensor]:
        """The gradients of this process's query, key and value."""


def forward(setup: RingSetup, query: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
    """The result ``(batch, kv_heads, groups, m, e)`` and its lse, at least in float32."""
    out = upcast(query).new_zeros(*query.shape[:4], value.shape[3])
    lse = out.new_full(query.shape[:4], -math.inf)

    def visit(owner: int, block: list[Tensor]) -> tuple[()]:
        ranks = setup.group.rank, owner
        local.attend(setup.mask, ranks, query, block[0], block[1], setup.scale, (out, lse))
        return ()

    rotate(setup.group, setup.route, [key, value], visit)
    return out, lse


@cache
def _function() -> Any:
    import torch

    class RingFunction(torch.autograd.Function):  # type: ignore[misc]
        @staticmethod
        def forward(
            ctx: Any, query: Tensor, key: Tensor, value: Tensor, setup: RingSetup, back: Any
        ) -> Tensor:
            out, lse = forward(setup, query, key, value)
            out = out.to(query.dtype)
            ctx.save_for_backward(query, key, value, out, lse)
            ctx.rest = setup, back
            return out

        @staticmethod
        @torch.autograd.function.once_differentiable  # type: ignore[untyped-decorator]
        def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
            ctx: Any, grad: Tensor
        ) -> tuple[Tensor | None, ...]:
            query, key, value, out, lse = ctx.saved_tensors
            setup, back = ctx.rest
            saved = SavedTensors(query, grad.contiguous(), row_delta(out, grad), lse, key, value)
            found = back(setup, saved)
            return (*(each.to(query.dtype) for each in found), None, None)

    return RingFunction
