"""ModernBERT (Warner et al. 2024): norms before, gated GELU, rotary positions, two layers of three with a window."""

from __future__ import annotations

from ragembed.encoder.checkpoints.family import Family, Settings, activation, layer_windows, sizes
from ragembed.encoder.checkpoints.ropes import rope
from ragembed.encoder.config import EncoderConfig


def _config(settings: Settings) -> EncoderConfig:
    layers = settings["num_hidden_layers"]
    every = settings.get("global_attn_every_n_layers", 3)
    kinds = settings.get("layer_types") or [
        "sliding_attention" if layer % every else "full_attention" for layer in range(layers)
    ]
    # files before version 5 of transformers have the two thetas by these names
    ropes = {
        "full_attention": rope(settings, settings.get("global_rope_theta", 160_000.0), "full_attention"),
        "sliding_attention": rope(settings, settings.get("local_rope_theta", 10_000.0), "sliding_attention"),
    }
    side = settings.get("local_attention", 128) // 2
    return EncoderConfig(
        **sizes(settings),
        max_positions=settings.get("max_position_embeddings", 8192),
        norm_eps=settings.get("norm_eps", 1e-5),
        norm_bias=settings.get("norm_bias", False),
        norm_place="pre",
        final_norm=True,
        first_attention_norm=False,
        qkv_bias=settings.get("attention_bias", False),
        attention_bias=settings.get("attention_bias", False),
        up_bias=settings.get("mlp_bias", False),
        down_bias=settings.get("mlp_bias", False),
        activation=activation(settings, "hidden_activation"),
        gated=True,
        positions="rope",
        ropes=tuple(ropes[kind] for kind in kinds),
        windows=layer_windows({"layer_types": kinds}, (side, side)),
    )


MODERNBERT = Family(
    ("modernbert",),
    _config,
    {
        "tokens": "embeddings.tok_embeddings",
        "embedding_norm": "embeddings.norm",
        "layers.{}.attention.qkv": "layers.{}.attn.Wqkv",
        "layers.{}.attention.out": "layers.{}.attn.Wo",
        "layers.{}.attention_norm": "layers.{}.attn_norm",
        "layers.{}.mlp.up": "layers.{}.mlp.Wi",
        "layers.{}.mlp.down": "layers.{}.mlp.Wo",
        "layers.{}.mlp_norm": "layers.{}.mlp_norm",
        "norm": "final_norm",
    },
    ("model.",),
    (r"head\..*", r"decoder\..*", r"classifier\..*"),
)
