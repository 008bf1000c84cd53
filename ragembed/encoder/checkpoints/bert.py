"""BERT, MiniLM, RoBERTa, XLM-R and MPNet: norms after the sums, a learned table of positions."""

from __future__ import annotations

from ragembed.encoder.checkpoints.family import Family, Settings, activation, sizes
from ragembed.encoder.config import EncoderConfig
from ragembed.errors import EmbeddingError


def bert_config(
    settings: Settings, offset: int, *, token_types: int = 0, relative_buckets: int = 0
) -> EncoderConfig:
    """Of all whose first tokens have row `offset` in the table of positions."""
    if settings.get("position_embedding_type", "absolute") != "absolute":
        raise EmbeddingError(
            f"the model's positions are {settings['position_embedding_type']}, not known here",
            "use it through st:",
        )
    return EncoderConfig(
        **sizes(settings),
        max_positions=settings["max_position_embeddings"] - offset,
        position_offset=offset,
        norm_eps=settings.get("layer_norm_eps", 1e-12),
        activation=activation(settings),
        token_types=token_types,
        relative_buckets=relative_buckets,
    )


def _bert(settings: Settings) -> EncoderConfig:
    return bert_config(settings, 0, token_types=settings.get("type_vocab_size", 2))


def _roberta(settings: Settings) -> EncoderConfig:
    offset = settings.get("pad_token_id", 1) + 1
    return bert_config(settings, offset, token_types=settings.get("type_vocab_size", 1))


def _mpnet(settings: Settings) -> EncoderConfig:
    return bert_config(settings, 2, relative_buckets=settings.get("relative_attention_num_buckets", 32))


EMBEDDINGS = {
    "tokens": "embeddings.word_embeddings",
    "positions": "embeddings.position_embeddings",
    "embedding_norm": "embeddings.LayerNorm",
}
AFTER = {
    "layers.{}.mlp.up": "encoder.layer.{}.intermediate.dense",
    "layers.{}.mlp.down": "encoder.layer.{}.output.dense",
    "layers.{}.mlp_norm": "encoder.layer.{}.output.LayerNorm",
}
HEADS = (r"pooler\..*", r"embeddings\.position_ids", r"cls\..*", r"lm_head\..*", r"classifier\..*")

_SELF = "encoder.layer.{}.attention.self."
_MODULES = {
    **EMBEDDINGS,
    "types": "embeddings.token_type_embeddings",
    "layers.{}.attention.qkv": f"{_SELF}query + {_SELF}key + {_SELF}value",
    "layers.{}.attention.out": "encoder.layer.{}.attention.output.dense",
    "layers.{}.attention_norm": "encoder.layer.{}.attention.output.LayerNorm",
    **AFTER,
}
BERT = Family(("bert",), _bert, _MODULES, ("bert.",), HEADS)
ROBERTA = Family(("roberta", "xlm-roberta", "camembert"), _roberta, _MODULES, ("roberta.",), HEADS)

_ATTN = "encoder.layer.{}.attention.attn."
MPNET = Family(
    ("mpnet",),
    _mpnet,
    {
        **EMBEDDINGS,
        "relative": "encoder.relative_attention_bias",
        "layers.{}.attention.qkv": f"{_ATTN}q + {_ATTN}k + {_ATTN}v",
        "layers.{}.attention.out": f"{_ATTN}o",
        "layers.{}.attention_norm": "encoder.layer.{}.attention.LayerNorm",
        **AFTER,
    },
    ("mpnet.",),
    HEADS,
)
