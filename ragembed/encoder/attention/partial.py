"""Attention over a part of the keys: the result and its lse, both differentiable, to be merged with other parts."""

from __future__ import annotations

import math
from functools import cache
from typing import TYPE_CHECKING, Any

from ragembed.encoder.attention.kernels import fold, unfold

if TYPE_CHECKING:
    from torch import Tensor

DEAD = -1e30
"""The lse of a query that sees no key. Like minus infinity it gives that part no weight in a merge, but unlike it,
its gradient is not NaN."""


def partial(
    query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None, *, causal: bool, scale: float
) -> tuple[Tensor, Tensor]:
    """Result ``(r, g, m, e)`` and lse ``(r, g, m)``, at least in float32, of a query ``(r, g, m, d)`` and g key heads.

    `bias` ``(1 or r, 1 or g, 1 or m, n)`` is added to the logits, minus infinity for keys that are not seen; it gets no
    gradient. With `causal`, m has to be n. On a CPU this is the fused kernel, elsewhere the definition, with all m x n
    weights in memory.
    """
    import torch

    if query.device.type != "cpu":
        return by_definition(query, key, value, bias, causal=causal, scale=scale)
    width = max(query.shape[-1], value.shape[-1])
    out, lse = _function().apply(
        _wider(query, width), _wider(key, width), _wider(value, width), bias, causal, scale
    )
    if bias is not None:  # for a row that sees nothing, the kernel returns an lse of 0
        seen = ~torch.isneginf(bias)
        dead = seen.cumsum(dim=-1)[..., 0, :] == 0 if causal else ~seen.any(dim=-1)
        lse = lse.masked_fill(dead, DEAD)
    return out[..., : value.shape[-1]], lse


def attend(
    query: Tensor, key: Tensor, value: Tensor, allowed: Tensor, *, scale: float | None = None
) -> tuple[Tensor, Tensor]:
    """`kernels.fused` and its lse: ``(r, heads, m, e)`` and ``(r, heads, m)``, at least in float32.

    `allowed` ``(1 or r, 1, m, n)`` bool. As in `partial`, the lse of a query that sees nothing is `DEAD`.
    """
    import torch

    heads, kv_heads = query.shape[1], key.shape[1]
    kind = torch.promote_types(query.dtype, torch.float32)
    bias = torch.zeros(allowed.shape, dtype=kind, device=query.device).masked_fill_(~allowed, -math.inf)
    if heads > kv_heads:
        bias = bias.repeat(1, 1, heads // kv_heads, 1)
    scale = 1 / math.sqrt(query.shape[3]) if scale is None else scale
    out, lse = partial(fold(query, kv_heads), key, value, bias, causal=False, scale=scale)
    return unfold(out, heads), unfold(lse[..., None], heads)[..., 0]


def merge(one: tuple[Tensor, Tensor], other: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """Result and lse over the union of two disjoint sets of keys, from those over each; at least in float32."""
    import torch

    # if both are `DEAD`, their difference is 0, and so are both results
    weight = torch.sigmoid(other[1] - one[1])[..., None]
    result = torch.lerp(one[0].to(weight.dtype), other[0].to(weight.dtype), weight)
    return result, torch.logaddexp(one[1], other[1])


def by_definition(
    query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None, *, causal: bool, scale: float
) -> tuple[Tensor, Tensor]:
    """As `partial`, on any device, with all weights in memory."""
    import torch

    scores = query @ key.transpose(-1, -2) * scale
    scores = scores if scores.dtype == torch.float64 else scores.float()
    if bias is not None:
        scores = scores + bias
    if causal:
        later = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).triu(1)
        scores = scores.masked_fill(later, -math.inf)
    dead = torch.isneginf(scores).all(dim=-1)
    scores = scores.masked_fill(dead[..., None], 0)
    lse = torch.logsumexp(scores, dim=-1)
    weights = torch.exp(scores - lse[..., None]).masked_fill(dead[..., None], 0)
    return weights @ value.to(weights.dtype), lse.masked_fill(dead, DEAD)


def _wider(each: Tensor, width: int, fill: float = 0) -> Tensor:
    import torch.nn.functional as functional

    if each.shape[-1] < width:
        return functional.pad(each, (0, width - each.shape[-1]), value=fill)
    return each if each.stride(-1) == 1 else each.contiguous()


@cache
def _function() -> Any:
    import torch

    forward_of = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
    backward_of = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward

    class Partial(torch.autograd.Function):  # type: ignore[misc]
        @staticmethod
        def forward(
            ctx: Any,
            query: Tensor,
            key: Tensor,
            value: Tensor,
            bias: Tensor | None,
            causal: bool,
            scale: float,
        ) -> tuple[Tensor, Tensor]:
            out, lse = forward_of(query, key, value, 0.0, causal, attn_mask=bias, scale=scale)
            ctx.save_for_backward(query, key, value, out, lse)
            ctx.rest = bias, causal, scale
            return out, lse

        @staticmethod
        @torch.autograd.function.once_differentiable  # type: ignore[untyped-decorator]
        def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
            ctx: Any, d_out: Tensor, d_lse: Tensor
        ) -> tuple[Tensor | None, ...]:
            """The kernel takes no gradient of the lse, so it is passed as that of one more column of the values, all 1.

            The logits' gradient is P (dO · v - dO · out + d_lse). The extra column adds d_lse · 1 to the first product;
            its result, which would be 1, is passed as 0, so that the second product does not subtract it again.
            """
            query, key, value, out, lse = ctx.saved_tensors
            bias, causal, scale = ctx.rest
            d = query.shape[-1]
            wide = (_wider(query, d + 1), _wider(key, d + 1), _wider(value, d + 1, 1), _wider(out, d + 1))
            up = torch.cat([d_out, d_lse[..., None].to(d_out.dtype)], dim=-1)
            found = backward_of(up, *wide, lse, 0.0, causal, attn_mask=bias, scale=scale)
            return (*(each[..., :d] for each in found), None, None, None)

    return Partial
