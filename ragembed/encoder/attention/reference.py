"""Attention by its definition, in float64 with all weights in memory: the oracle for all exact mechanisms."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ragembed.encoder.attention.mask import Mask

if TYPE_CHECKING:
    from torch import Tensor


def attention(
    query: Tensor, key: Tensor, value: Tensor, mask: Mask | None = None, *, scale: float | None = None
) -> tuple[Tensor, Tensor]:
    """softmax(Q Kᵀ scale) V over the keys that `mask` allows (Vaswani et al. 2017, equation 1).

    Args:
        query: ``(batch, heads, m, d)``.
        key: ``(batch, kv_heads, n, d)``; query head h attends with key head h // (heads / kv_heads).
        value: ``(batch, kv_heads, n, e)``.
        mask: Which keys each query sees; None: all.
        scale: Of the inner products; None: 1 / sqrt(d).

    Returns:
        The result ``(batch, heads, m, e)`` and its lse, the log-sum-exp of the logits, ``(batch, heads, m)``, both
        float64. A query that sees no key has the result 0 and the lse minus infinity.
    """
    import torch

    batch, heads, m, d = query.shape
    n = key.shape[2]
    q, k, v = (each.double() for each in (query, key, value))
    k, v = (each.repeat_interleave(heads // key.shape[1], dim=1) for each in (k, v))
    allowed = (mask or Mask()).allowed(batch, m, n, query.device)
    seen = torch.ones(1, m, n, dtype=torch.bool, device=query.device) if allowed is None else allowed
    seen = seen[:, None]
    if mask is not None and mask.keep is not None:  # a weight of 0 times NaN is NaN
        padding = ~mask.keep.to(query.device)[:, None, :, None]
        k, v = k.masked_fill(padding, 0), v.masked_fill(padding, 0)
    logits = (q @ k.transpose(-1, -2)) * (1 / math.sqrt(d) if scale is None else scale)
    logits = logits.masked_fill(~seen, -math.inf)
    dead = ~seen.any(dim=-1)  # the softmax of a row of minus infinities is undefined
    lse = torch.logsumexp(logits.masked_fill(dead[..., None], 0), dim=-1).masked_fill(dead, -math.inf)
    weights = torch.exp(logits - lse.masked_fill(dead, 0)[..., None])
    return weights @ v, lse
