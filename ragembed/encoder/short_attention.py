"""Attention of short texts in bfloat16 on a CPU, by plain matrix products.

PyTorch's fused attention multiplies bfloat16 no faster than float32 where the processor has no AMX, and a softmax takes
longer than the products around it. For short texts all weights of a few of them fit the cache, so that three steps do:
products, exponentials, products. In float32 the fused attention is the faster one.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ragembed.encoder.attention.kernels import fused

LONGEST = 512
"""Tokens of a text; beyond, the weights of one text do not fit the cache."""
SAFE = 2.0**64
"""Most that the weights of a row may add up to: their products with values must not overflow either."""
_CACHE = 2 << 20
"""Bytes of weights computed at once: what the caches hold; less than half as much costs more in calls than it saves."""


def attend(q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None, scale: float | None) -> Tensor:
    """Bidirectional attention of texts of one length ``(texts, heads, n, d)`` in bfloat16 -> the same shape.

    The exponentials are taken without subtracting the largest logit first: bfloat16 has the range of float32. Where
    they overflow or vanish all the same, the fused kernel does the work.
    """
    texts, heads, n, d = q.shape
    scale = 1 / math.sqrt(d) if scale is None else scale
    unit = math.log2(math.e)  # powers of two are computed faster than those of e
    out = q.new_empty(texts, n, heads, v.shape[3])
    step = max(1, _CACHE // (heads * n * n * q.element_size()))
    for start in range(0, texts, step):
        part = slice(start, start + step)
        queries, keys, values = (each[part].flatten(0, 1) for each in (q, k, v))  # (step heads, n, d), copied
        weights = torch.baddbmm(q.new_empty(1), queries, keys.transpose(1, 2), beta=0, alpha=scale * unit)
        if bias is not None:
            weights.view(-1, heads, n, n).add_(bias, alpha=unit)
        mass = weights.exp2_().sum(dim=-1, keepdim=True)  # (step heads, n, 1)
        least, most = torch.aminmax(mass)
        if not (least > 1 / SAFE and most < SAFE):
            return fused(q, k, v, bias, scale=scale)
        found = torch.bmm(weights, values)
        whole, mass = (each.view(-1, heads, n, each.shape[2]).transpose(1, 2) for each in (found, mass))
        torch.div(whole, mass, out=out[part])
    return out.transpose(1, 2)


def suits(q: Tensor, k: Tensor) -> bool:
    """Whether `attend` can take these, and is faster."""
    return (
        q.device.type == "cpu"
        and q.dtype == torch.bfloat16
        and q.shape[1] == k.shape[1]
        and q.shape[2] <= LONGEST
        and not torch.is_grad_enabled()
    )
