"""NomicBERT (Nussbaum et al. 2024): BERT with rotary positions and gated SiLU, without biases."""

from __future__ import annotations

from typing import Literal

from ragembed.encoder.checkpoints.family import Family, Settings, activation, every_layer, sizes
from ragembed.encoder.checkpoints.ropes import rope
from ragembed.encoder.config import EncoderConfig
from ragembed.errors import EmbeddingError

_GPT2 = {
    "hidden_size": "n_embd", "num_hidden_layers": "n_layer", "num_attention_heads": "n_head",
    "intermediate_size": "n_inner", "max_position_embeddings": "n_positions",
    "layer_norm_eps": "layer_norm_epsilon", "rope_theta": "rotary_emb_base",
}  # fmt: skip
"""Names in the files that the authors published."""
_REFUSED = (
    "moe_every_n_layers", "qkv_proj_bias", "mlp_fc1_bias", "rotary_emb_scale_base", "use_rms_norm", "causal",
    "prenorm",  # its authors' code drops the last residual sum; no text model is published with it
)  # fmt: skip
_GATES: dict[str, Literal["silu", "gelu"]] = {"swiglu": "silu", "geglu": "gelu"}


def _config(settings: Settings) -> EncoderConfig:
    settings = {
        **settings,
        **{ours: settings[theirs] for ours, theirs in _GPT2.items() if theirs in settings},
    }
    for refused in _REFUSED:
        if settings.get(refused):
            raise EmbeddingError(f"a NomicBERT with {refused} is not known here", "use it through st:")
    gate = settings.get("activation_function", "swiglu")
    if gate not in _GATES:
        raise EmbeddingError(
            f"a NomicBERT with the activation {gate} is not known here", f"known are: {', '.join(_GATES)}"
        )
    scaled = settings.get("rotary_scaling_factor")
    if scaled:
        settings["rope_scaling"] = {"type": "dynamic", "factor": scaled}
    trained = {"max_position_embeddings": settings.get("max_trained_positions", 2048)} if scaled else {}
    positions = rope({**settings, **trained}, 1000.0, fraction=settings.get("rotary_emb_fraction", 1.0))
    return EncoderConfig(
        **sizes(settings),
        max_positions=settings["max_position_embeddings"],
        token_types=settings.get("type_vocab_size", 2),
        norm_eps=settings.get("layer_norm_eps", 1e-12),
        qkv_bias=False,
        attention_bias=False,
        up_bias=False,
        down_bias=False,
        activation=activation(settings) if "hidden_act" in settings else _GATES[gate],
        gated=True,
        positions="rope",
        ropes=every_layer(settings, positions),
    )


NOMIC_BERT = Family(
    ("nomic_bert",),
    _config,
    {
        "tokens": "embeddings.word_embeddings",
        "types": "embeddings.token_type_embeddings",
        "embedding_norm": "emb_ln",
        "layers.{}.attention.qkv": "encoder.layers.{}.attn.Wqkv",
        "layers.{}.attention.out": "encoder.layers.{}.attn.out_proj",
        "layers.{}.attention_norm": "encoder.layers.{}.norm1",
        "layers.{}.mlp.up": "encoder.layers.{}.mlp.fc12 + encoder.layers.{}.mlp.fc11",
        "layers.{}.mlp.down": "encoder.layers.{}.mlp.fc2",
        "layers.{}.mlp_norm": "encoder.layers.{}.norm2",
    },
    ("bert.",),
    (r"pooler\..*", r"cls\..*"),
    neighbours="rotary_emb_interleaved",
    own_code=True,
)
