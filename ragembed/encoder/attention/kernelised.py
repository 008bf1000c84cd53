"""Attention whose weights are inner products of positive features, in time that grows with n.

With weights φ(q)·φ(k), the sums over keys of φ(k) vᵀ and of φ(k) are made once and serve all queries. Features come as
logarithms. Each feature is divided by its largest value among the keys, which the query's share makes good, and each
query by its largest product of all: the sum that divides the result is 1 at least, whatever the inputs, and no constant
has to be added to it, which would bias it.

Causal, keys go in chunks: a query sees the sums of all chunks before its own, and the keys of its own one by one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ragembed.encoder.attention.kernels import without_padding

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from ragembed.encoder.attention.mask import Mask

HONOURS = frozenset({"causal", "keep", "lengths"})
"""What can be obeyed by sums over keys: which keys, not how near."""
CHUNK = 64
"""Keys of a chunk."""
_SAFE = 30.0
"""How far, in logarithms, a feature may rise within a chunk; where it rises further, the chunk is cut in two."""


def attend(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: Mask,
    log_features: Callable[[Tensor], Tensor],
    chunk: int = CHUNK,
) -> Tensor:
    """The mean of values by weights φ(q)·φ(k) ``(batch, heads, m, e)``; a query that sees no key has 0.

    Args:
        query: ``(batch, heads, m, d)``.
        key: ``(batch, kv_heads, n, d)``.
        value: ``(batch, kv_heads, n, e)``.
        mask: causal, keep and lengths.
        log_features: log φ, ``(..., d)`` -> ``(..., r)``; it gets float32 at least.
        chunk: keys taken together where it is causal.
    """
    import torch
    import torch.nn.functional as functional

    heads, kv_heads, n = query.shape[1], key.shape[1], key.shape[2]
    precise = torch.promote_types(query.dtype, torch.float32)
    key, value = without_padding(mask, key, value)
    q = log_features(query.to(precise)).unflatten(1, (kv_heads, heads // kv_heads))
    k = log_features(key.to(precise))
    if mask.keep is not None:
        k = k.masked_fill(~mask.keep.to(k.device)[:, None, :, None], -torch.inf)
    v = functional.pad(value.to(precise), (0, 1), value=1.0)  # the ones sum up to what divides
    found = _by_documents(q, k[:, :, None], v[:, :, None], mask.documents(n, k.device), mask.causal, chunk)
    sums, total = found[..., :-1], found[..., -1:]
    return (sums / total.masked_fill(total == 0, 1)).flatten(1, 2).to(query.dtype)


def _by_documents(
    q: Tensor, k: Tensor, v: Tensor, documents: Tensor | None, causal: bool, chunk: int
) -> Tensor:
    """Sums for q ``(batch, kv_heads, group, m, r)`` over k ``(batch, kv_heads, 1, n, r)``, within documents."""
    import torch

    one = _causal if causal else _everywhere
    if documents is None or documents.shape[1] == 0:
        return one(q, k, v, chunk)
    if len(documents) > 1:
        rows = zip(q.split(1), k.split(1), v.split(1), documents.split(1), strict=True)
        return torch.cat([_by_documents(a, b, c, own, causal, chunk) for a, b, c, own in rows])
    lengths = torch.unique_consecutive(documents[0], return_counts=True)[1].tolist()
    pieces = zip(q.split(lengths, 3), k.split(lengths, 3), v.split(lengths, 3), strict=True)
    return torch.cat([one(a, b, c, chunk) for a, b, c in pieces], dim=3)


def _everywhere(q: Tensor, k: Tensor, v: Tensor, chunk: int) -> Tensor:
    """All queries over all keys."""
    top = _top(k)
    safe = _finite(top)
    asks = q + safe
    shares = asks.sub_(_most(asks)).exp_()  # in place, as no gradient needs what was there
    return shares @ ((k - safe).exp_().transpose(-1, -2) @ v)


def _causal(q: Tensor, k: Tensor, v: Tensor, chunk: int) -> Tensor:
    """Each query over the keys up to its place; queries and keys end together."""
    import torch
    import torch.nn.functional as functional

    m, n = q.shape[3], k.shape[3]
    before = max(0, n - m)
    top = _top(k[..., :before, :])  # (batch, kv_heads, 1, 1, r): the largest of each feature so far
    state = (k[..., :before, :] - _finite(top)).exp().transpose(-1, -2) @ v[..., :before, :]
    parts = [functional.pad(q[..., : max(0, m - n), :1] * 0, (0, v.shape[-1] - 1))]  # before the first key
    first = before
    while first < n:
        so_far = torch.maximum(k[..., first : first + chunk, :].detach().cummax(dim=3).values, top)
        while so_far.shape[3] > 1 and not _near(so_far):
            so_far = so_far[..., : so_far.shape[3] // 2, :]
        keys = slice(first, first + so_far.shape[3])
        values, last = v[..., keys, :], so_far[..., -1:, :]
        safe = _finite(last)
        asks = q[..., keys.start + m - n : keys.stop + m - n, :]
        most = _most(asks + torch.where(so_far.isneginf(), safe, so_far))
        shares = (asks + safe).sub_(most).exp_()
        seen = (k[..., keys, :] - safe).exp_()
        state = state * (top - safe).exp().transpose(-1, -2)
        parts.append((shares @ seen.transpose(-1, -2)).tril() @ values + shares @ state)
        state, top, first = state + seen.transpose(-1, -2) @ values, last, keys.stop
    return torch.cat(parts, dim=3)


def _near(so_far: Tensor) -> bool:
    """Whether no feature rises so far that float32 loses the products of a query that came before."""
    rise = so_far[..., -1:, :] - so_far  # infinite for queries that have seen no key: they have no products
    return bool(((rise <= _SAFE) | so_far.isneginf()).all())


def _top(k: Tensor) -> Tensor:
    """The largest of each feature among the keys; minus infinity where there is none. No gradient: it cancels."""
    if k.shape[3] == 0:
        return k.new_full((*k.shape[:3], 1, k.shape[4]), -float("inf"))
    return k.detach().amax(dim=3, keepdim=True)


def _most(products: Tensor) -> Tensor:
    return products.detach().amax(dim=-1, keepdim=True)


def _finite(top: Tensor) -> Tensor:
    return top.masked_fill(top.isneginf(), 0)
