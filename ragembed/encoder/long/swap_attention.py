"""An encoder with the weights of another and other attention: the modules are copied, and share their tensors."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, TypeVar, cast

from torch import nn

from ragembed.encoder.model import Attention, Encoder, Layer

Some = TypeVar("Some")


def swap_attention(encoder: Encoder, attention: Callable[[int, Attention], Attention]) -> Encoder:
    """A copy of `encoder` with what `attention` makes of each layer's number and attention; both share weights."""
    found = shallow_copy(encoder, Encoder)
    layers = [shallow_copy(layer, Layer) for layer in encoder.layers]
    for number, layer in enumerate(layers):
        layer.attention = attention(number, layer.attention)
    found.layers = nn.ModuleList(layers)
    return found


def shallow_copy(module: Any, kind: type[Some]) -> Some:
    """`module` as one of the class `kind`, whose parts can be exchanged without changing those of `module`.

    Parameters and hooks are shared.
    """
    found = copy.copy(module)
    inside = vars(found)
    inside["_modules"] = dict(inside["_modules"])
    found.__class__ = kind
    return cast("Some", found)
