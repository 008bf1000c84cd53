"""GTE (Zhang et al. 2024, mGTE): BERT with rotary positions and a gated MLP."""

from __future__ import annotations

from ragembed.encoder.checkpoints.family import Family, Settings, activation, every_layer, sizes
from ragembed.encoder.checkpoints.ropes import rope
from ragembed.encoder.config import EncoderConfig


def _config(settings: Settings) -> EncoderConfig:
    return EncoderConfig(
        **sizes(settings),
        max_positions=settings["max_position_embeddings"],
        token_types=settings.get("type_vocab_size", 1),
        norm_eps=settings.get("layer_norm_eps", 1e-12),
        up_bias=False,
        activation=activation(settings),
        gated=True,
        positions="rope",
        ropes=every_layer(settings, rope(settings, 160_000.0)),
    )


_LAYER = "encoder.layer.{}."
GTE = Family(
    ("gte", "new"),  # the second in the files that the authors published
    _config,
    {
        "tokens": "embeddings.word_embeddings",
        "types": "embeddings.token_type_embeddings",
        "embedding_norm": "embeddings.LayerNorm",
        "layers.{}.attention.qkv": f"{_LAYER}attention.qkv_proj",
        "layers.{}.attention.out": f"{_LAYER}attention.o_proj",
        "layers.{}.attention_norm": f"{_LAYER}attn_ln",
        "layers.{}.mlp.up": f"{_LAYER}mlp.up_gate_proj[1] + {_LAYER}mlp.up_gate_proj[0]",
        "layers.{}.mlp.down": f"{_LAYER}mlp.down_proj",
        "layers.{}.mlp_norm": f"{_LAYER}mlp_ln",
    },
    ("new.",),
    (r"pooler\..*", r"lm_head\..*", r"classifier\..*"),
    own_code=True,
)
