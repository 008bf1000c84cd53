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
    norm_offset: float = 0.0
    """Added to the weights of norms: some models store what they differ from 1."""


def sizes(settings: Settings) -> dict[str, Any]:
    """What nearly all call alike, of `EncoderConfig`."""
    heads = settings["num_attention_heads"]
    return {
        "vocab_size": settings["vocab_size"],
        "hidden_size": settings["hidden_size"],
        "num_layers": settings["num_hidden_layers"],
        "num_heads": heads,
        "num_kv_heads": settings.get("num_key_value_heads") or heads,
        "head_dim": settings.get("head_dim") or settings["hidden_size"] // heads,
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


def theta(settings: Settings, default: float, kind: str | None = None) -> float:
    """Of rotary positions, as files before and since version 5 of transformers give it; of one kind of layers."""
    rope = settings.get("rope_parameters") or {}
    if kind is not None:
        rope = rope.get(kind) or {}
    scaling = settings.get("rope_scaling") or {}
    for scaled in (rope.get("rope_type"), scaling.get("rope_type"), scaling.get("type")):
        if scaled not in (None, "default"):
            raise EmbeddingError(
                f"the model scales its rotary positions by {scaled}",
                "use it through st: until that is known here",
            )
    found = rope.get("rope_theta", settings.get("rope_theta"))
    return default if found is None else float(found)


def every_layer(settings: Settings, rope: Rope) -> tuple[Rope, ...]:
    """The same positions in all layers."""
    return (rope,) * int(settings["num_hidden_layers"])


def layer_windows(settings: Settings, window: Window) -> tuple[Window | None, ...]:
    """`window` where ``layer_types`` says that a layer slides."""
    return tuple(window if kind == "sliding_attention" else None for kind in settings["layer_types"])
