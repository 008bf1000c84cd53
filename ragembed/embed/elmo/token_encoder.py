"""Characters of a word -> its vector without context: a CNN over characters, highway layers, a projection.

Source: Kim, Jernite, Sontag & Rush 2016, "Character-aware neural language models", section 2 (here the maximum over
positions is taken first, the activation after it); Srivastava, Greff & Schmidhuber 2015 for highway layers.

Notation: N words, L characters, E length of a character's vector, F features, P projection.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ragembed.embed.elmo.options import Options
from ragembed.embed.elmo.weights import PROJECTION, PROJECTION_BIAS

if TYPE_CHECKING:
    from torch import Tensor


def token_vectors(tensors: Mapping[str, Tensor], options: Options, ids: Tensor) -> Tensor:
    """Vectors ``(N, P)`` of words by the numbers of their characters ``(N, L)``; differentiable.

    L may be smaller than ``options.longest_word``: see `needed_characters`.
    """
    from torch.nn import functional

    table = functional.pad(tensors["char_embed"], (0, 0, 1, 0))  # (262, E): zeros where there is no word
    characters = functional.embedding(ids, table)  # (N, L, E)
    features: list[Tensor] = []
    for number, (width, count) in enumerate(options.filters):
        kernel = tensors[f"CNN/W_cnn_{number}"].reshape(-1, count)  # (width E, filters)
        # a product is as fast as conv1d, whose preparations are made anew for each N and L
        windows = characters.unfold(1, width, 1).transpose(2, 3).flatten(2)  # (N, L - width + 1, width E)
        features.append((windows @ kernel).amax(dim=1) + tensors[f"CNN/b_cnn_{number}"])
    return project(tensors, options, _joined(features))


def project(tensors: Mapping[str, Tensor], options: Options, x: Tensor) -> Tensor:
    """The CNN's maxima ``(N, F)`` through activation, highway layers and projection: ``(N, P)``."""
    x = x.tanh() if options.activation == "tanh" else x.relu()
    for number in range(options.highways):
        high = f"CNN_high_{number}"
        carry = (x @ tensors[f"{high}/W_carry"] + tensors[f"{high}/b_carry"]).sigmoid()
        new = (x @ tensors[f"{high}/W_transform"] + tensors[f"{high}/b_transform"]).relu()
        x = x + carry * (new - x)  # (N, F): the gate lets the new value through
    return x @ tensors[PROJECTION] + tensors[PROJECTION_BIAS]


def needed_characters(options: Options, longest: int) -> int:
    """Characters that decide the vectors of words of up to `longest` characters.

    The widest filter must see padding alone once, if it does so in the full length: more of it changes no maximum.
    """
    return min(options.longest_word, longest + max(width for width, _ in options.filters))


def _joined(features: list[Tensor]) -> Tensor:
    import torch

    return torch.cat(features, dim=1)
