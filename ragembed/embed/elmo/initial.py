"""Random weights to start a training from."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ragembed.embed.elmo.options import Options
from ragembed.embed.elmo.weights import shapes

if TYPE_CHECKING:
    from torch import Generator, Tensor

_CARRY_BIAS = -2.0
"""Highway layers begin by letting most through (Srivastava et al. 2015, section 2.1)."""


def initial_weights(options: Options, generator: Generator) -> dict[str, Tensor]:
    """Tensors under their published names, scaled by how many numbers each sums up."""
    import torch

    made: dict[str, Tensor] = {}
    for name, shape in shapes(options).items():
        if name == "char_embed":
            made[name] = torch.rand(shape, generator=generator) * 2 - 1
        elif name.endswith("b_carry"):
            made[name] = torch.full(shape, _CARRY_BIAS)
        elif len(shape) == 1:
            made[name] = torch.zeros(shape)
        else:
            summed = math.prod(shape[:-1])
            made[name] = torch.randn(shape, generator=generator) / math.sqrt(summed)
    return made


def initial_softmax(words: int, projection: int, generator: Generator) -> Tensor:
    """Rows ``(words, projection)`` of the output layer."""
    import torch

    return torch.randn((words, projection), generator=generator) / math.sqrt(projection)
