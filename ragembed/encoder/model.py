"""The encoder: one block, configured, over packed tokens.

T: tokens of all texts together; D: hidden_size; H, K: query and key heads; d: head_dim; F: intermediate_size.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import repeat

import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from ragembed.encoder import short_attention, tiled_attention
from ragembed.encoder.attention.kernels import fused
from ragembed.encoder.attention.local.sliding_window import faster
from ragembed.encoder.attention.mask import Mask
from ragembed.encoder.config import EncoderConfig
from ragembed.encoder.packing import Packing
from ragembed.encoder.positions import relative, rotate, t5_buckets

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "gelu": functional.gelu,
    "gelu_tanh": lambda x: functional.gelu(x, approximate="tanh"),
    "silu": functional.silu,
    "relu": functional.relu,
}
_ROWS = 4096
"""Tokens of a long text that go through projections and MLP at once: what lies between is several times as wide as the
text, and memory of that size, taken from the system anew each time, takes as long as the products."""
Rotation = tuple[Tensor, Tensor]
"""Cosines and sines of the angles ``(T, 1, r / 2)``. Biases, which are given by the length of a text, are
``(1, H, length, length)``."""


class Encoder(nn.Module):  # type: ignore[misc]
    """Token ids to one vector for each token."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.config = config
        self.tokens = nn.Embedding(config.vocab_size, config.hidden_size)
        if config.positions == "learned":
            self.positions = nn.Embedding(config.max_positions + config.position_offset, config.hidden_size)
        if config.token_types:
            self.types = nn.Embedding(config.token_types, config.hidden_size)
        self.embedding_norm = norm(config) if config.embedding_norm else nn.Identity()
        if config.relative_buckets:
            self.relative = nn.Embedding(config.relative_buckets, config.num_heads)
        self.layers = nn.ModuleList(Layer(config, index) for index in range(config.num_layers))
        self.norm = norm(config) if config.final_norm else nn.Identity()

    def forward(self, ids: Tensor, packing: Packing) -> Tensor:
        """Ids ``(T,)`` -> ``(T, D)``."""
        config = self.config
        x = self.tokens(ids)  # (T, D)
        if config.embedding_scale != 1:
            x = x * torch.tensor(config.embedding_scale, dtype=x.dtype)
        if config.positions == "learned":
            x = x + self.positions(packing.positions + config.position_offset)
        if config.token_types:
            x = x + self.types.weight[0]
        x = self.embedding_norm(x)
        rotations = {rope: rope.rotation(config.head_dim, packing, x.dtype) for rope in set(config.ropes)}
        biases = {run.length: self.bias(run.length) for run in packing.runs}
        for index, layer in enumerate(self.layers):
            x = layer(x, packing, rotations[config.ropes[index]] if config.ropes else None, biases)
        return self.norm(x)  # (T, D)

    def bias(self, length: int) -> Tensor | None:
        """What is added to the logits of a text of that length ``(1, H, length, length)``."""
        config = self.config
        if not config.relative_buckets:
            return None
        rows = t5_buckets(
            relative(length, length), buckets=config.relative_buckets, longest=config.relative_distance
        )
        return self.relative(rows.to(self.relative.weight.device)).permute(2, 0, 1)[None]


class Layer(nn.Module):  # type: ignore[misc]
    """Attention, then an MLP, each with its residual sum and its norms."""

    def __init__(self, config: EncoderConfig, index: int) -> None:
        super().__init__()
        self.place = config.norm_place
        self.attention = Attention(config, config.window(index))
        self.mlp = Mlp(config)
        first = index > 0 or config.first_attention_norm
        self.attention_norm = norm(config) if first else nn.Identity()
        self.mlp_norm = norm(config)
        if config.norm_place == "sandwich":
            self.attention_norm_after = norm(config)
            self.mlp_norm_after = norm(config)

    def forward(
        self,
        x: Tensor,
        packing: Packing,
        rotation: Rotation | None,
        biases: Mapping[int, Tensor | None],
    ) -> Tensor:
        """``(T, D)`` -> ``(T, D)``."""
        if self.place == "post":
            x = self.attention_norm(x + self.attention(x, packing, rotation, biases))
        else:
            found = self.attention(self.attention_norm(x), packing, rotation, biases)
            x = x + (self.attention_norm_after(found) if self.place == "sandwich" else found)
        if x.shape[0] <= 2 * _ROWS:
            return self.after_attention(x)
        return torch.cat([self.after_attention(rows) for rows in x.split(_ROWS)])

    def after_attention(self, x: Tensor) -> Tensor:
        """The MLP, its sum and its norms: of each token by itself ``(T, D)`` -> ``(T, D)``."""
        if self.place == "post":
            return self.mlp_norm(x + self.mlp(x))
        found = self.mlp(self.mlp_norm(x))
        return x + (self.mlp_norm_after(found) if self.place == "sandwich" else found)


