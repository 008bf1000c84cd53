"""Ulysses: an all-to-all exchange gives each process some heads of the whole text, and a second one undoes it."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar

from ragembed.encoder.attention.distributed.group import Group
from ragembed.encoder.attention.distributed.sharded import Sharded
from ragembed.encoder.attention.distributed.shards import shard, unshard
from ragembed.encoder.attention.exact.dot_product import DotProduct
from ragembed.encoder.attention.mask import Mask
from ragembed.errors import SpecError

if TYPE_CHECKING:
    from torch import Tensor


class Ulysses(Sharded):
    """Exact attention by the fused kernels, between two all-to-all exchanges."""

    name: ClassVar[str] = "ulysses"
    paper: ClassVar[str] = "Jacobs et al. 2023 (DeepSpeed Ulysses), section 3"
    memory: ClassVar[str] = "O(n / P) in each process: its shard by tokens, and the same amount by heads"
    advice: ClassVar[str] = "as ring, with fast links and at least as many heads as processes"

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
        """Options as those of `ring`, without `per_node`. The heads have to be a multiple of the processes."""
        whole = Group.from_torch(group, timeout, sent)
        copies = key_copies(query.shape[1], key.shape[1], whole.size)
        own = self.prepare(query, key, value, mask, whole, layout, scale)
        key, value = (each.repeat_interleave(copies, dim=1) for each in (own.key, own.value))
        q, k, v = _heads_for_tokens(whole, layout, query, key, value)
        found = DotProduct().attend(q, k, v, own.mask, scale=own.scale)
        return _tokens_for_heads(whole, layout, found)


def key_copies(heads: int, kv_heads: int, size: int) -> int:
    """How often each key head is sent, so that every process gets as many; `SpecError` if that is impossible."""
    if heads % size:
        raise SpecError(
            f"{heads} heads cannot be divided evenly among {size} processes", "use a divisor of them, or ring"
        )
    if kv_heads % size and size % kv_heads:
        raise SpecError(
            f"{kv_heads} key heads cannot be divided evenly among {size} processes",
            "use a divisor or a multiple of them, or ring",
        )
    return max(1, size // kv_heads)


def _heads_for_tokens(group: Group, layout: str, *tensors: Tensor) -> list[Tensor]:
    """Each ``(batch, heads, m, d)`` -> ``(batch, heads / P, n, d)``."""
    parts = [each.unflatten(1, (group.size, -1)).movedim(1, 0) for each in tensors]
    return [unshard(list(each), layout=layout) for each in _exchange()(group, *parts)]


def _tokens_for_heads(group: Group, layout: str, each: Tensor) -> Tensor:
    """The inverse of `_heads_for_tokens`."""
    import torch

    parts = [shard(each, rank, group.size, layout=layout) for rank in range(group.size)]
    (found,) = _exchange()(group, torch.stack(parts))
    return found.movedim(0, 1).flatten(1, 2)


@cache
def _exchange() -> Any:
    import torch

    class Exchange(torch.autograd.Function):  # type: ignore[misc]
        @staticmethod
        def forward(ctx: Any, group: Group, *tensors: Tensor) -> tuple[Tensor, ...]:
            ctx.group = group
            return tuple(group.all_to_all(each) for each in tensors)

        @staticmethod
        def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
            ctx: Any, *grads: Tensor
        ) -> tuple[Tensor | None, ...]:
            """An all-to-all exchange is its own transpose.

            All tensors go back together, needed or not: what one process needs another may not.
            """
            return None, *(ctx.group.all_to_all(each) for each in grads)

    return Exchange.apply
