"""What all mechanisms over several processes share: the checks, and the mask of the whole text."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

from ragembed.encoder.attention.distributed.group import Group
from ragembed.encoder.attention.distributed.shards import ShardedMask, stretches, unshard
from ragembed.encoder.attention.kernels import without_padding
from ragembed.encoder.attention.mask import ALL, CONDITIONS, Mask
from ragembed.encoder.attention.mechanism import Mechanism
from ragembed.encoder.attention.sparse.blocks import same_length

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, eq=False)
class Shard:
    """One process's part of a call, checked against those of the others."""

    group: Group
    sharded_mask: ShardedMask
    query: Tensor
    key: Tensor
    """With zeros in padding, as is the value."""
    value: Tensor
    mask: Mask
    """Of the whole text."""
    scale: float


class Sharded(Mechanism):
    """Each process calls it with its shard of the tokens, and gets the result of these.

    `Mask.keep` is that of the process's own tokens; `lengths` and `global_tokens` are those of the whole text, and the
    same in all processes. All processes have equally many tokens: see `shards.shard`. A single process works, too.
    All make the same calls in the same order, and go back through them in the same order: messages are not told apart.
    """

    exact: ClassVar[bool] = True
    sharded: ClassVar[bool] = True
    honours: ClassVar[frozenset[str]] = ALL
    time: ClassVar[str] = "O(n² d / P) in each of P processes"

    def prepare(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        mask: Mask,
        group: Group,
        layout: str,
        scale: float | None,
        **same: object,
    ) -> Shard:
        """Check the arguments; `SpecError` unless all processes agree about them, and about `same`."""
        import torch

        m = same_length(self.name, query, key)
        device = query.device
        n = m * group.size
        own = Mask(keep=mask.keep)
        own.check(len(query), m, m)
        if group.size > 1:
            group.agree(
                {
                    "mechanism": self.name,
                    "shapes": [tuple(each.shape) for each in (query, key, value)],
                    "type": query.dtype,
                    "mask": _fingerprint(mask),
                    "layout": layout,
                    "scale": scale,
                    "gradient": torch.is_grad_enabled()
                    and any(each.requires_grad for each in (query, key, value)),
                    **same,
                },
                device,
            )
        stretches(group.rank, group.size, n, layout)
        keep = mask.keep
        if keep is not None:
            parts = group.all_gather(keep.to(device).byte())
            keep = unshard(parts, layout=layout, dim=1).bool()
        whole = replace(mask, keep=keep)
        sharded_mask = ShardedMask(whole.tiles(len(query), n, n, device), group.size, layout)
        key, value = without_padding(own, key, value)
        return Shard(
            group,
            sharded_mask,
            query,
            key,
            value,
            whole,
            1 / math.sqrt(query.shape[3]) if scale is None else scale,
        )


def _fingerprint(mask: Mask) -> list[Any]:
    """The conditions of the mask that have to be equal in all processes."""
    given = [getattr(mask, name) for name in CONDITIONS if name != "keep"]
    plain = [each.tolist() if hasattr(each, "tolist") else each for each in given]
    return [
        mask.causal,
        mask.keep is not None,
        *(list(each) if isinstance(each, tuple) else each for each in plain),
    ]
