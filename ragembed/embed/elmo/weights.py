"""The weights of an ELMo model as arrays under their published names, and which shapes they must have."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ragembed.embed.elmo.options import CHARACTERS, Options
from ragembed.errors import EmbeddingError

Weights = dict[str, NDArray[np.float32]]
"""By the names of the published files."""

DIRECTIONS = 2
"""0: forwards, 1: backwards."""

PROJECTION = "CNN_proj/W_proj"
PROJECTION_BIAS = "CNN_proj/b_proj"


def cell(direction: int, layer: int) -> str:
    """Name of an LSTM layer; its weights are ``W_0``, ``B`` and ``W_P_0`` below it."""
    return f"RNN_{direction}/RNN/MultiRNNCell/Cell{layer}/LSTMCell"


def shapes(options: Options) -> dict[str, tuple[int, ...]]:
    """Name and shape of every tensor that a model with these options has."""
    features, projection, cells = options.features, options.projection, options.cells
    expected: dict[str, tuple[int, ...]] = {"char_embed": (CHARACTERS, options.char_dimension)}
    for number, (width, count) in enumerate(options.filters):
        expected[f"CNN/W_cnn_{number}"] = (1, width, options.char_dimension, count)
        expected[f"CNN/b_cnn_{number}"] = (count,)
    for number in range(options.highways):
        for gate in ("carry", "transform"):
            expected[f"CNN_high_{number}/W_{gate}"] = (features, features)
            expected[f"CNN_high_{number}/b_{gate}"] = (features,)
    expected[PROJECTION] = (features, projection)
    expected[PROJECTION_BIAS] = (projection,)
    for direction in range(DIRECTIONS):
        for layer in range(options.layers):
            name = cell(direction, layer)
            expected[f"{name}/W_0"] = (2 * projection, 4 * cells)  # first what comes in, then the last output
            expected[f"{name}/B"] = (4 * cells,)  # gates i, j, f, o
            expected[f"{name}/W_P_0"] = (cells, projection)
    return expected


def missing_identities(options: Options, present: Iterable[str]) -> Weights:
    """Projections that change nothing, which the published program leaves out where both sides are as long."""
    found, here = Weights(), set(present)
    if options.features == options.projection and PROJECTION not in here:
        found[PROJECTION] = np.eye(options.projection, dtype=np.float32)
        found[PROJECTION_BIAS] = np.zeros(options.projection, np.float32)
    if options.cells == options.projection:
        for direction in range(DIRECTIONS):
            for layer in range(options.layers):
                name = f"{cell(direction, layer)}/W_P_0"
                if name not in here:
                    found[name] = np.eye(options.projection, dtype=np.float32)
    return found


def check(options: Options, found: Mapping[str, tuple[int, ...]], where: object) -> None:
    """Raise `EmbeddingError` unless `found` has every shape that `options` ask for."""
    for name, shape in shapes(options).items():
        if name not in found:
            raise EmbeddingError(f"{where} lacks the tensor {name}", "give weights and options of one model")
        if found[name] != shape:
            raise EmbeddingError(
                f"{where}: tensor {name} has shape {found[name]}, the options want {shape}",
                "give weights and options of one model",
            )


def check_finite(weights: Weights, where: object) -> None:
    """Raise `EmbeddingError` where a weight is NaN or infinite."""
    for name, values in weights.items():
        if not np.isfinite(values).all():
            raise EmbeddingError(f"{where}: tensor {name} holds NaN or infinity", "fetch or train it again")


def digest(options: Options, weights: Mapping[str, NDArray[Any]]) -> str:
    """sha256 over options and weights, the same from whichever file they were read."""
    found = hashlib.sha256(json.dumps(options.to_json(), sort_keys=True).encode())
    for name in sorted(shapes(options)):
        found.update(name.encode())
        found.update(np.ascontiguousarray(weights[name], "<f4").data)
    return found.hexdigest()
