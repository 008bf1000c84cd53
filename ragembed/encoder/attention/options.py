"""Options of a mechanism, checked against the annotations of its signature before anything is computed."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import cache
from inspect import Parameter, signature
from numbers import Integral, Real
from typing import Any

from ragembed.errors import SpecError

POSITIVE = frozenset({"scale", "timeout"})
"""Options of which 0 and less make no sense, whichever mechanism has them."""


def check(options: Mapping[str, Any], parameters: Mapping[str, Parameter]) -> None:
    """Raise `SpecError` for a value that does not fit its annotation; annotations not in `KINDS` are not checked."""
    for name, value in options.items():
        kind, *others = str(parameters[name].annotation).split(" | ")
        if kind not in KINDS or (value is None and "None" in others):
            continue
        fits, remedy = KINDS[kind]
        if not fits(value):
            raise SpecError(f"{name} is {value!r:.80}", f"give {remedy}")
        if name in POSITIVE and value is not None and not value > 0:
            raise SpecError(f"{name} is {value}", "give a number above 0")


def check_call(function: Callable[..., Any], **options: Any) -> None:
    """The same for arguments of a function or a class."""
    check(options, parameters_of(function))


@cache
def parameters_of(function: Callable[..., Any]) -> Mapping[str, Parameter]:
    """Its parameters by name; read once, for a step of decoding takes no longer than reading them."""
    return signature(function).parameters


def _integer(value: Any) -> bool:
    return not isinstance(value, bool) and isinstance(value, Integral) and abs(int(value)) < 2**63


def _number(value: Any) -> bool:
    try:
        return not isinstance(value, bool) and isinstance(value, Real) and math.isfinite(value)
    except OverflowError:  # an integer beyond all floats
        return False


def _tensor(value: Any) -> bool:
    import torch

    return isinstance(value, torch.Tensor)


def _each(fits: Callable[[Any], bool], values: Any) -> bool:
    return isinstance(values, tuple | list) and all(map(fits, values))


KINDS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "bool": (lambda value: isinstance(value, bool), "True or False"),
    "int": (_integer, "an integer of 64 bits at most"),
    "float": (_number, "a finite number"),
    "tuple[int, int]": (lambda value: _each(_integer, value) and len(value) == 2, "two integers"),
    "list[int]": (lambda value: isinstance(value, list), "a list"),
    "Tensor": (_tensor, "a tensor"),
    "tuple[Tensor, Tensor, Tensor]": (lambda value: _each(_tensor, value), "query, key and value"),
}
"""By annotation: whether a value fits it, and what to give."""
