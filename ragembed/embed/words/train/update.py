"""Going on from a model: what an update takes over from it, and what it may not ask for otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from ragembed.embed.words.tokens import tokenizer
from ragembed.embed.words.train import TRAINERS
from ragembed.embed.words.train.base import Start, Trainer
from ragembed.embed.words.train.checkpoint import STATE, Checkpoint, read_state
from ragembed.embed.words.train.reading import Reading
from ragembed.embed.words.train.work_folder import put_back
from ragembed.embed.words.vectors import WordVectors
from ragembed.errors import CorruptError, EmbeddingError, SpecError
from ragembed.spec import Spec

ROOM = frozenset({"workers", "memory"})
"""Settings that say what a training takes, not what it makes: a later one may have others, and inherits none."""


def inherited(model: Path, spec: str) -> tuple[Trainer, Reading]:
    """The trainer of `spec` and how it reads, with all that `spec` leaves open as it was when `model` was trained."""
    asked = Spec.parse(spec)
    put_back(model)
    trainer, vectors = TRAINERS.load(asked.name), WordVectors.open(model)
    state = _state(model)
    _check_trainer(model, state, asked.name)
    known = {each.name for each in fields(trainer) if each.init} - ROOM
    before = {key: value for key, value in state.values["settings"].items() if key in known}
    params = tuple({**before, **dict(asked.params)}.items())
    return TRAINERS.create(Spec(asked.name, asked.target, params)), recorded_reading(vectors)


def recorded_reading(vectors: WordVectors) -> Reading:
    """How the texts of a model were read."""
    known = {each.name for each in fields(Reading)}
    recorded = vectors.info.get("reading") or {}
    kind = (vectors.info.get("tokenizer") or {}).get("kind", Reading.tokens)
    try:
        return Reading(**{"tokens": kind, **{key: value for key, value in recorded.items() if key in known}})
    except (TypeError, SpecError) as error:
        raise EmbeddingError(
            f"the word vectors do not say how their texts were read ({error})", "train a new model"
        ) from error


def start_from(model: Path, trainer: Trainer, reading: Reading) -> Start:
    """The model to go on from; raises `EmbeddingError` where it was made in a way that does not fit."""
    vectors, state = WordVectors.open(model), _state(model)
    _check_trainer(model, state, trainer.name)
    before, settings = state.values["settings"], trainer.settings()
    for key in trainer.fixed:
        if key in before and before[key] != settings[key]:
            raise EmbeddingError(
                f"{model} was trained with {key}={before[key]}, {key}={settings[key]} is asked for",
                f"give {key}={before[key]}, or leave it out",
            )
    earlier = recorded_reading(vectors)
    if tokenizer(reading.tokens).to_json() != tokenizer(earlier.tokens).to_json():
        raise EmbeddingError(
            f"the texts of {model} were cut by the tokenizer {earlier.tokens}, {reading.tokens} is asked for",
            "leave it as it was (--tokens), or train a new model",
        )
    for key in ("phrases", "phrase_threshold") if earlier.phrases else ("phrases",):
        if getattr(reading, key) != getattr(earlier, key):
            raise EmbeddingError(
                f"{model} was trained with {key}={getattr(earlier, key)}, {getattr(reading, key)} is asked for",
                "leave it out: an update joins the phrases of the model",
            )
    return Start(vectors, state.arrays, state.values["meta"])


def _state(model: Path) -> Checkpoint:
    if not (model / STATE).is_dir():
        raise EmbeddingError(
            f"{model} holds word vectors, but not the state of their training",
            "update a model that ragembed train made",
        )
    state = read_state(model / STATE)
    if not all(isinstance(state.values.get(name), dict) for name in ("settings", "meta")):
        raise CorruptError(
            f"the state of training in {model / STATE} does not say how the model was trained",
            "bring it back from a copy, or train a new model",
        )
    return state


def _check_trainer(model: Path, state: Checkpoint, name: str) -> None:
    found: Mapping[str, Any] = state.values
    if found.get("trainer") != name:
        raise EmbeddingError(
            f"{model} was trained by {found.get('trainer')}, not {name}", f"train {found.get('trainer')}"
        )
