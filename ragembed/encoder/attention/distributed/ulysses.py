"""Ulysses: not the keys go around, but heads are dealt out anew: to each process a few, of the whole text."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar

from ragembed.encoder.attention.distributed.group import Group
from ragembed.encoder.attention.distributed.sharded import Sharded
from ragembed.encoder.attention.distributed.shards import shard, unshard
from ragembed.encoder.attention.dot_product import DotProduct
from ragembed.encoder.attention.mask import Mask
from ragembed.errors import SpecError

if TYPE_CHECKING:
    from torch import Tensor


class Ulysses(Sharded):
    """Exact attention by the fused kernels, between two exchanges of everything with everyone."""

    name: ClassVar[str] = "ulysses"
    paper: ClassVar[str] = "Jacobs et al. 2023 (DeepSpeed Ulysses), section 3"
    memory: ClassVar[str] = "O(n / P) in each process, its part once by tokens and once by heads"
    advice: ClassVar[str] = "as ring, on fast links and with at least as many heads as processes"

    def attend(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        mask: Mask,
        *,
        group: Any = None,
        layout: str = "contiguous",
        timeout: float | None = None,
        sent: list[int] | None = None,
        scale: float | None = None,
    ) -> Tensor:
        """Options as those of `ring`. The processes divide the heads; key heads are doubled where they are fewer."""
        whole = Group.of(group, timeout, sent)
        copies = key_copies(query.shape[1], key.shape[1], whole.size)
        own = self.prepare(query, key, value, mask, whole, layout, scale)
        key, value = (each.repeat_interleave(copies, dim=1) for each in (own.key, own.value))
        q, k, v = (_heads_for_tokens(whole, layout, each) for each in (query, key, value))
        found = DotProduct().attend(q, k, v, own.mask, scale=own.scale)
        return _tokens_for_heads(whole, layout, found)


def key_copies(heads: int, kv_heads: int, size: int) -> int:
    """How often each key head goes out, so that all processes get as many; `SpecError` where that cannot be."""
    if heads % size:
        raise SpecError(
            f"{heads} heads do not go evenly to {size} processes", "use a divisor of them, or ring"
        )
    if kv_heads % size and size % kv_heads:
        raise SpecError(
            f"{kv_heads} key heads do not go evenly to {size} processes",
            "use a divisor or a multiple of them, or ring",
        )
    return max(1, size // kv_heads)


def _heads_for_tokens(group: Group, layout: str, each: Tensor) -> Tensor:
    """``(batch, heads, m, d)`` -> ``(batch, heads / P, n, d)``."""
    parts = _exchange()(each.unflatten(1, (group.size, -1)).movedim(1, 0), group)
    return unshard(list(parts), layout=layout)


def _tokens_for_heads(group: Group, layout: str, each: Tensor) -> Tensor:
    """What the other did, undone."""
    import torch

    parts = [shard(each, rank, group.size, layout=layout) for rank in range(group.size)]
    return _exchange()(torch.stack(parts), group).movedim(0, 1).flatten(1, 2)


@cache
def _exchange() -> Any:
    import torch

    class Exchange(torch.autograd.Function):  # type: ignore[misc]
        @staticmethod
        def forward(ctx: Any, parts: Tensor, group: Group) -> Tensor:
            ctx.group = group
            return group.all_to_all(parts)

        @staticmethod
        def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
            ctx: Any, grad: Tensor
        ) -> tuple[Tensor, None]:
            """An exchange is its own inverse."""
            return ctx.group.all_to_all(grad), None

    return Exchange.apply
