"""What an encoder is made of: one description for BERT, ModernBERT, Qwen3 and all others that `checkpoints` knows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ragembed.encoder.positions import rope_frequencies, rotation
from ragembed.encoder.rope_scaling import Scaling
from ragembed.errors import EmbeddingError

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from ragembed.encoder.packing import Packing

Window = tuple[int, int]
"""Keys to the left and to the right, both inclusive."""


_MOST = {
    "num_layers": 1000, "num_heads": 10_000, "num_kv_heads": 10_000, "head_dim": 100_000, "vocab_size": 10**8,
    "hidden_size": 10**7, "intermediate_size": 10**7, "max_positions": 10**9,
}  # fmt: skip
"""More than any model has; a damaged file may tell of numbers that no memory holds."""


@dataclass(frozen=True, kw_only=True)
class Rope:
    """Rotary positions of some layers (Su et al. 2021)."""

    theta: float = 10_000.0
    fraction: float = 1.0
    """The part of a head's numbers that is rotated, in pairs half of it apart."""
    scaling: Scaling | None = None
    """What becomes of the angles for texts longer than those of the training."""

    def frequencies(self, head_dim: int, length: int) -> Tensor:
        """Angles per position of a text of `length` tokens ``(r / 2,)`` float64."""
        if self.scaling is None:
            return rope_frequencies(head_dim, theta=self.theta, fraction=self.fraction)
        return self.scaling.frequencies(int(head_dim * self.fraction), self.theta, length)

    def rotation(self, head_dim: int, packing: Packing, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """Cosines and sines of the angles of packed tokens ``(T, 1, r / 2)``."""
        import torch

        scale = 1.0 if self.scaling is None else self.scaling.scale
        limit = None if self.scaling is None else self.scaling.changes_from
        positions = packing.positions[:, None]
        if limit is None or max(packing.lengths, default=0) <= limit:
            return rotation(positions, self.frequencies(head_dim, limit or 1), dtype, scale=scale)
        parts = [
            rotation(positions[run.tokens], self.frequencies(head_dim, run.length), dtype, scale=scale)
            for run in packing.runs
        ]
        return torch.cat([cos for cos, _ in parts]), torch.cat([sin for _, sin in parts])


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
        for name, most in _MOST.items():
            value = getattr(self, name)
            if type(value) is not int or not 1 <= value <= most:
                raise EmbeddingError(
                    f"{name} is {str(value)[:40]}, a model has 1 to {most:,}",
                    "the model's config.json is damaged",
                )
        if type(self.norm_eps) not in (int, float) or not 0 <= self.norm_eps < 1:
            raise EmbeddingError(
                f"norm_eps is {str(self.norm_eps)[:40]}", "the model's config.json is damaged"
            )
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
