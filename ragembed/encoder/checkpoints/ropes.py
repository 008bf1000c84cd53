"""Rotary positions as ``config.json`` tells them, of files before and since version 5 of transformers."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ragembed.encoder.config import EncoderConfig, Rope
from ragembed.encoder.rope_scaling import Dynamic, Linear, Llama3, MixedNtk, Scaling, Yarn
from ragembed.errors import EmbeddingError

if TYPE_CHECKING:
    from torch import Tensor

Given = Mapping[str, Any]


def rope(settings: Given, theta: float, kind: str | None = None, *, fraction: float = 1.0) -> Rope:
    """Those of all layers or of one `kind`; `theta` is that of models that do not say."""
    told = settings.get("rope_parameters") or {}
    if kind is not None:
        told = told.get(kind) or {}
    scaled = dict(settings.get("rope_scaling") or {})
    scaled.setdefault("rope_type", scaled.get("type", told.get("rope_type", told.get("type"))))
    told = {**told, **scaled}
    found = told.get("rope_theta", settings.get("rope_theta"))
    return Rope(
        theta=theta if found is None else float(found), fraction=fraction, scaling=_scaling(told, settings)
    )


def longest(settings: Given, rope: Rope) -> int:
    """Tokens of the longest text: where angles depend on the length, the factor tells how far beyond training."""
    trained = int(settings["max_position_embeddings"])
    return int(trained * rope.scaling.factor) if isinstance(rope.scaling, Dynamic) else trained


def _scaling(told: Given, settings: Given) -> Scaling | None:
    named = told["rope_type"]
    if named in (None, "default"):
        return None
    if named not in _KINDS:
        raise EmbeddingError(
            f"the model scales its rotary positions by {named}",
            f"use it through st:; known are: {', '.join(_KINDS)}",
        )
    return _KINDS[named](told, settings)


def _linear(told: Given, settings: Given) -> Scaling:
    return Linear(float(told["factor"]))


def _dynamic(told: Given, settings: Given) -> Scaling:
    return Dynamic(float(told["factor"]), int(settings["max_position_embeddings"]))


def _ntk(told: Given, settings: Given) -> Scaling:
    return MixedNtk(float(told["factor"]), float(told.get("mixed_b") or 1))


def _llama3(told: Given, settings: Given) -> Scaling:
    return Llama3(
        float(told["factor"]),
        _trained(told, settings),
        float(told["high_freq_factor"]),
        float(told["low_freq_factor"]),
    )


def _yarn(told: Given, settings: Given) -> Scaling:
    trained = _trained(told, settings)
    given = told.get("factor")
    factor = settings["max_position_embeddings"] / trained if given is None else float(given)
    return Yarn(
        factor,
        trained,
        float(told.get("beta_fast") or 32),
        float(told.get("beta_slow") or 1),
        bool(told.get("truncate", True)),
        _attention(told, factor),
    )


def _attention(told: Given, factor: float) -> float:
    """DeepSeek's files give two coefficients of the logarithm, of which the quotient counts."""

    def grown(coefficient: float) -> float:
        return 0.1 * coefficient * math.log(max(1.0, factor)) + 1

    if told.get("attention_factor") is not None:
        return float(told["attention_factor"])
    if told.get("mscale") and told.get("mscale_all_dim"):
        return grown(told["mscale"]) / grown(told["mscale_all_dim"])
    return grown(1)


def _trained(told: Given, settings: Given) -> int:
    """Tokens of texts in training."""
    for found in (
        settings.get("original_max_position_embeddings"),
        told.get("original_max_position_embeddings"),
    ):
        if found:
            return int(found)
    return int(settings["max_position_embeddings"])


_KINDS: dict[str, Callable[[Given, Given], Scaling]] = {
    "linear": _linear, "dynamic": _dynamic, "ntk": _ntk, "yarn": _yarn, "llama3": _llama3,
}  # fmt: skip


def halves_apart(part: Tensor, config: EncoderConfig) -> Tensor:
    """Rows of queries, keys and values ``(wide, ...)`` with the numbers that are rotated together half of it apart.

    Queries and keys change places alike, so their products stay what they are.
    """
    import torch

    rotated = int(config.head_dim * config.ropes[0].fraction)
    order = torch.arange(config.head_dim)
    order[:rotated] = torch.cat([order[0:rotated:2], order[1:rotated:2]])
    turned = (config.num_heads + config.num_kv_heads) * config.head_dim
    heads = part[:turned].unflatten(0, (-1, config.head_dim))[:, order].flatten(0, 1)
    return torch.cat([heads, part[turned:]])
