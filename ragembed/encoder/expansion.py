"""Query expansion by mask tokens that read the query and are not read (Khattab & Zaharia 2020, section 3.2)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as functional
from torch import Tensor

from ragembed.encoder.long.swap_attention import shallow_copy, swap_attention
from ragembed.encoder.model import Attention, Encoder


class ExpansionAttention(Attention):
    """Every token attends to the first ones of its text, so many as are its own."""

    real: Tensor
    """Tokens of each text that are attended to ``(texts,)``; the texts are all of one length."""

    def attend(self, q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None) -> Tensor:
        """Of texts of one length ``(texts, heads, length, d)``."""
        places = torch.arange(k.shape[2], device=k.device)
        allowed = (places < self.real[:, None])[:, None, None, :]  # (texts, 1, 1, length)
        mask = torch.zeros(allowed.shape, dtype=q.dtype, device=q.device).masked_fill(~allowed, -torch.inf)
        if bias is not None:
            mask = mask + bias
        return functional.scaled_dot_product_attention(
            q, k, v, mask, scale=self.scale, enable_gqa=q.shape[1] != k.shape[1]
        )


def expanded(encoder: Encoder, real: Sequence[int], device: torch.device) -> Encoder:
    """`encoder` for one batch of texts of one length, of each of which the first `real` tokens are attended to."""
    sizes = torch.tensor(real, device=device)

    def swapped(_: int, attention: Attention) -> Attention:
        found = shallow_copy(attention, ExpansionAttention)
        found.real = sizes
        return found

    return swap_attention(encoder, swapped)
