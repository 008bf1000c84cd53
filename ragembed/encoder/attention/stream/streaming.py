"""Attention over a stream, token by token or chunk by chunk, with a cache of past keys and values.

Each token of a chunk sees what it would see if the tokens came one by one.

    cache = RollingCache(4096)
    for query, key, value in chunks:  # (batch, heads, m, d); keys and values may have fewer heads
        result = attend(cache, query, key, value, rotate=rotate)  # the shape of the query

This is for inference: there are no gradients.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from ragembed.encoder.attention.kernels import fused
from ragembed.encoder.attention.mechanism import check_tensors
from ragembed.encoder.attention.options import check_call
from ragembed.encoder.attention.stream.cache import Cache, SinkCache
from ragembed.errors import SpecError

if TYPE_CHECKING:
    from torch import Tensor

Rotate = Callable[["Tensor", "Tensor"], "Tensor"]
"""A tensor ``(batch, heads, m, d)`` and positions ``(m,)`` -> the rotated tensor."""


def attend(
    cache: Cache,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    *,
    rotate: Rotate | None = None,
    scale: float | None = None,
    chunk: int = 1024,
) -> Tensor:
    """Append m tokens to `cache`, and attend from each to all that it sees: cached tokens and the m up to itself.

    Args:
        cache: Keys and values of past tokens; it is modified.
        query: ``(batch, heads, m, d)``, before any rotation.
        key: ``(batch, kv_heads, m, d)``, before any rotation; kv_heads divides heads.
        value: ``(batch, kv_heads, m, d)``.
        rotate: Applies positions to queries and keys, such that products depend on distances alone, as with RoPE; None:
            queries and keys are used as they are.
        scale: Of the inner products; None: 1 / sqrt(d).
        chunk: Longer inputs are processed in chunks of this many tokens, which bounds memory and changes no result.

    Returns:
        ``(batch, heads, m, d)``: softmax attention, exact over the tokens seen.

    Raises:
        SpecError: Shapes or types do not fit one another or the cache.
    """
    import torch

    check_tensors(query, key, value)
    cache.check(key, value)
    if query.shape[2] != key.shape[2]:
        raise SpecError(
            f"there are {query.shape[2]} queries and {key.shape[2]} keys",
            "give one of each for every new token",
        )
    check_call(attend, scale=scale, chunk=chunk)
    if chunk < 1:
        raise SpecError(f"chunk is {chunk}", "give 1 or more")
    if rotate is not None:  # one that cannot rotate these says so before the cache changes
        rotate(key[:, :, :0], torch.arange(0, device=key.device))
    with torch.no_grad():
        chunks = zip(*(each.split(chunk, dim=2) for each in (query, key, value)), strict=True)
        return torch.cat([_attend_chunk(cache, q, k, v, rotate, scale) for q, k, v in chunks], dim=2)


def _attend_chunk(
    cache: Cache, query: Tensor, key: Tensor, value: Tensor, rotate: Rotate | None, scale: float | None
) -> Tensor:
    import torch

    m, first = query.shape[2], cache.length
    at = torch.arange(first, first + m, device=query.device)
    if rotate is not None and not isinstance(cache, SinkCache):
        query, key = rotate(query, at), rotate(key, at)
    keeps = cache.keeps(m)
    keys, values, slots = key, value, at
    if not keeps and first:  # the first of the m see tokens that the last of them evict
        held = cache.view()
        keys, values = (torch.cat(pair, dim=2) for pair in zip(held[:2], (key, value), strict=True))
        slots = torch.cat([held[2], at])
    cache.append(key, value)
    if keeps:
        keys, values, slots = cache.view()
    allowed = None if m == 1 else cache.sees(at, slots)[None, None]
    if rotate is not None and isinstance(cache, SinkCache):
        return _attend_by_cache_index(cache, query, keys, values, (at, slots), allowed, rotate, scale)
    return fused(query, keys, values, allowed, scale=scale)


def _attend_by_cache_index(
    cache: SinkCache,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    positions: tuple[Tensor, Tensor],
    allowed: Tensor | None,
    rotate: Rotate,
    scale: float | None,
) -> Tensor:
    """Attention with rotations by index within the cache, for each query as if it came alone.

    Distances to recent tokens are those in the text, but distances to sinks stop growing with the length of the cache.
    A chunk of queries needs both, so each query is rotated twice and concatenated: (q for recent, q for sinks), against
    keys (k, 0) of recent tokens and (0, k) of sinks.
    """
    import torch
    import torch.nn.functional as functional

    (at, slots), d, e, full = positions, query.shape[3], value.shape[3], cache.sinks + cache.recent
    first = cache.length - len(at)
    near, key = rotate(query, cache.cache_index(at, first)), rotate(key, cache.cache_index(slots, first))
    if len(at) <= 1 or cache.length <= full or not cache.sinks:
        return fused(near, key, value, allowed, scale=scale)
    sink = (slots < cache.sinks)[:, None]
    query = torch.cat([near, rotate(query, at.clamp(max=full - 1))], dim=3)
    key = torch.cat([key.masked_fill(sink, 0), key.masked_fill(~sink, 0)], dim=3)
    value = functional.pad(value, (0, d))  # the fused kernel wants values as wide as keys
    return fused(query, key, value, allowed, scale=1 / math.sqrt(d) if scale is None else scale)[..., :e]
