"""PyTorch's fused kernels as everything here calls them, and results over parts of the keys made one.

What is known of them (torch 2.13, CPU): inputs of three dimensions, a value wider than the key, a mask that needs a
gradient or a last dimension with a stride other than 1 fall back to a slow kernel without a word; the raw operation is
wrong for such strides, and gives a row that sees nothing a sum of 0 instead of minus infinity.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from ragembed.encoder.attention.mask import Mask


def fused(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    allowed: Tensor | None = None,
    *,
    causal: bool = False,
    scale: float | None = None,
) -> Tensor:
    """Exact attention; `allowed` ``(1 or batch, 1 or heads, m, n)`` bool, or `causal`, of as many queries as keys.

    A row that sees nothing is 0.
    """
    from torch.nn.functional import scaled_dot_product_attention as attend

    groups = query.shape[1] // key.shape[1]
    query, key, value = _dense(query), _dense(key), _dense(value)
    if groups == 1 or causal:
        return attend(
            query, key, value, attn_mask=allowed, is_causal=causal, scale=scale, enable_gqa=groups > 1
        )
    if allowed is not None and allowed.shape[1] > 1:
        return attend(query, key, value, attn_mask=allowed, scale=scale, enable_gqa=True)
    if allowed is not None:
        allowed = allowed.expand(-1, -1, query.shape[2], -1).repeat(1, 1, groups, 1)
    found = attend(fold(query, key.shape[1]), key, value, attn_mask=allowed, scale=scale)
    return unfold(found, query.shape[1])


def fold(query: Tensor, kv_heads: int) -> Tensor:
    """Query heads that share a key head as more rows of it: ``(b, h, m, d)`` -> ``(b, kv_heads, h / kv_heads * m, d)``.

    A third of the time of ``enable_gqa`` on a CPU where there is one query, for each key is read once.
    """
    batch, heads, m, d = query.shape
    return query.reshape(batch, kv_heads, heads // kv_heads * m, d)


def unfold(result: Tensor, heads: int) -> Tensor:
    """What `fold` did, undone."""
    batch, kv_heads, rows, d = result.shape
    return result.reshape(batch, heads, rows * kv_heads // heads, d)


def merge(parts: list[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    """One result of several over disjoint keys, from ``(result, lse)`` of each; float32 at least."""
    import torch

    lses = torch.stack([lse for _, lse in parts])
    lse = torch.logsumexp(lses, dim=0)
    dead = torch.isneginf(lse)
    weights = torch.exp(lses - lse.masked_fill(dead, 0))
    result = sum(
        weight[..., None] * part.to(weight.dtype) for weight, (part, _) in zip(weights, parts, strict=True)
    )
    assert isinstance(result, torch.Tensor)
    return result, lse.masked_fill(dead, -math.inf)


def without_padding(mask: Mask, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
    """Zeros for keys that are padding: what stands there may be NaN, and 0 times NaN is NaN."""
    if mask.keep is None:
        return key, value
    padding = ~mask.keep.to(key.device)[:, None, :, None]
    return key.masked_fill(padding, 0), value.masked_fill(padding, 0)


def _dense(each: Tensor) -> Tensor:
    return each if each.stride(-1) == 1 else each.contiguous()
