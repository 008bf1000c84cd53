"""Qwen3, Qwen2, Mistral and Llama: causal models that embed by their last token."""

from __future__ import annotations

from functools import partial

from ragembed.encoder.checkpoints.family import Family, Settings, activation, every_layer, sizes
from ragembed.encoder.checkpoints.ropes import longest, rope
from ragembed.encoder.config import EncoderConfig, Window


def _config(settings: Settings, *, qk_norm: bool = False, qkv_bias: bool = False) -> EncoderConfig:
    layers, positions = settings["num_hidden_layers"], rope(settings, 10_000.0)
    return EncoderConfig(
        **sizes(settings),
        max_positions=longest(settings, positions),
        norm="rms",
        norm_eps=settings.get("rms_norm_eps", 1e-6),
        norm_place="pre",
        embedding_norm=False,
        final_norm=True,
        qkv_bias=qkv_bias or settings.get("attention_bias", False),
        attention_bias=settings.get("attention_bias", False),
        qk_norm=qk_norm,
        up_bias=settings.get("mlp_bias", False),
        down_bias=settings.get("mlp_bias", False),
        activation=activation(settings),
        gated=True,
        causal=settings.get("is_causal") is not False,  # models that were made to look both ways say so
        positions="rope",
        ropes=every_layer(settings, positions),
        windows=_windows(settings, layers),
    )


def _windows(settings: Settings, layers: int) -> tuple[Window | None, ...]:
    """Theirs count the token itself; Qwen has to be told to use it, from some layer on."""
    size = settings.get("sliding_window")
    if not size or not settings.get("use_sliding_window", settings["model_type"] == "mistral"):
        return ()
    kinds = settings.get("layer_types")
    first = settings.get("max_window_layers", 0)
    slides = (
        [kind == "sliding_attention" for kind in kinds] if kinds else [at >= first for at in range(layers)]
    )
    return tuple((size - 1, 0) if slide else None for slide in slides)


_ATTN, _MLP = "layers.{}.self_attn.", "layers.{}.mlp."
_MODULES = {
    "tokens": "embed_tokens",
    "layers.{}.attention_norm": "layers.{}.input_layernorm",
    "layers.{}.attention.qkv": f"{_ATTN}q_proj + {_ATTN}k_proj + {_ATTN}v_proj",
    "layers.{}.attention.out": f"{_ATTN}o_proj",
    "layers.{}.mlp_norm": "layers.{}.post_attention_layernorm",
    "layers.{}.mlp.up": f"{_MLP}gate_proj + {_MLP}up_proj",
    "layers.{}.mlp.down": f"{_MLP}down_proj",
    "norm": "norm",
}
_NORMS = {
    "layers.{}.attention.query_norm": f"{_ATTN}q_norm",
    "layers.{}.attention.key_norm": f"{_ATTN}k_norm",
}
_HEADS = (r"lm_head\..*", r".*rotary_emb\.inv_freq")

LLAMA = Family(("llama", "mistral"), _config, _MODULES, ("model.",), _HEADS)
QWEN2 = Family(("qwen2",), partial(_config, qkv_bias=True), _MODULES, ("model.",), _HEADS)
QWEN3 = Family(("qwen3",), partial(_config, qk_norm=True), {**_MODULES, **_NORMS}, ("model.",), _HEADS)
