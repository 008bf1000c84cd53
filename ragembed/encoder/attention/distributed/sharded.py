"""What all mechanisms over several processes share: options, checks, and the mask of the whole text."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

from ragembed.encoder.attention.blocks import as_many
from ragembed.encoder.attention.distributed.group import Group
from ragembed.encoder.attention.distributed.shards import Text, stretches, unshard
from ragembed.encoder.attention.kernels import without_padding
from ragembed.encoder.attention.mask import ALL, CONDITIONS, Mask
from ragembed.encoder.attention.mechanism import Mechanism

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, eq=False)
class Shard:
    """One process's part of a call, checked against the others'."""

    group: Group
    text: Text
    query: Tensor
    key: Tensor
    """Padding is 0, in the value too."""
    value: Tensor
    mask: Mask
    """Of the whole text."""
    scale: float


class Sharded(Mechanism):
    """Each process calls it with its part of the tokens and gets the result of them.

    `Mask.keep` is of the process's own tokens; `lengths` and `global_tokens` are of the whole text, the same
    everywhere. All processes have equally many tokens: see `shards.shard`. In a process alone it is exact attention.
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
    ) -> Shard:
        """`SpecError` unless all processes mean the same text."""
        m = as_many(self.name, query, key)
        where = query.device
        n = m * group.size
        own = Mask(keep=mask.keep)
        own.check(len(query), m, m)
        if group.size > 1:
            group.agree(
                {
                    "shapes": [tuple(each.shape) for each in (query, key, value)],
                    "type": query.dtype,
                    "mask": _told(mask),
                    "layout": layout,
                    "scale": scale,
                },
                where,
            )
        stretches(group.rank, group.size, n, layout)
        keep = mask.keep
        if keep is not None:
            parts = group.all_gather(keep.to(where).byte())
            keep = unshard(parts, layout=layout, dim=1).bool()
        whole = replace(mask, keep=keep)
        text = Text(whole.tiles(len(query), n, n, where), group.size, layout)
        key, value = without_padding(own, key, value)
        return Shard(
            group, text, query, key, value, whole, 1 / math.sqrt(query.shape[3]) if scale is None else scale
        )


def _told(mask: Mask) -> list[Any]:
    """What all processes have to say alike."""
    given = [getattr(mask, name) for name in CONDITIONS if name != "keep"]
    plain = [each.tolist() if hasattr(each, "tolist") else each for each in given]
    return [
        mask.causal,
        mask.keep is not None,
        *(list(each) if isinstance(each, tuple) else each for each in plain),
    ]
