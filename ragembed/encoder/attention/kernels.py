"""PyTorch's fused attention kernels as all mechanisms call them.

What is known of them (torch 2.13, CPU): inputs of three dimensions, a value of another width than the key, a mask that
requires a gradient, and a last dimension whose stride is not 1 fall back silently to a slow kernel. The raw operation
is wrong for such strides, and returns an lse of 0 instead of minus infinity for a row that sees nothing.
"""

from __future__ import annotations

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
    """Exact attention under `allowed` ``(1 or batch, 1 or heads, m, n)`` bool, or under `causal` if m = n.

    A query that sees no key gets 0.
    """
    from torch.nn.functional import scaled_dot_product_attention as attend

    groups = query.shape[1] // key.shape[1]
    query, key, value = _unit_stride(query), _unit_stride(key), _unit_stride(value)
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
    """Query heads that share a key head as rows of one: ``(b, h, m, d)`` -> ``(b, kv_heads, h / kv_heads * m, d)``.

    For one query on a CPU this takes a third of the time of ``enable_gqa``, because each key is read only once.
    """
    batch, heads, m, d = query.shape
    return query.reshape(batch, kv_heads, heads // kv_heads * m, d)


def unfold(result: Tensor, heads: int) -> Tensor:
    """The inverse of `fold`."""
    batch, kv_heads, rows, d = result.shape
    return result.reshape(batch, heads, rows * kv_heads // heads, d)


def without_padding(mask: Mask, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
    """Key and value with zeros in padding, which may hold NaN: a weight of 0 times NaN is NaN."""
    if mask.keep is None:
        return key, value
    padding = ~mask.keep.to(key.device)[:, None, :, None]
    return key.masked_fill(padding, 0), value.masked_fill(padding, 0)


def _unit_stride(each: Tensor) -> Tensor:
    return each if each.stride(-1) == 1 else each.contiguous()
