"""NomicBERT (Nussbaum et al. 2024): BERT with rotary positions and gated SiLU, without biases."""

from __future__ import annotations

from ragembed.encoder.checkpoints.family import Family, Settings, activation, sizes, theta
from ragembed.encoder.config import EncoderConfig, Rope
from ragembed.errors import EmbeddingError

_GPT2 = {
    "hidden_size": "n_embd", "num_hidden_layers": "n_layer", "num_attention_heads": "n_head",
    "intermediate_size": "n_inner", "max_position_embeddings": "n_positions",
    "layer_norm_eps": "layer_norm_epsilon", "rope_theta": "rotary_emb_base",
}  # fmt: skip
"""Names in the files that the authors published."""


def _config(settings: Settings) -> EncoderConfig:
    settings = {
        **settings,
        **{ours: settings[theirs] for ours, theirs in _GPT2.items() if theirs in settings},
    }
    for refused, usual in (("prenorm", False), ("moe_every_n_layers", 0), ("rotary_emb_interleaved", False),
                           ("qkv_proj_bias", False), ("mlp_fc1_bias", False)):  # fmt: skip
        if settings.get(refused, usual) not in (usual, None):
            raise EmbeddingError(f"a NomicBERT with {refused} is not known here", "use it through st:")
    layers = settings["num_hidden_layers"]
    rope = Rope(theta=theta(settings, 1000.0), fraction=settings.get("rotary_emb_fraction", 1.0))
    return EncoderConfig(
        **sizes(settings),
        max_positions=settings["max_position_embeddings"],
        token_types=settings.get("type_vocab_size", 2),
        norm_eps=settings.get("layer_norm_eps", 1e-12),
        qkv_bias=False,
        attention_bias=False,
        up_bias=False,
        down_bias=False,
        activation="silu" if settings.get("activation_function") == "swiglu" else activation(settings),
        gated=True,
        positions="rope",
        ropes=(rope,) * layers,
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
)
