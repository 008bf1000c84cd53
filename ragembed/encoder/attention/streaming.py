"""Attention over a stream, token by token or chunk by chunk, with a cache of what came before.

Of m new tokens, each sees just what it would see if they came one by one.

    cache = RollingCache(4096)
    for query, key, value in chunks:  # (batch, heads, m, d), keys and values of fewer heads if need be
        result = attend(cache, query, key, value, rotate=rope)  # the shape of the query

No gradient passes: this is for inference.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from ragembed.encoder.attention.cache import Cache, SinkCache
from ragembed.encoder.attention.kernels import fused
from ragembed.encoder.attention.mechanism import check_tensors
from ragembed.errors import SpecError

if TYPE_CHECKING:
    from torch import Tensor

Rotate = Callable[["Tensor", "Tensor"], "Tensor"]
"""Tensors ``(batch, heads, m, d)`` and positions ``(m,)`` -> the tensors rotated."""


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
    """Append m tokens to `cache`, and let each attend to all it sees: those held, and those of the m up to itself.

    Args:
        cache: What came before; it is changed.
        query: ``(batch, heads, m, d)``, before any rotation.
        key: ``(batch, kv_heads, m, d)``, before any rotation; kv_heads divides heads.
        value: ``(batch, kv_heads, m, d)``.
        rotate: Rotates queries and keys by their positions, so that products depend on distances alone, as RoPE does;
            None: keys come as they shall be stored.
        scale: Of the inner products; None: 1 / sqrt(d).
        chunk: Longer inputs go in pieces of that many tokens, which bounds memory and changes no result.

    Returns:
        ``(batch, heads, m, d)``. Exact: that of softmax attention over the tokens seen.

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
    if chunk < 1:
        raise SpecError(f"chunk is {chunk}", "give 1 or more")
    with torch.no_grad():
        pieces = zip(*(each.split(chunk, dim=2) for each in (query, key, value)), strict=True)
        return torch.cat([_piece(cache, q, k, v, rotate, scale) for q, k, v in pieces], dim=2)


def _piece(
    cache: Cache, query: Tensor, key: Tensor, value: Tensor, rotate: Rotate | None, scale: float | None
) -> Tensor:
    import torch

    m, first = query.shape[2], cache.length
    at = torch.arange(first, first + m, device=query.device)
    if rotate is not None and not isinstance(cache, SinkCache):
        query, key = rotate(query, at), rotate(key, at)
    keeps = cache.keeps(m)
    keys, values, slots = key, value, at
    if not keeps and first:  # the first of the m still see some that the last push out
        held = cache.view()
        keys, values = (torch.cat(pair, dim=2) for pair in zip(held[:2], (key, value), strict=True))
        slots = torch.cat([held[2], at])
    cache.append(key, value)
    if keeps:
        keys, values, slots = cache.view()
    allowed = None if m == 1 else cache.sees(at, slots)[None, None]
    if rotate is not None and isinstance(cache, SinkCache):
        return _attend_by_place(cache, query, keys, values, (at, slots), allowed, rotate, scale)
    return fused(query, keys, values, allowed, scale=scale)


def _attend_by_place(
    cache: SinkCache,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    positions: tuple[Tensor, Tensor],
    allowed: Tensor | None,
    rotate: Rotate,
    scale: float | None,
) -> Tensor:
    """Each query as if alone: from where it stands, the sinks never get farther than the cache is long.

    Distances to recent tokens are those of the text, but those to sinks stop growing. Where both occur in one chunk,
    queries are rotated for each, and lie side by side: (q for recent, q for sinks) times (k, 0) or (0, k).
    """
    import torch
    import torch.nn.functional as functional

    (at, slots), d, e, full = positions, query.shape[3], value.shape[3], cache.sinks + cache.recent
    first = cache.length - len(at)
    near, key = rotate(query, cache.places(at, first)), rotate(key, cache.places(slots, first))
    if len(at) <= 1 or cache.length <= full or not cache.sinks:
        return fused(near, key, value, allowed, scale=scale)
    sink = (slots < cache.sinks)[:, None]
    query = torch.cat([near, rotate(query, at.clamp(max=full - 1))], dim=3)
    key = torch.cat([key.masked_fill(sink, 0), key.masked_fill(~sink, 0)], dim=3)
    value = functional.pad(value, (0, d))  # the fused kernel wants values as wide as keys
    return fused(query, key, value, allowed, scale=1 / math.sqrt(d) if scale is None else scale)[..., :e]
