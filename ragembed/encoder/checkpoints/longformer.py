"""Longformer (Beltagy et al. 2020): RoBERTa with a window in each layer; embedding models use no global tokens."""

from __future__ import annotations

from dataclasses import replace

from ragembed.encoder.checkpoints.bert import AFTER, EMBEDDINGS, HEADS, bert_config
from ragembed.encoder.checkpoints.family import Family, Settings
from ragembed.encoder.config import EncoderConfig


def _config(settings: Settings) -> EncoderConfig:
    offset = settings.get("pad_token_id", 1) + 1
    plain = bert_config(settings, offset, token_types=settings.get("type_vocab_size", 2))
    given = settings["attention_window"]  # both sides together
    sizes = given if isinstance(given, list) else [given] * plain.num_layers
    return replace(plain, windows=tuple((size // 2, size // 2) for size in sizes))


_SELF = "encoder.layer.{}.attention.self."
LONGFORMER = Family(
    ("longformer",),
    _config,
    {
        **EMBEDDINGS,
        "types": "embeddings.token_type_embeddings",
        "layers.{}.attention.qkv": f"{_SELF}query + {_SELF}key + {_SELF}value",
        "layers.{}.attention.out": "encoder.layer.{}.attention.output.dense",
        "layers.{}.attention_norm": "encoder.layer.{}.attention.output.LayerNorm",
        **AFTER,
    },
    ("longformer.",),
    (*HEADS, r"encoder\.layer\.\d+\.attention\.self\.(query|key|value)_global\..*"),
)
