"""Checkpoints that others trained, read from safetensors into our encoder: a short table of names for each family."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ragembed.embed.model_files import check_model
from ragembed.embed.model_settings import read_settings
from ragembed.encoder.checkpoints.bert import BERT, MPNET, ROBERTA
from ragembed.encoder.checkpoints.decoders import LLAMA, QWEN2, QWEN3
from ragembed.encoder.checkpoints.family import Family
from ragembed.encoder.checkpoints.gemma import GEMMA3
from ragembed.encoder.checkpoints.gte import GTE
from ragembed.encoder.checkpoints.longformer import LONGFORMER
from ragembed.encoder.checkpoints.modernbert import MODERNBERT
from ragembed.encoder.checkpoints.nomic_bert import NOMIC_BERT
from ragembed.encoder.checkpoints.ropes import halves_apart
from ragembed.encoder.checkpoints.tensors import Tensors
from ragembed.errors import EmbeddingError

if TYPE_CHECKING:
    from ragembed.encoder.model import Encoder

FAMILIES = (BERT, ROBERTA, MPNET, MODERNBERT, NOMIC_BERT, GTE, LONGFORMER, QWEN3, QWEN2, LLAMA, GEMMA3)


def family_of(settings: dict[str, Any], where: Path) -> Family:
    """By ``model_type``; `EmbeddingError` for one that is not known."""
    path, named, code = where / "config.json", settings.get("model_type"), settings.get("auto_map")
    if not settings:
        raise EmbeddingError(f"{path} is missing or empty", "fetch the model again, or name another folder")
    for family in FAMILIES:
        if named in family.model_types:
            if code and not family.own_code:
                raise EmbeddingError(
                    f"{path} asks for code of its own (auto_map), which is never run here",
                    "use a model that needs none",
                )
            return family
    known = ", ".join(each for family in FAMILIES for each in family.model_types)
    raise EmbeddingError(
        f"{where} holds a model of type {named}, which the built-in encoder does not know",
        f"use it through st:, or one of {known}",
    )


def load(folder: Path, *, beside: str = "") -> Encoder:
    """The model in `folder`, in float32, without a gradient; a tensor named `beside` in its file is somebody else's.

    Raises:
        EmbeddingError: Its type is unknown, a tensor is missing, left over, of another shape or not finite, or a file
            is damaged.
    """
    import torch

    from ragembed.encoder.model import Encoder
    from ragembed.encoder.outline import Outline

    check_model(folder)
    settings = read_settings(folder / "config.json")
    family = family_of(settings, folder)
    if beside:
        family = replace(family, ignored=(*family.ignored, re.escape(beside)))
    try:
        config = family.config(settings)
        for rope in set(config.ropes):
            rope.frequencies(config.head_dim, 1)
    except KeyError as error:
        raise EmbeddingError(f"{folder / 'config.json'} lacks {error}", "fetch the model again") from error
    except (TypeError, ValueError, ArithmeticError, AttributeError) as error:
        reason = str(error).partition("\n")[0]
        raise EmbeddingError(
            f"{folder / 'config.json'} makes no sense ({reason})", "fetch the model again"
        ) from error
    with torch.device("meta"), Outline():
        model = Encoder(config)
    with Tensors(folder, family) as tensors:
        state = {name: tensors.take(name, tuple(wanted.shape)) for name, wanted in model.state_dict().items()}
        tensors.check_rest()
    if settings.get(family.neighbours):
        for name in state:
            if ".attention.qkv." in name:
                state[name] = halves_apart(state[name], config)
    model.load_state_dict(state, assign=True)
    model.eval().requires_grad_(False)
    return model
