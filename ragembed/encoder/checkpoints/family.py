"""What a family of checkpoints says of itself: its configuration in our terms, and its tensors under our names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ragembed.encoder.config import EncoderConfig, Rope, Window
from ragembed.errors import EmbeddingError

Settings = Mapping[str, Any]
"""A ``config.json``."""


@dataclass(frozen=True)
class Family:
    """Checkpoints of one architecture."""

    model_types: tuple[str, ...]
    """As ``config.json`` names them."""
    config: Callable[[Settings], EncoderConfig]
    modules: Mapping[str, str]
    """Ours -> theirs, ``{}`` for the number of a layer; with `` + `` between them several stacked to one, and with
    ``[0]`` or ``[1]`` behind one its upper or lower half."""
    prefixes: tuple[str, ...] = ()
    """Before their names, where a checkpoint holds a model with a head."""
    ignored: tuple[str, ...] = ()
    """Regular expressions for tensors that an encoder has no use for."""
    neighbours: str = ""
    """The setting by which neighbouring numbers of a head are rotated in pairs, not those half of it apart."""
    own_code: bool = False
    """Its published files name code of their authors, of which `Family` is the twin."""
    norm_offset: float = 0.0
    """Added to the weights of norms: some models store what they differ from 1."""


def sizes(settings: Settings) -> dict[str, Any]:
    """What nearly all call alike, of `EncoderConfig`."""
    for key in ("num_attention_heads", "hidden_size"):
        if type(settings[key]) is not int or settings[key] < 1:
            raise EmbeddingError(
                f"{key} is {str(settings[key])[:40]!r}, no number from 1",
                "the model's config.json is damaged",
            )
    heads, size = settings["num_attention_heads"], settings["hidden_size"]
    if not settings.get("head_dim") and size % heads:
        raise EmbeddingError(
            f"{heads} heads cannot share {size} numbers evenly", "the model's config.json is damaged"
        )
    return {
        "vocab_size": settings["vocab_size"],
        "hidden_size": size,
        "num_layers": settings["num_hidden_layers"],
        "num_heads": heads,
        "num_kv_heads": settings.get("num_key_value_heads") or heads,
        "head_dim": settings.get("head_dim") or size // heads,
        "intermediate_size": settings["intermediate_size"],
    }


def activation(settings: Settings, key: str = "hidden_act") -> Any:
    """Hugging Face's name for an activation in our terms."""
    named = settings.get(key, "gelu")
    known = {
        "gelu": "gelu", "gelu_new": "gelu_tanh", "gelu_pytorch_tanh": "gelu_tanh", "gelu_fast": "gelu_tanh",
        "silu": "silu", "swish": "silu", "relu": "relu",
    }  # fmt: skip
    if named not in known:
        raise EmbeddingError(
            f"the model's activation {named} is not known here", f"known are: {', '.join(known)}"
        )
    return known[named]


def every_layer(settings: Settings, rope: Rope) -> tuple[Rope, ...]:
    """The same positions in all layers."""
    return (rope,) * int(settings["num_hidden_layers"])


def layer_windows(settings: Settings, window: Window) -> tuple[Window | None, ...]:
    """`window` where ``layer_types`` says that a layer slides."""
    return tuple(window if kind == "sliding_attention" else None for kind in settings["layer_types"])
