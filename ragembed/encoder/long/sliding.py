"""A model of short texts on long ones: attention in a window as wide as a text that it knows, positions repeated.

So Longformer was made from RoBERTa (Beltagy, Peters & Cohan 2020, section 5), before it was trained further; nothing is
trained here. Texts that the model takes whole never come this way: their vectors stay what they were.
"""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor

from ragembed.encoder.attention.local.longformer import Longformer
from ragembed.encoder.attention.mask import Mask
from ragembed.encoder.long.swap_attention import shallow_copy, swap_attention
from ragembed.encoder.model import Attention, Encoder
from ragembed.encoder.packing import Packing
from ragembed.encoder.pooling import Pooling
from ragembed.errors import EmbeddingError


class Sliding:
    """An encoder of texts of any length, in time and memory linear in it."""

    def __init__(self, encoder: Encoder, longest: int) -> None:
        """`longest`: tokens of the longest text that the model takes whole."""
        config = encoder.config
        if config.causal:
            raise EmbeddingError("long=sliding is for models that look both ways", "use long=stream")
        if config.relative_buckets:
            raise EmbeddingError(
                "long=sliding does not know biases that depend on distance, as this model has them",
                "use long=windows",
            )
        side = longest // 2
        self.longest, self.repeats = longest, config.positions == "learned"
        self.encoder = swap_attention(encoder, lambda _, attention: _slide(attention, side))

    def pooled(self, ids: Tensor, pool: Pooling) -> Tensor:
        """Ids of one text ``(n,)`` -> its vector ``(D,)`` in float32."""
        packing = Packing.of([len(ids)], ids.device)
        return pool(self.tokens(ids, packing).float(), packing)[0]

    def tokens(self, ids: Tensor, packing: Packing) -> Tensor:
        """Ids ``(T,)`` -> vectors ``(T, D)``."""
        if self.repeats:
            packing = replace(packing, positions=packing.positions % self.longest)
        found: Tensor = self.encoder(ids, packing)
        return found


class SlidingAttention(Attention):
    """In a window, and to and from the first token, a special one: models lean on it, wherever they look."""

    def attend(self, q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None) -> Tensor:
        """Of texts of one length ``(texts, heads, length, d)``."""
        return Longformer().attend(q, k, v, Mask(window=self.window, global_tokens=[0]), scale=self.scale)


def _slide(attention: Attention, side: int) -> Attention:
    """Layers that have a window of their own keep it."""
    if attention.window is not None and max(attention.window) <= side:
        return attention
    found = shallow_copy(attention, SlidingAttention)
    found.window = (side, side)
    return found
