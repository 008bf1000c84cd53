"""The blocked kernel of sparse patterns: for each block of queries a table of the keys that it may see.

The keys of the table are gathered, all blocks go through the fused kernel at once, and within a block a rule says which
query sees which key. Queries that see everything are left to one dense call.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ragembed.encoder.attention.kernels import fused, without_padding
from ragembed.errors import SpecError

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from ragembed.encoder.attention.mask import Mask

LEAST_BLOCK, MOST_BLOCK = 32, 256
KEYS_AT_ONCE = 8192
"""Keys that are gathered before the kernel is called: more do not stay in the cache of a processor."""

Rule = Callable[["Tensor", "Tensor"], "Tensor"]
"""Whether queries at some places see keys at some places, of shapes that broadcast."""


@dataclass(frozen=True, eq=False)
class Layout:
    """What the blocks of one row of a batch see."""

    block: int
    """Queries of a block."""
    table: Tensor
    """``(blocks, wide)`` places of keys, each once in a line; -1 is none."""
    sees: Rule
    """Which of them a query sees, as far as it is not a matter of the mask's `causal`, `lengths` and `keep`."""


def blocked(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    layout: Layout,
    allowed: Rule,
    *,
    bias: Tensor | None = None,
    scale: float | None = None,
) -> Tensor:
    """Attention of one row ``(heads, n, d)``, n from 1: time O(n wide d), ``wide`` that of the table.

    There may be more keys than queries. `bias` ``(keys,)`` is added to the logits; it has no gradient.
    """
    import torch
    import torch.nn.functional as functional

    n = query.shape[1]
    (blocks, wide), b = layout.table.shape, layout.block
    queries = functional.pad(query, (0, 0, 0, blocks * b - n)).unflatten(1, (blocks, b)).transpose(0, 1)
    places = _places(blocks, b, query.device)[:, :, None]
    parts = []
    step = max(1, KEYS_AT_ONCE // wide)
    for first in range(0, blocks, step):
        there = layout.table[first : first + step, None, :]
        place = there.clamp(min=0)
        at = places[first : first + step].clamp(max=n - 1)
        seen = (there >= 0) & layout.sees(at, place) & allowed(at, place)
        k, v = (
            each.index_select(1, place.flatten()).unflatten(1, (-1, wide)).transpose(0, 1)
            for each in (key, value)
        )
        seen = seen.expand(-1, b, -1)
        if bias is not None:
            seen = bias[place].masked_fill(~seen, -math.inf)
        parts.append(fused(queries[first : first + step], k, v, seen[:, None], scale=scale))
    found = torch.cat(parts)  # (blocks, heads, b, e)
    return found.transpose(0, 1).flatten(1, 2)[:, :n]


def everywhere(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    places: Tensor,
    allowed: Rule,
    result: Tensor,
    *,
    scale: float | None = None,
) -> Tensor:
    """`result` of one row ``(heads, n, e)`` with the queries at `places` attending to all keys of the row."""
    import torch

    if not len(places):
        return result
    seen = allowed(places[:, None], torch.arange(key.shape[1], device=key.device)[None, :])
    seen = seen.expand(len(places), key.shape[1])
    found = fused(query[None, :, places], key[None], value[None], seen[None, None], scale=scale)[0]
    return result.index_copy(1, places, found)


def conditions(mask: Mask, n: int, where: torch.device) -> Callable[[int], Rule]:
    """For a row of the batch the rule of `causal`, `lengths` and `keep`; window and global tokens are left out."""
    import torch

    documents = mask.documents(n, where)
    keep = None if mask.keep is None else mask.keep.to(where)

    def of(row: int) -> Rule:
        def allowed(at: Tensor, place: Tensor) -> Tensor:
            seen = place <= at if mask.causal else torch.ones_like(place, dtype=torch.bool)
            if documents is not None:
                own = documents[row if len(documents) > 1 else 0]
                seen = seen & (own[at] == own[place])
            return seen if keep is None else seen & keep[row][place]

        return allowed

    return of


def band(n: int, b: int, left: int, right: int, where: torch.device) -> Tensor:
    """The table ``(blocks, left + b + right)`` of blocks that see what is near."""
    import torch

    place = _places(-(-n // b), b, where)[:, :1] + torch.arange(-left, b + right, device=where)
    return place.masked_fill((place < 0) | (place >= n), -1)


def beside(table: Tensor, extra: Tensor) -> Tensor:
    """The table of a band with more keys ``(blocks or 1, keys)``, none of them twice."""
    import torch

    extra = extra.expand(len(table), -1)
    last = table.amax(1, keepdim=True)
    first = table.masked_fill(table < 0, last.amax()).amin(1, keepdim=True)
    return torch.cat([table, extra.masked_fill((extra >= first) & (extra <= last), -1)], dim=1)


def over_blocks(
    query: Tensor, key: Tensor, value: Tensor, mask: Mask, chosen: Tensor, b: int, *, scale: float | None
) -> Tensor:
    """Attention where blocks of b see whole blocks: `chosen` ``(blocks, blocks)`` bool, and what `mask` has beside it.

    Blocks that see all others, which would make the table wide for everyone, are computed apart.
    """
    import torch

    n = key.shape[2]
    key, value = without_padding(mask, key, value)
    full = chosen.all(1)
    same = torch.eye(len(chosen), dtype=torch.bool, device=chosen.device)
    layout = Layout(b, from_blocks(chosen & (same | ~full[:, None]), n, b), _all)
    places = full.repeat_interleave(b)[:n].nonzero()[:, 0]
    allowed = conditions(mask, n, query.device)
    rows = []
    for row, (q, k, v) in enumerate(zip(query, key, value, strict=True)):
        found = blocked(q, k, v, layout, allowed(row), scale=scale)
        rows.append(everywhere(q, k, v, places, allowed(row), found, scale=scale))
    return torch.stack(rows)


def by_token(chosen: Tensor, n: int, b: int, mask: Mask | None) -> Tensor:
    """Which key each query sees ``(n, n)``, of which block each block sees and a mask of one row."""
    seen = chosen.repeat_interleave(b, 0).repeat_interleave(b, 1)[:n, :n]
    rest = None if mask is None else mask.allowed(1, n, n, chosen.device)
    return seen if rest is None else seen & rest[0]


def from_blocks(chosen: Tensor, n: int, b: int) -> Tensor:
    """Which block each block sees ``(blocks, blocks)`` bool -> a table as narrow as can be."""
    import torch

    most = int(chosen.sum(1).max())
    order = chosen.int().sort(dim=1, descending=True, stable=True).indices[:, :most]
    place = (order[..., None] * b + torch.arange(b, device=chosen.device)).flatten(1)
    there = chosen.gather(1, order).repeat_interleave(b, dim=1) & (place < n)
    return place.masked_fill(~there, -1)


def block_of(window: int, n: int, given: int | None, most: int = MOST_BLOCK) -> int:
    """Queries taken together: what was given, or half of the window, from 32 to `most`, and no more than there are."""
    if given is not None and given < 1:
        raise SpecError(f"block is {given}", "give 1 or more")
    half = max(LEAST_BLOCK, min(most, window // 2)) if given is None else given
    return max(1, min(half, n))


def as_many(name: str, query: Tensor, key: Tensor) -> int:
    """The length of queries and keys; `SpecError` unless it is one."""
    if query.shape[2] != key.shape[2]:
        raise SpecError(
            f"{name} got {query.shape[2]} queries of {key.shape[2]} keys", "give as many, or use dot_product"
        )
    return int(key.shape[2])


def _places(blocks: int, b: int, where: torch.device) -> Tensor:
    import torch

    return torch.arange(blocks * b, device=where).reshape(blocks, b)


def _all(at: Tensor, place: Tensor) -> Tensor:
    import torch

    return torch.ones_like(place, dtype=torch.bool)
