"""Attention of long texts in bfloat16 on a CPU: `short_attention` by tiles of queries and keys.

The weights of a tile fit the cache. Sums over tiles are kept in float32. With a window, tiles that nobody sees are left
out, so that time is linear in the length.
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor

from ragembed.encoder.short_attention import LONGEST, SAFE

_QUERIES = 128
_KEYS = 512


def attend(
    q: Tensor, k: Tensor, v: Tensor, window: tuple[int, int] | None, causal: bool, scale: float | None
) -> Tensor | None:
    """``(texts, H, n, d)`` and keys and values with K heads, K a divisor of H -> ``(texts, H, n, d)``.

    `window`: keys to the left and right that a query sees. None where exponentials overflow or vanish, since no maximum
    is subtracted from the logits: then another kernel has to do it.
    """
    texts, heads, n, d = q.shape
    scale = 1 / math.sqrt(d) if scale is None else scale
    left, right = (n, n) if window is None else window
    right = 0 if causal else right
    groups = heads // k.shape[1]
    if groups > 1:
        k, v = k.repeat_interleave(groups, dim=1), v.repeat_interleave(groups, dim=1)
    out = q.new_empty(texts, n, heads, v.shape[3])
    for text in range(texts):
        keys, values = k[text].transpose(1, 2).contiguous(), v[text].contiguous()  # (H, d, n), (H, n, d)
        for first in range(0, n, _QUERIES):
            last = min(n, first + _QUERIES)
            tile = (q[text, :, first:last] * scale).contiguous()  # (H, m, d)
            found = _tile(tile, keys, values, first, (left, right))
            if found is None:
                return None
            out[text, first:last] = found.transpose(0, 1)
    return out.transpose(1, 2)


def _tile(q: Tensor, keys: Tensor, values: Tensor, first: int, window: tuple[int, int]) -> Tensor | None:
    """Of queries ``(H, m, d)`` from position `first` on -> ``(H, m, d)`` in float32."""
    heads, m, _ = q.shape
    start, stop = max(0, first - window[0]), min(keys.shape[2], first + m + window[1])
    total = q.new_zeros(heads, m, values.shape[2], dtype=torch.float32)
    mass = q.new_zeros(heads, m, 1, dtype=torch.float32)
    for at in range(start, stop, _KEYS):
        end = min(stop, at + _KEYS)
        weights = torch.matmul(q, keys[:, :, at:end]).exp_()  # (H, m, keys)
        if end - 1 - first > window[1] or first + m - 1 - at > window[0]:
            weights *= _band(m, end - at, at - first, window)
        mass += weights.sum(dim=-1, keepdim=True, dtype=torch.float32)
        total += torch.matmul(weights, values[:, at:end])
    least, most = torch.aminmax(mass)
    return total / mass if least > 1 / SAFE and most < SAFE else None


@lru_cache(64)
def _band(m: int, n: int, shift: int, window: tuple[int, int]) -> Tensor:
    """1 where query i sees key j, which stands j + shift - i behind it, else 0 ``(m, n)``."""
    distance = torch.arange(n) + shift - torch.arange(m)[:, None]
    return ((distance >= -window[0]) & (distance <= window[1])).bfloat16()


def suits(q: Tensor) -> bool:
    """Whether `attend` can take such queries, and is faster."""
    return (
        q.device.type == "cpu"
        and q.dtype == torch.bfloat16
        and q.shape[2] > LONGEST
        and not torch.is_grad_enabled()
    )
