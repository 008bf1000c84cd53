"""ELMo in plain numpy and float64, one sentence and one word after the other: what the fast code is held against.

Notation: P projection, C cells, F features of the CNN. All tensors by their published names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ragembed.embed.elmo.characters import BEGIN, END, character_ids
from ragembed.embed.elmo.options import Options
from ragembed.embed.elmo.weights import PROJECTION, PROJECTION_BIAS, cell

Real = NDArray[np.float64]
Published = Mapping[str, NDArray[Any]]
State = dict[tuple[int, int], tuple[Real, Real]]
"""By direction and layer the last output (P,) and the cells (C,)."""


def token_vector(word: str, options: Options, weights: Published) -> Real:
    """The vector (P,) of `word` without context."""
    table = np.vstack([np.zeros(options.char_dimension), weights["char_embed"]]).astype(float)  # (262, dim)
    characters = table[character_ids([word], options.longest_word)[0]]  # (longest, dim)
    features: list[float] = []
    for number, (width, count) in enumerate(options.filters):
        kernel, bias = (weights[f"CNN/{part}_cnn_{number}"].astype(float) for part in "Wb")
        windows = [characters[at : at + width].ravel() for at in range(len(characters) - width + 1)]
        features.extend((np.array(windows) @ kernel.reshape(-1, count)).max(axis=0) + bias)
    x = np.array(features)  # (F,)
    x = np.tanh(x) if options.activation == "tanh" else np.maximum(x, 0)
    for number in range(options.highways):
        high = f"CNN_high_{number}"
        carry = _sigmoid(x @ weights[f"{high}/W_carry"].astype(float) + weights[f"{high}/b_carry"])
        new = np.maximum(x @ weights[f"{high}/W_transform"].astype(float) + weights[f"{high}/b_transform"], 0)
        x = carry * new + (1 - carry) * x  # (F,)
    return np.asarray(x @ weights[PROJECTION].astype(float) + weights[PROJECTION_BIAS])  # (P,)


def activations(
    words: Sequence[str], options: Options, weights: Published, state: State | None = None
) -> Real:
    """All layers ``(1 + layers, len(words), 2 P)`` of one sentence; `state` is gone on from, and changed."""
    state = {} if state is None else state
    tokens = np.array([token_vector(word, options, weights) for word in (BEGIN, *words, END)])
    sides = [[tokens], [tokens[::-1]]]
    for direction, layers in enumerate(sides):
        for layer in range(options.layers):
            zeros = (np.zeros(options.projection), np.zeros(options.cells))
            last = state.get((direction, layer), zeros)
            outputs, last = _lstm(layers[-1], options, weights, cell(direction, layer), last)
            state[direction, layer] = last
            layers.append(outputs + layers[-1] if options.skip and layer else outputs)
    forwards, backwards = np.array(sides[0]), np.array(sides[1])[:, ::-1]
    return np.concatenate([forwards, backwards], axis=2)[:, 1:-1]


def _lstm(
    inputs: Real, options: Options, weights: Published, name: str, last: tuple[Real, Real]
) -> tuple[Real, tuple[Real, Real]]:
    matrix, bias, project = (weights[f"{name}/{part}"].astype(float) for part in ("W_0", "B", "W_P_0"))
    h, c = last
    outputs = []
    for x in inputs:
        i, j, f, o = np.split(np.concatenate([x, h]) @ matrix + bias, 4)
        c = _sigmoid(f + 1) * c + _sigmoid(i) * np.tanh(j)  # 1: the forget bias, which is not in B
        c = _clipped(c, options.cell_clip)
        h = _clipped((_sigmoid(o) * np.tanh(c)) @ project, options.proj_clip)
        outputs.append(h)
    return np.array(outputs), (h, c)


def _clipped(values: Real, bound: float | None) -> Real:
    return values if bound is None else np.clip(values, -bound, bound)


def _sigmoid(x: Real) -> Real:
    return np.asarray(0.5 * (1 + np.tanh(0.5 * x)))  # exp would overflow
