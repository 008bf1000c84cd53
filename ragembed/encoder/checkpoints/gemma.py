"""Gemma 3 as an embedding model: norms before and behind, two kinds of layers, each with its own rotation."""

from __future__ import annotations

import math

from ragembed.encoder.checkpoints.family import Family, Settings, activation, layer_windows, sizes
from ragembed.encoder.checkpoints.ropes import rope
from ragembed.encoder.config import EncoderConfig
from ragembed.errors import EmbeddingError


def _config(settings: Settings) -> EncoderConfig:
    layers, size = settings["num_hidden_layers"], settings["sliding_window"]
    if settings.get("attn_logit_softcapping"):
        raise EmbeddingError("a Gemma with capped logits is not known here", "use it through st:")
    every = settings.get("sliding_window_pattern", settings.get("_sliding_window_pattern", 6))
    kinds = settings.get("layer_types") or [
        "sliding_attention" if (layer + 1) % every else "full_attention" for layer in range(layers)
    ]
    # files before version 5 of transformers scale the layers that see everything, and have another theta for the others
    local = {**settings, "rope_theta": settings.get("rope_local_base_freq"), "rope_scaling": None}
    ropes = {
        "full_attention": rope(settings, 1_000_000.0, "full_attention"),
        "sliding_attention": rope(local, 10_000.0, "sliding_attention"),
    }
    causal = not settings.get("use_bidirectional_attention")
    return EncoderConfig(
        **sizes(settings),
        max_positions=settings["max_position_embeddings"],
        norm="rms",
        norm_eps=settings.get("rms_norm_eps", 1e-6),
        norm_place="sandwich",
        embedding_norm=False,
        final_norm=True,
        qkv_bias=settings.get("attention_bias", False),
        attention_bias=settings.get("attention_bias", False),
        qk_norm=True,
        attention_scale=1 / math.sqrt(settings.get("query_pre_attn_scalar", 256)),
        causal=causal,
        # in a bidirectional model the window is of both sides together
        windows=layer_windows({"layer_types": kinds}, (size - 1, 0) if causal else (size // 2, size // 2)),
        up_bias=False,
        down_bias=False,
        activation=activation(settings, "hidden_activation"),
        gated=True,
        positions="rope",
        ropes=tuple(ropes[kind] for kind in kinds),
        embedding_scale=math.sqrt(settings["hidden_size"]),
    )


_ATTN, _MLP = "layers.{}.self_attn.", "layers.{}.mlp."
GEMMA3 = Family(
    ("gemma3_text",),
    _config,
    {
        "tokens": "embed_tokens",
        "layers.{}.attention_norm": "layers.{}.input_layernorm",
        "layers.{}.attention.qkv": f"{_ATTN}q_proj + {_ATTN}k_proj + {_ATTN}v_proj",
        "layers.{}.attention.out": f"{_ATTN}o_proj",
        "layers.{}.attention.query_norm": f"{_ATTN}q_norm",
        "layers.{}.attention.key_norm": f"{_ATTN}k_norm",
        "layers.{}.attention_norm_after": "layers.{}.post_attention_layernorm",
        "layers.{}.mlp_norm": "layers.{}.pre_feedforward_layernorm",
        "layers.{}.mlp.up": f"{_MLP}gate_proj + {_MLP}up_proj",
        "layers.{}.mlp.down": f"{_MLP}down_proj",
        "layers.{}.mlp_norm_after": "layers.{}.post_feedforward_layernorm",
        "norm": "norm",
    },
    ("model.",),
    (r"lm_head\..*",),
    norm_offset=1.0,
)
