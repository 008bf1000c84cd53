"""The blocked kernel of sparse patterns: for each block of queries a table of the keys that it may see.

The keys in the table are gathered, many blocks go through the fused kernel in one call, and a predicate says which
query of a block sees which of its keys. Queries that see all keys go through one dense call instead.
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

MIN_BLOCK, MAX_BLOCK = 32, 256
KEYS_PER_CALL = 8192
"""Keys that are gathered for one call of the kernel: more would not stay in the processor's cache."""

MaskMod = Callable[["Tensor", "Tensor"], "Tensor"]
"""``(q_idx, kv_idx) -> bool``: whether queries see keys, of indices that broadcast. FlexAttention calls it the same."""


@dataclass(frozen=True, eq=False)
class Layout:
    """Which keys the blocks of queries of one row see."""

    block: int
    """Queries of a block."""
    table: Tensor
    """``(blocks, width)`` indices of keys, each at most once in a row; -1 fills up."""
    mask_mod: MaskMod
    """Which of these keys a query sees, before the mask's `causal`, `lengths` and `keep`."""


def attend_blocks(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    layout: Layout,
    allowed: MaskMod,
    *,
    bias: Tensor | None = None,
    scale: float | None = None,
) -> Tensor:
    """Attention of one row ``(heads, n, d)``, n from 1, in time O(n width d) with the table's width.

    A query sees a key if `layout` and `allowed` both say so. There may be more keys than queries. `bias` ``(keys,)`` is
    added to the logits; it gets no gradient.
    """
    import torch
    import torch.nn.functional as functional

    n = query.shape[1]
    (blocks, width), b = layout.table.shape, layout.block
    queries = functional.pad(query, (0, 0, 0, blocks * b - n)).unflatten(1, (blocks, b)).transpose(0, 1)
    of_blocks = _positions(blocks, b, query.device)[:, :, None]
    parts = []
    step = max(1, KEYS_PER_CALL // width)
    for first in range(0, blocks, step):
        table = layout.table[first : first + step, None, :]
        kv_idx = table.clamp(min=0)
        q_idx = of_blocks[first : first + step].clamp(max=n - 1)
        seen = (table >= 0) & layout.mask_mod(q_idx, kv_idx) & allowed(q_idx, kv_idx)
        k, v = (
            each.index_select(1, kv_idx.flatten()).unflatten(1, (-1, width)).transpose(0, 1)
            for each in (key, value)
        )
        seen = seen.expand(-1, b, -1)
        if bias is not None:
            seen = bias[kv_idx].masked_fill(~seen, -math.inf)
        parts.append(fused(queries[first : first + step], k, v, seen[:, None], scale=scale))
    found = torch.cat(parts)  # (blocks, heads, b, e)
    return found.transpose(0, 1).flatten(1, 2)[:, :n]


def attend_globally(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    global_idx: Tensor,
    allowed: MaskMod,
    result: Tensor,
    *,
    scale: float | None = None,
) -> Tensor:
    """`result` of one row ``(heads, n, e)``, but that of the queries `global_idx` replaced: they attend to all keys."""
    import torch

    if not len(global_idx):
        return result
    seen = allowed(global_idx[:, None], torch.arange(key.shape[1], device=key.device)[None, :])
    seen = seen.expand(len(global_idx), key.shape[1])
    found = fused(query[None, :, global_idx], key[None], value[None], seen[None, None], scale=scale)[0]
    return result.index_copy(1, global_idx, found)


def mask_mods(mask: Mask, n: int, device: torch.device) -> Callable[[int], MaskMod]:
    """By row of the batch, the predicate of `causal`, `lengths` and `keep`, without window and global tokens."""
    import torch

    documents = mask.documents(n, device)
    keep = None if mask.keep is None else mask.keep.to(device)

    def mask_mod_of(row: int) -> MaskMod:
        def allowed(q_idx: Tensor, kv_idx: Tensor) -> Tensor:
            seen = kv_idx <= q_idx if mask.causal else torch.ones_like(kv_idx, dtype=torch.bool)
            if documents is not None:
                document = documents[row if len(documents) > 1 else 0]
                seen = seen & (document[q_idx] == document[kv_idx])
            return seen if keep is None else seen & keep[row][kv_idx]

        return allowed

    return mask_mod_of


def band_table(n: int, b: int, left: int, right: int, device: torch.device) -> Tensor:
    """The table ``(blocks, left + b + right)`` of a sliding window."""
    import torch

    kv_idx = _positions(-(-n // b), b, device)[:, :1] + torch.arange(-left, b + right, device=device)
    return kv_idx.masked_fill((kv_idx < 0) | (kv_idx >= n), -1)


def extend_table(table: Tensor, extra: Tensor) -> Tensor:
    """The table of a sliding window with the keys `extra` ``(blocks or 1, keys)`` added, without duplicates."""
    import torch

    extra = extra.expand(len(table), -1)
    last = table.amax(1, keepdim=True)
    first = table.masked_fill(table < 0, last.amax()).amin(1, keepdim=True)
    return torch.cat([table, extra.masked_fill((extra >= first) & (extra <= last), -1)], dim=1)


def attend_block_sparse(
    query: Tensor, key: Tensor, value: Tensor, mask: Mask, chosen: Tensor, b: int, *, scale: float | None
) -> Tensor:
    """Block-sparse attention: `chosen` ``(blocks, blocks)`` bool says which blocks of b tokens see which, under `mask`.

    Blocks that see all others would widen the table for every block, so they are computed separately.
    """
    import torch

    n = key.shape[2]
    b = min(b, n)  # a row of a single block needs no more
    key, value = without_padding(mask, key, value)
    full = chosen.all(1)
    same = torch.eye(len(chosen), dtype=torch.bool, device=chosen.device)
    layout = Layout(b, block_table(chosen & (same | ~full[:, None]), n, b), _always)
    global_idx = full.repeat_interleave(b)[:n].nonzero()[:, 0]
    allowed = mask_mods(mask, n, query.device)
    rows = []
    for row, (q, k, v) in enumerate(zip(query, key, value, strict=True)):
        found = attend_blocks(q, k, v, layout, allowed(row), scale=scale)
        rows.append(attend_globally(q, k, v, global_idx, allowed(row), found, scale=scale))
    return torch.stack(rows)


def token_mask(chosen: Tensor, n: int, b: int, mask: Mask | None) -> Tensor:
    """Which key each query sees ``(n, n)`` bool, from a pattern of blocks and a mask of one row."""
    b = min(b, n)
    seen = chosen.repeat_interleave(b, 0).repeat_interleave(b, 1)[:n, :n]
    rest = None if mask is None else mask.allowed(1, n, n, chosen.device)
    return seen if rest is None else seen & rest[0]


def block_table(chosen: Tensor, n: int, b: int) -> Tensor:
    """Which block each block sees ``(blocks, blocks)`` bool -> the narrowest table of their keys."""
    import torch

    most = int(chosen.sum(1).max())
    order = chosen.int().sort(dim=1, descending=True, stable=True).indices[:, :most]
    kv_idx = (order[..., None] * b + torch.arange(b, device=chosen.device)).flatten(1)
    seen = chosen.gather(1, order).repeat_interleave(b, dim=1) & (kv_idx < n)
    return kv_idx.masked_fill(~seen, -1)


def block_size(window: int, n: int, given: int | None, most: int = MAX_BLOCK) -> int:
    """Queries of a block, at most n: as given, or half of the window, but from 32 to `most`."""
    if given is not None and given < 1:
        raise SpecError(f"block is {given}", "give 1 or more")
    return min(n, max(MIN_BLOCK, min(most, window // 2)) if given is None else given)


def same_length(name: str, query: Tensor, key: Tensor) -> int:
    """The common length of queries and keys; `SpecError` if they differ."""
    if query.shape[2] != key.shape[2]:
        raise SpecError(
            f"{name} got {query.shape[2]} queries of {key.shape[2]} keys", "give as many, or use dot_product"
        )
    return int(key.shape[2])


def _positions(blocks: int, b: int, device: torch.device) -> Tensor:
    import torch

    return torch.arange(blocks * b, device=device).reshape(blocks, b)


def _always(q_idx: Tensor, kv_idx: Tensor) -> Tensor:
    import torch

    return torch.ones_like(kv_idx, dtype=torch.bool)
