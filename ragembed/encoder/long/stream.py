"""A causal model that reads a text of any length block by block, in constant memory.

Each layer keeps the keys and values of the newest tokens, and of the first few, on which attention rests (Xiao et al.
2023, StreamingLLM). While a text fits the cache, its vectors are those of the whole text at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor

from ragembed.encoder import pooling
from ragembed.encoder.attention.stream.cache import Cache, RollingCache, SinkCache
from ragembed.encoder.attention.stream.streaming import attend
from ragembed.encoder.config import Rope
from ragembed.encoder.long.swap_attention import shallow_copy, swap_attention
from ragembed.encoder.model import Attention, Encoder, Rotation
from ragembed.encoder.packing import Packing
from ragembed.encoder.pooling import Behind, Pooling
from ragembed.encoder.positions import rope
from ragembed.errors import EmbeddingError

SINKS = 4
"""First tokens that stay in the cache, as in the paper."""
BLOCK = 1024
"""Tokens read at once."""


class Stream:
    """Reads texts with a cache of `cached` tokens."""

    def __init__(self, encoder: Encoder, cached: int) -> None:
        if not encoder.config.causal or encoder.config.positions == "learned":
            raise EmbeddingError(
                "long=stream is for models that read one way, and this one looks both ways",
                "use long=windows or long=sliding",
            )
        if cached <= SINKS:
            raise EmbeddingError(f"a cache of {cached} tokens", f"give a max_length over {SINKS}")
        self.encoder, self.cached = encoder, cached

    def pooled(self, ids: Tensor, pool: Pooling) -> Tensor:
        """Ids of one text ``(n,)`` -> its vector ``(D,)`` in float32."""
        skip = 0
        if isinstance(pool, Behind):
            skip = pool.skip
            pool = pool.pool
        if pool not in (pooling.mean, pooling.last_token, pooling.weighted_mean):
            raise EmbeddingError(
                "long=stream pools by the mean of all tokens or by the last one, and this model pools otherwise",
                "use long=windows for it",
            )
        total = torch.zeros(self.encoder.config.hidden_size, device=ids.device)
        mass = 0.0
        for first, x in self.blocks(ids):
            if pool is pooling.last_token:
                total, mass = x[-1].float(), 1.0
                continue
            behind = max(0, min(skip, len(ids) - 1) - first)
            first, x = first + behind, x[behind:]
            weights = torch.ones(len(x), 1, device=x.device)
            if pool is pooling.weighted_mean:
                weights = torch.arange(first + 1, first + len(x) + 1, device=x.device)[:, None].float()
            total = total + (x.float() * weights).sum(dim=0)
            mass += float(weights.sum(dtype=torch.float64))
        return total / mass

    def blocks(self, ids: Tensor) -> Iterator[tuple[int, Tensor]]:
        """Of each block its first position and its tokens' vectors ``(m, D)``."""
        encoder = swap_attention(self.encoder, partial(self._attention, min(len(ids), self.cached)))
        for first in range(0, len(ids), BLOCK):
            block = ids[first : first + BLOCK]
            packing = Packing.of([len(block)], ids.device)
            yield first, encoder(block, replace(packing, positions=packing.positions + first))

    def _attention(self, length: int, number: int, attention: Attention) -> Attention:
        config = self.encoder.config
        window = config.window(number)
        found = shallow_copy(attention, StreamAttention)
        found.cache = (
            RollingCache(window[0] + 1)
            if window is not None and window[0] < self.cached
            else SinkCache(SINKS, self.cached - SINKS)
        )
        found.rope = config.ropes[number] if config.ropes else None
        found.length = length
        return found


class StreamAttention(Attention):
    """To the tokens of a cache, which belongs to one text."""

    cache: Cache
    rope: Rope | None
    length: int
    """Of the text, or of the cache where that is less: what some angles depend on."""

    def forward(
        self,
        x: Tensor,
        packing: Packing,
        rotation: Rotation | None,
        biases: Mapping[int, Tensor | None],
    ) -> Tensor:
        """The next tokens of the text ``(m, D)`` -> ``(m, D)``."""
        q, k, v = (each.transpose(0, 1)[None] for each in self.project(x, None))  # (1, H or K, m, d)
        found = attend(self.cache, q, k, v, rotate=self.rotate if self.rope else None, scale=self.scale)
        return self.out(found[0].transpose(0, 1).flatten(1))

    def rotate(self, x: Tensor, positions: Tensor) -> Tensor:
        """Queries or keys ``(1, heads, m, d)``, which are cached as they were before."""
        assert self.rope is not None
        frequencies = self.rope.frequencies(x.shape[-1], self.length)
        scale = 1.0 if self.rope.scaling is None else self.rope.scaling.scale
        return rope(x, positions, frequencies, scale=scale)
