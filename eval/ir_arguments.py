"""What ir_measures' measures are given: checked here, as its own errors show Python objects and let NaN pass."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ragembed.errors import SpecError
from ragembed.spec import Value

_EXAMPLES: dict[type, Value] = {int: 3, float: 0.5, bool: True, str: "..."}
_AT_EXAMPLES: dict[type, Value] = {int: 10, float: 0.1}
_AT = {"cutoff": "cutoff", "recall": "recall level"}


def ir_arguments(
    text: str, kind: Any, params: Mapping[str, Value], cutoff: int | float | None
) -> dict[str, Value]:
    """The keyword arguments for `kind`, a class of ir_measures' measures; `text` is how the measure is written.

    Whole numbers become floats where those are wanted. Raises `SpecError` for a parameter that is missing, and for a
    cutoff (or recall level) that is out of range or not taken; what else may be wrong is for ir_measures to say.
    """
    known, at = kind.SUPPORTED_PARAMS, kind.AT_PARAM
    arguments = dict(params)
    if cutoff is not None:
        if at not in known:
            raise SpecError(f"measure {text} takes no cutoff", f"write for example {_example(kind)}")
        arguments[at] = cutoff
    arguments = {key: as_wanted(kind, key, value) for key, value in arguments.items()}
    lacking = [key for key, info in known.items() if info.required and key not in arguments]
    if lacking:
        names = " and ".join(
            f"a {_AT[key]}" if key == at else f"{key} ({known[key].desc})" for key in lacking
        )
        raise SpecError(f"measure {text} lacks {names}", f"write for example {_example(kind)}")
    if cutoff is not None:
        _check_cutoff(text, kind, cutoff)
    return arguments


def as_wanted(kind: Any, key: str, value: Value) -> Value:
    """`value` as a float where the parameter `key` of `kind` is one."""
    info = kind.SUPPORTED_PARAMS.get(key)
    return float(value) if info is not None and info.dtype is float and type(value) is int else value


def _check_cutoff(text: str, kind: Any, cutoff: int | float) -> None:
    if kind.SUPPORTED_PARAMS[kind.AT_PARAM].dtype is float:
        fits, wanted = 0 <= cutoff <= 1, "number from 0 to 1"  # NaN is none
    else:
        fits, wanted = isinstance(cutoff, int) and cutoff >= 1, "whole number from 1"
    if not fits:
        raise SpecError(
            f"measure {text}: the {_AT[kind.AT_PARAM]} {cutoff} is no {wanted}",
            f"write for example {_example(kind)}",
        )


def _example(kind: Any) -> str:
    """A name of `kind` with all that it requires, and a cutoff where it takes one."""
    known, at = kind.SUPPORTED_PARAMS, kind.AT_PARAM
    given = [f"{key}={_EXAMPLES[info.dtype]}" for key, info in known.items() if info.required and key != at]
    head = f"{kind.__name__}({','.join(given)})" if given else kind.__name__
    return f"{head}@{_AT_EXAMPLES[known[at].dtype]}" if at in known else head
