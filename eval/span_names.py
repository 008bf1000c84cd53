"""Names of the measures over spans: ``SpanR@5`` looks at the first 5 chunks, ``SpanR@4000c`` at 4,000 characters."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from ragembed.errors import SpecError
from ragembed.spec import Value

CHARACTERS = "c"
"""The unit of a cutoff in characters; without a unit it counts chunks."""

PAGE = 1000
"""Characters that weigh as one rank in SpanNDCG, about a chunk of usual size (200 to 250 English tokens)."""


@dataclass(frozen=True, slots=True)
class SpanKind:
    """What a measure over spans may be given."""

    has_cutoff: bool = True
    params: Mapping[str, Value] = field(default_factory=dict)
    """Parameters and their defaults."""


SPAN: dict[str, SpanKind] = {
    "SpanR": SpanKind(),
    "SpanP": SpanKind(),
    "SpanIoU": SpanKind(),
    "SpanNDCG": SpanKind(params={"page": PAGE}),
    "SpanPOmega": SpanKind(has_cutoff=False, params={"touching": True}),
}

_ALIASES = {
    **{name.lower(): name for name in SPAN},
    "spanrecall": "SpanR",
    "spanprecision": "SpanP",
    "spanprecisionomega": "SpanPOmega",
}
_CUTOFF = re.compile(r"([0-9]{1,15})\s*([cC]?)")


def span_name(name: str) -> str | None:
    """The canonical name, whatever the case and with or without underscores; None for what is not over spans."""
    return _ALIASES.get(name.lower().replace("_", ""))


def span_cutoff(text: str, name: str, written: str | None) -> tuple[int | None, str]:
    """Number and unit of the cutoff of `text`, a measure called `name`; raises `SpecError` for one that is wrong."""
    if not SPAN[name].has_cutoff:
        if written is not None:
            raise SpecError(
                f"measure {text!r}: {name} looks at all chunks and takes no cutoff", f"write {name}"
            )
        return None, ""
    examples = f"write {name}@5 for the first 5 chunks, {name}@4000c for the first 4000 characters"
    if written is None:
        raise SpecError(f"measure {text!r} lacks a cutoff", examples)
    match = _CUTOFF.fullmatch(written.strip())
    if match is None or int(match.group(1)) < 1:
        raise SpecError(
            f"measure {text!r}: {written!r} is no cutoff of chunks or characters from 1", examples
        )
    return int(match.group(1)), match.group(2).lower()


def span_params(text: str, name: str, given: Mapping[str, Value]) -> tuple[tuple[str, Value], ...]:
    """The parameters that differ from the defaults, sorted; raises `SpecError` for one that is unknown or wrong."""
    defaults = SPAN[name].params
    for key, value in given.items():
        if key not in defaults:
            valid = ", ".join(defaults) or "none"
            raise SpecError(
                f"measure {text!r} has no parameter {key!r}", f"parameters of {name} are: {valid}"
            )
        wanted = defaults[key]
        if type(value) is not type(wanted) or (
            isinstance(value, int) and not isinstance(value, bool) and value < 1
        ):
            kind = "true or false" if isinstance(wanted, bool) else "a whole number from 1"
            raise SpecError(
                f"measure {text!r}: {key} is {value!r}",
                f"give {kind}; without it, it is {str(wanted).lower()}",
            )
    return tuple(sorted((key, value) for key, value in given.items() if value != defaults[key]))
