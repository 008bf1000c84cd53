"""Kernelised (linear) attention: weights φ(q)·φ(k) with positive features φ, in time linear in n.

The sums over keys of φ(k) vᵀ and of φ(k) are computed once and serve all queries. Features are given as logarithms and
rescaled in two ways that cancel in the result: each feature by its maximum over the keys (φ(k) is divided by it, φ(q)
multiplied), and each query by its largest product. So the denominator is at least 1 whatever the inputs, and needs no
epsilon, which would bias the result.

Under causal, keys are processed in chunks: a query gets the sums over all earlier chunks, and the weights of the keys
in its own chunk one by one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ragembed.encoder.attention.kernels import without_padding

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from ragembed.encoder.attention.mask import Mask

HONOURS = frozenset({"causal", "keep", "lengths"})
"""Conditions that sums over keys can obey: those on which keys are seen, not on how near they are."""
CHUNK = 64
"""Keys of a chunk under causal."""
_MAX_RISE = 30.0
"""How much the logarithm of a feature may rise within a chunk; if one rises more, the chunk is halved."""


def attend(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: Mask,
    log_features: Callable[[Tensor], Tensor],
    chunk: int = CHUNK,
) -> Tensor:
    """The mean of the values with weights φ(q)·φ(k) ``(batch, heads, m, e)``; a query that sees no key gets 0.

    Args:
        query: ``(batch, heads, m, d)``.
        key: ``(batch, kv_heads, n, d)``.
        value: ``(batch, kv_heads, n, e)``.
        mask: With no other conditions than causal, keep and lengths.
        log_features: log φ, ``(..., d)`` -> ``(..., r)``; called in float32 or float64.
        chunk: Keys of a chunk under causal.
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
    v = functional.pad(value.to(precise), (0, 1), value=1.0)  # the ones sum up to the denominator
    sums = _by_documents(q, k[:, :, None], v[:, :, None], mask.documents(n, k.device), mask.causal, chunk)
    numerator, denominator = sums[..., :-1], sums[..., -1:]
    return (numerator / denominator.masked_fill(denominator == 0, 1)).flatten(1, 2).to(query.dtype)


def _by_documents(
    q: Tensor, k: Tensor, v: Tensor, documents: Tensor | None, causal: bool, chunk: int
) -> Tensor:
    """Sums for q ``(batch, kv_heads, group, m, r)`` over k ``(batch, kv_heads, 1, n, r)``, within documents."""
    import torch

    sums = _causal if causal else _bidirectional
    if documents is None:
        return sums(q, k, v, chunk)
    if len(documents) > 1:
        rows = zip(q.split(1), k.split(1), v.split(1), documents.split(1), strict=True)
        return torch.cat([_by_documents(a, b, c, own, causal, chunk) for a, b, c, own in rows])
    lengths = torch.unique_consecutive(documents[0], return_counts=True)[1].tolist()
    pieces = zip(q.split(lengths, 3), k.split(lengths, 3), v.split(lengths, 3), strict=True)
    return torch.cat([sums(a, b, c, chunk) for a, b, c in pieces], dim=3)


def _bidirectional(q: Tensor, k: Tensor, v: Tensor, chunk: int) -> Tensor:
    """Sums for all queries over all keys."""
    feature_max = _feature_max(k)
    offset = _finite(feature_max)
    scaled_q = q + offset
    phi_q = scaled_q.sub_(_row_max(scaled_q)).exp_()  # in place: no gradient needs the old values
    return phi_q @ ((k - offset).exp_().transpose(-1, -2) @ v)


def _causal(q: Tensor, k: Tensor, v: Tensor, chunk: int) -> Tensor:
    """Sums for each query over the keys up to its position; the last query and the last key are aligned."""
    import torch
    import torch.nn.functional as functional

    m, n = q.shape[3], k.shape[3]
    before = max(0, n - m)
    feature_max = _feature_max(k[..., :before, :])  # (batch, kv_heads, 1, 1, r), so far
    state = (k[..., :before, :] - _finite(feature_max)).exp().transpose(-1, -2) @ v[..., :before, :]
    # queries before the first key see nothing
    parts = [functional.pad(q[..., : max(0, m - n), :1] * 0, (0, v.shape[-1] - 1))]
    first = before
    while first < n:
        running_max = torch.maximum(
            k[..., first : first + chunk, :].detach().cummax(dim=3).values, feature_max
        )
        while running_max.shape[3] > 1 and not _fits_float32(running_max):
            running_max = running_max[..., : running_max.shape[3] // 2, :]
        keys = slice(first, first + running_max.shape[3])
        values, last = v[..., keys, :], running_max[..., -1:, :]
        offset = _finite(last)
        scaled_q = q[..., keys.start + m - n : keys.stop + m - n, :]
        row_max = _row_max(scaled_q + torch.where(running_max.isneginf(), offset, running_max))
        phi_q = (scaled_q + offset).sub_(row_max).exp_()
        phi_k = (k[..., keys, :] - offset).exp_()
        state = state * (feature_max - offset).exp().transpose(-1, -2)
        parts.append((phi_q @ phi_k.transpose(-1, -2)).tril() @ values + phi_q @ state)
        state, feature_max, first = state + phi_k.transpose(-1, -2) @ values, last, keys.stop
    return torch.cat(parts, dim=3)


def _fits_float32(running_max: Tensor) -> bool:
    """Whether no feature rises so much that the products of earlier queries underflow in float32."""
    # infinite for queries that see no key, which have no products
    rise = running_max[..., -1:, :] - running_max
    return bool(((rise <= _MAX_RISE) | running_max.isneginf()).all())


def _feature_max(k: Tensor) -> Tensor:
    """Each feature's maximum over the keys, minus infinity without keys; without a gradient, since it cancels."""
    if k.shape[3] == 0:
        return k.new_full((*k.shape[:3], 1, k.shape[4]), -float("inf"))
    return k.detach().amax(dim=3, keepdim=True)


def _row_max(products: Tensor) -> Tensor:
    return products.detach().amax(dim=-1, keepdim=True)


def _finite(feature_max: Tensor) -> Tensor:
    return feature_max.masked_fill(feature_max.isneginf(), 0)
