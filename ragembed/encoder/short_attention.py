"""Attention of short texts in bfloat16 on a CPU, by plain matrix products.

PyTorch's fused attention multiplies bfloat16 no faster than float32 where the processor has no AMX, and a softmax takes
longer than the products around it. For short texts all weights of a few of them fit the cache, so that three steps do:
products, exponentials, products.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ragembed.encoder.attention.kernels import fused

LONGEST = 512
"""Tokens of a text; beyond, the weights of one text do not fit the cache."""
_CACHE = 1 << 20
"""Bytes of weights computed at once: what fits a core's second-level cache."""


def attend(q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None, scale: float | None) -> Tensor:
    """Bidirectional attention of texts of one length ``(texts, heads, n, d)`` in bfloat16 -> the same shape.

    The exponentials are taken without subtracting the largest logit first: bfloat16 has the range of float32. Where
    they overflow or vanish all the same, the fused kernel does the work.
    """
    texts, heads, n, d = q.shape
    scale = 1 / math.sqrt(d) if scale is None else scale
    out = q.new_empty(texts, n, heads, v.shape[3])
    step = max(1, _CACHE // (heads * n * n * q.element_size()))
    for start in range(0, texts, step):
        part = slice(start, start + step)
        weights = torch.matmul((q[part] * scale).contiguous(), k[part].contiguous().transpose(-1, -2))
        if bias is not None:
            weights += bias
        weights.exp_()  # (step, heads, n, n)
        mass = weights.sum(dim=-1, keepdim=True, dtype=torch.float32)
        least, most = torch.aminmax(mass)
        if not (least > 0 and most < math.inf):
            return fused(q, k, v, bias, scale=scale)
        found = torch.matmul(weights, v[part].contiguous())
        out[part] = (found.float() / mass).transpose(1, 2)
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