class Attention(nn.Module):  # type: ignore[misc]
    """Each token attends to those of its own text."""

    def __init__(self, config: EncoderConfig, window: tuple[int, int] | None) -> None:
        super().__init__()
        self.heads = (config.num_heads, config.num_kv_heads, config.num_kv_heads)
        self.window, self.causal, self.scale = window, config.causal, config.attention_scale
        wide = sum(self.heads) * config.head_dim
        self.qkv = nn.Linear(config.hidden_size, wide, bias=config.qkv_bias)
        self.out = nn.Linear(
            config.num_heads * config.head_dim, config.hidden_size, bias=config.attention_bias
        )
        self.qk_norm = config.qk_norm
        if config.qk_norm:
            self.query_norm = nn.RMSNorm(config.head_dim, eps=config.norm_eps)
            self.key_norm = nn.RMSNorm(config.head_dim, eps=config.norm_eps)

    def forward(
        self,
        x: Tensor,
        packing: Packing,
        rotation: Rotation | None,
        biases: Mapping[int, Tensor | None],
    ) -> Tensor:
        """``(T, D)`` -> ``(T, D)``."""
        if x.shape[0] <= 2 * _ROWS:
            q, k, v = self.project(x, rotation)
        else:
            turns = zip(*(each.split(_ROWS) for each in rotation), strict=True) if rotation else repeat(None)
            of_rows = [self.project(*pair) for pair in zip(x.split(_ROWS), turns, strict=False)]
            q, k, v = (torch.cat(each) for each in zip(*of_rows, strict=True))
        parts = []
        for run in packing.runs:
            part = (q, k, v) if len(packing.runs) == 1 else [each[run.tokens] for each in (q, k, v)]
            a, b, c = (each.view(run.count, run.length, *each.shape[1:]).transpose(1, 2) for each in part)
            found = self.attend(a, b, c, biases[run.length])  # (texts, H, length, d)
            parts.append(found.transpose(1, 2).reshape(run.count * run.length, -1))  # (tokens, H d)
        return self.out(torch.cat(parts) if len(parts) > 1 else parts[0])

    def project(self, x: Tensor, rotation: Rotation | None) -> tuple[Tensor, Tensor, Tensor]:
        """``(T, D)`` -> queries, keys and values ``(T, H or K, d)``."""
        q, k, v = self.qkv(x).view(x.shape[0], sum(self.heads), -1).split_with_sizes(self.heads, 1)
        if self.qk_norm:
            q, k = self.query_norm(q), self.key_norm(k)
        if rotation is not None:
            q, k = rotate(q, rotation), rotate(k, rotation)
        return q, k, v

    def attend(self, q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None) -> Tensor:
        """Of texts of one length ``(texts, heads, length, d)``."""
        n = q.shape[2]
        everyone = not self.causal and (self.window is None or min(self.window) >= n)
        if everyone and short_attention.suits(q, k):
            return short_attention.attend(q, k, v, bias, self.scale)
        if bias is not None:
            return fused(q, k, v, bias, scale=self.scale)
        if tiled_attention.suits(q):
            found = tiled_attention.attend(
                q, k, v, None if everyone else self.window, self.causal, self.scale
            )
            if found is not None:
                return found
        mask = Mask(
            window=None if self.window is None or min(self.window) >= n else self.window, causal=self.causal
        )
        return faster(mask, n, n).attend(q, k, v, mask, scale=self.scale)


class Mlp(nn.Module):  # type: ignore[misc]
    """Two projections with an activation between them, or three where it is gated."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.gated, self.activation = config.gated, ACTIVATIONS[config.activation]
        wide = config.intermediate_size * (2 if config.gated else 1)
        self.up = nn.Linear(config.hidden_size, wide, bias=config.up_bias)
        self.down = nn.Linear(config.intermediate_size, config.hidden_size, bias=config.down_bias)

    def forward(self, x: Tensor) -> Tensor:
        """``(T, D)`` -> ``(T, D)``."""
        x = self.up(x)  # (T, F or 2 F)
        if self.gated:
            gate, x = x.chunk(2, dim=-1)
            return self.down(self.activation(gate) * x)
        return self.down(self.activation(x))


def norm(config: EncoderConfig) -> nn.Module:
    """Over a token's vector."""
    if config.norm == "rms":
        return nn.RMSNorm(config.hidden_size, eps=config.norm_eps)
    return nn.LayerNorm(config.hidden_size, eps=config.norm_eps, bias=config.norm_bias)
