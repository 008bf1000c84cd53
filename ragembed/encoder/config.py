"""What an encoder is made of: one description for BERT, ModernBERT, Qwen3 and all others that `checkpoints` knows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ragembed.errors import EmbeddingError

Window = tuple[int, int]
"""Keys to the left and to the right, both inclusive."""


@dataclass(frozen=True, kw_only=True)
class Rope:
    """Rotary positions of some layers (Su et al. 2021)."""

    theta: float = 10_000.0
    fraction: float = 1.0
    """The part of a head's numbers that is rotated, in pairs half of it apart (pairs of neighbours: refused)."""


@dataclass(frozen=True, kw_only=True)
class EncoderConfig:
    """Sizes and switches of a transformer; fields have Hugging Face's names where there is one."""

    vocab_size: int
    hidden_size: int
    num_layers: int
    num_heads: int
    intermediate_size: int
    num_kv_heads: int
    """Fewer than heads: grouped-query attention."""
    head_dim: int
    max_positions: int
    """Longest text in tokens: the table of positions ends there, or training did."""

    norm: Literal["layer", "rms"] = "layer"
    norm_eps: float = 1e-12
    norm_bias: bool = True
    norm_place: Literal["post", "pre", "sandwich"] = "post"
    """After the residual sum (BERT), before each sub-layer (ModernBERT), or before and after it (Gemma 3)."""
    embedding_norm: bool = True
    final_norm: bool = False
    first_attention_norm: bool = True
    """False: the first layer attends to the embeddings as they are (ModernBERT)."""

    qkv_bias: bool = True
    attention_bias: bool = True
    """Of the projection of its output."""
    qk_norm: bool = False
    """Queries and keys of each head are normalised before they are rotated (Qwen3, Gemma 3)."""
    attention_scale: float | None = None
    """None: 1 / sqrt(head_dim)."""
    causal: bool = False
    windows: tuple[Window | None, ...] = ()
    """Of each layer; empty: all see everything."""

    activation: Literal["gelu", "gelu_tanh", "silu", "relu"] = "gelu"
    gated: bool = False
    """The activation multiplies a second projection (Shazeer 2020, GLU)."""
    up_bias: bool = True
    """Of the first projection of an MLP, and of its gate."""
    down_bias: bool = True

    positions: Literal["learned", "rope", "none"] = "learned"
    position_offset: int = 0
    """Row of the first token in the table of positions (2 in RoBERTa)."""
    ropes: tuple[Rope, ...] = ()
    """Of each layer."""
    relative_buckets: int = 0
    """T5's biases of distances, shared by all layers (MPNet); 0: none."""
    relative_distance: int = 128
    token_types: int = 0
    """Rows of the table of token types, of which the first is added everywhere; 0: none."""
    embedding_scale: float = 1.0

    def __post_init__(self) -> None:
        if self.num_heads % self.num_kv_heads:
            raise EmbeddingError(
                f"{self.num_heads} heads cannot share {self.num_kv_heads} key heads evenly",
                "the model's config.json is damaged",
            )
        for name in ("windows", "ropes"):
            given = getattr(self, name)
            if given and len(given) != self.num_layers:
                raise EmbeddingError(
                    f"{name} are given for {len(given)} of {self.num_layers} layers",
                    "the model's config.json is damaged",
                )

    def window(self, layer: int) -> Window | None:
        """That of a layer; None: it sees everything."""
        return self.windows[layer] if self.windows else None
