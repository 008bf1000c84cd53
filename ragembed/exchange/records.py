"""The lines of an export: JSON objects, read as what nobody vouches for. Every error names the file and the line."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from ragembed.errors import ReadError, StoreError
from ragembed.index.content import encode_metadata, is_storable

REMEDY = "export the index again, or fetch the export again from where it came"
_LONGEST_LINE = 1 << 30
"""Bytes; SQLite stores no text longer than 1,000,000,000."""
_LARGEST = (1 << 63) - 1
"""What SQLite stores as an integer."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Line:
    """One JSON object, and where it stands."""

    where: str
    number: int
    size: int
    values: Mapping[str, Any]

    def fail(self, what: str) -> NoReturn:
        """Raise a `ReadError` that names file and line."""
        raise ReadError(f"{self.where}: {what}", REMEDY)

    def text(self, name: str) -> str:
        """A string, valid Unicode."""
        value = self._value(name, lambda value: isinstance(value, str), "a string")
        if not is_storable(value):
            self.fail(f"{name} holds half a surrogate pair")
        return str(value)

    def optional_text(self, name: str) -> str | None:
        """A string or null."""
        return None if self.values.get(name) is None else self.text(name)

    def digest(self, name: str) -> str:
        """A sha256 in hexadecimal."""
        return str(self._value(name, is_sha256, "a sha256 in hexadecimal"))

    def integer(self, name: str, least: int = 0) -> int:
        """An integer of at least `least` that SQLite can store."""
        wanted = f"an integer from {least} to {_LARGEST}"
        return int(self._value(name, lambda value: type(value) is int and least <= value <= _LARGEST, wanted))

    def metadata(self) -> dict[str, Any]:
        """The object ``metadata``, such as can be stored."""
        value: dict[str, Any] = self._value("metadata", lambda value: isinstance(value, dict), "an object")
        try:
            encode_metadata(value, "this line")
        except StoreError as error:
            self.fail(error.fault)
        return value

    def _value(self, name: str, fits: Callable[[Any], bool], wanted: str) -> Any:
        if name not in self.values:
            self.fail(f"{name!r} is missing")
        value = self.values[name]
        if not fits(value):
            self.fail(f"{name} is {shown(value)}, not {wanted}")
        return value


def read_objects(path: Path) -> Iterator[Line]:
    """The JSON objects of a file, one a line; blank lines are none."""
    try:
        with path.open("rb") as file:
            number = 0
            while raw := file.readline(_LONGEST_LINE + 1):
                number += 1
                where = f"{path} line {number}"
                if len(raw) > _LONGEST_LINE:
                    raise ReadError(f"{where} has more than {_LONGEST_LINE:,} bytes", REMEDY)
                yield Line(where, number, len(raw), parse_object(raw, where))
    except OSError as error:
        raise ReadError(f"{path} cannot be read ({error.strerror})", "check its permissions") from error


def parse_object(raw: bytes, where: str) -> dict[str, Any]:
    """The JSON object that `raw` is; raises `ReadError` for anything else, NaN and infinity included."""
    try:
        value = json.loads(raw.decode("utf-8"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise ReadError(f"{where} is no JSON object ({reason[:200]})", REMEDY) from error
    if not isinstance(value, dict):
        raise ReadError(f"{where} is {shown(value)}, not a JSON object", REMEDY)
    return value


def is_sha256(value: object) -> bool:
    """Whether `value` is 64 hexadecimal digits."""
    return isinstance(value, str) and len(value) == 64 and set(value) <= set("0123456789abcdef")


def shown(value: object) -> str:
    """`value` for a message, cut short."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")
