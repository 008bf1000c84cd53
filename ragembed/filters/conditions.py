"""Conditions on metadata: the tree that both forms of a filter become, and what it means, in plain Python.

Metadata are seen as pairs of a key and a scalar (`pairs`): an object's key and its members' keys are joined by
dots, a list gives one pair for each element, null gives none. A test holds where *some* pair of its key passes it, so
that ``tags = 'new'`` asks whether one of the tags is; ``not`` is the exact opposite of what it stands before, also
where the key is missing. This module is the specification; `ragembed.filters.sql` finds the same in SQL.
"""

from __future__ import annotations

import functools
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, cast

from ragembed.errors import QueryError

Scalar = str | int | float | bool
"""true is the number 1 and false is 0, as in JSON's relatives SQLite and Python."""

ID_KEY = "_id"
"""Stands for the document's id in every condition; metadata of that name cannot be asked for."""
PATH_KEY = "path"
"""Whose patterns may begin at any folder of the path."""
DEEPEST = 32
"""How many ``and``, ``or`` and ``not`` may lie within each other; ``and`` directly within ``and`` counts once."""
MOST_VALUES = 30_000
"""How many values ``in`` takes: SQLite has 32,766 parameters in a statement."""
RESERVED = frozenset(("and", "or", "not", "exists", "true", "false", "null"))

BARE_KEY = re.compile(r"[^\W\d][\w.-]*")
BARE_PATTERN = re.compile(r"[^\s()'\",]+")
_LARGEST_BITS = 4096  # Python prints integers of up to 4,300 digits
_COMPARISONS = ("=", "<", "<=", ">", ">=")

Pairs = Mapping[str, Sequence[Scalar]]


@dataclass(frozen=True)
class Condition:
    """A truth about metadata. `str` prints it such that parsing gives it back; equal ones print alike."""

    def keys(self) -> frozenset[str]:
        """All keys that it asks for."""
        raise NotImplementedError

    def holds(self, values: Pairs) -> bool:
        """Whether it is true where `values` lists each key's scalars, as `pairs` finds them."""
        raise NotImplementedError

    def matches(self, metadata: Mapping[str, Any]) -> bool:
        """Whether it is true of `metadata`, in which `ID_KEY` has to be the document's id."""
        roots, below = self._roots
        relevant = {
            name: value
            for name, value in ((key_text(key), value) for key, value in metadata.items())
            if name in roots or name.startswith(below)
        }
        values: dict[str, list[Scalar]] = {}
        for key, value in pairs(relevant):
            values.setdefault(key, []).append(value)
        return self.holds(values)

    @functools.cached_property
    def depth(self) -> int:
        """How many ``and``, ``or`` and ``not`` lie within each other."""
        return 0

    @functools.cached_property
    def _roots(self) -> tuple[frozenset[str], tuple[str, ...]]:
        """The only keys of metadata, and beginnings of keys, from which the pairs it asks for can come."""
        keys = self.keys()
        steps = (key.split(".") for key in keys)
        roots = frozenset(".".join(step[:n]) for step in steps for n in range(1, len(step) + 1))
        return roots, tuple(f"{key}." for key in keys)

    def _operand(self) -> str:
        """As printed within ``and``, ``or`` and ``not``."""
        return str(self)

    def _opposite(self) -> str:
        return f"not {self._operand()}"


@dataclass(frozen=True)
class Leaf(Condition):
    """A condition on one key: it holds where some scalar of that key passes."""

    key: str

    def __post_init__(self) -> None:
        _check_text(self.key, "a key")

    def keys(self) -> frozenset[str]:
        return frozenset((self.key,))

    def holds(self, values: Pairs) -> bool:
        return any(map(self.passes, values.get(self.key, ())))

    def passes(self, value: Scalar) -> bool:
        """Whether a scalar passes the test."""
        raise NotImplementedError


@dataclass(frozen=True)
class Compare(Leaf):
    """``year >= 2020``. Text is never equal to, before or after a number. Text goes by code point."""

    operator: str
    value: Scalar

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.operator not in _COMPARISONS:
            raise QueryError(
                f"unknown comparison {self.operator!r}",
                f"valid are: {', '.join(_COMPARISONS)}, and Not for !=",
            )
        object.__setattr__(self, "value", checked(self.value, self.key))

    def __str__(self) -> str:
        return f"{print_key(self.key)} {self.operator} {print_value(self.value)}"

    def _opposite(self) -> str:
        if self.operator == "=":
            return f"{print_key(self.key)} != {print_value(self.value)}"
        return super()._opposite()

    def passes(self, value: Scalar) -> bool:
        if isinstance(value, str) is not isinstance(self.value, str):
            return False
        left, right = cast("tuple[Any, Any]", (value, self.value))
        match self.operator:
            case "=":
                return bool(left == right)
            case "<":
                return bool(left < right)
            case "<=":
                return bool(left <= right)
            case ">":
                return bool(left > right)
            case _:
                return bool(left >= right)


@dataclass(frozen=True)
class OneOf(Leaf):
    """``lang in ('en', 'fr')``."""

    values: tuple[Scalar, ...]
    _set: frozenset[Scalar] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.values) > MOST_VALUES:
            raise QueryError(
                f"{len(self.values)} values for {self.key!r} are more than the {MOST_VALUES} allowed",
                "ask in several queries",
            )
        object.__setattr__(self, "values", tuple(checked(value, self.key) for value in self.values))
        object.__setattr__(self, "_set", frozenset(self.values))

    def __str__(self) -> str:
        return f"{print_key(self.key)} in ({', '.join(map(print_value, self.values))})"

    def _opposite(self) -> str:
        return f"{print_key(self.key)} not in ({', '.join(map(print_value, self.values))})"

    def passes(self, value: Scalar) -> bool:
        return value in self._set


@dataclass(frozen=True)
class Prefix(Leaf):
    """``title prefix 'How to'``: text that begins so."""

    text: str

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_text(self.text, f"the prefix of {self.key!r}")

    def __str__(self) -> str:
        return f"{print_key(self.key)} prefix {print_value(self.text)}"

    def passes(self, value: Scalar) -> bool:
        return isinstance(value, str) and value.startswith(self.text)


@dataclass(frozen=True)
class Glob(Leaf):
    """``path:guide/*``: text of that shape as a whole; ``*`` is any characters, also ``/``, and ``?`` is one."""

    pattern: str

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_text(self.pattern, f"the pattern of {self.key!r}")

    def __str__(self) -> str:
        anchored = self.key == PATH_KEY and not self.pattern.startswith("*")
        pattern = f"/{self.pattern}" if anchored else self.pattern
        return f"{print_key(self.key)}:{pattern if BARE_PATTERN.fullmatch(pattern) else print_value(pattern)}"

    def passes(self, value: Scalar) -> bool:
        return isinstance(value, str) and glob_regex(self.pattern).fullmatch(value) is not None


@dataclass(frozen=True)
class Exists(Leaf):
    """``exists author``: the key has a value other than null, or is an object that has one in it."""

    def __str__(self) -> str:
        return f"exists {print_key(self.key)}"

    def holds(self, values: Pairs) -> bool:
        return self.key in values or any(key.startswith(f"{self.key}.") for key in values)


@dataclass(frozen=True)
class Not(Condition):
    """The exact opposite of a condition."""

    part: Condition

    def __post_init__(self) -> None:
        _check_depth(self)

    @functools.cached_property
    def depth(self) -> int:
        """How many ``and``, ``or`` and ``not`` lie within each other."""
        return 1 + self.part.depth

    def __str__(self) -> str:
        return self.part._opposite()

    def keys(self) -> frozenset[str]:
        return self.part.keys()

    def holds(self, values: Pairs) -> bool:
        return not self.part.holds(values)


@dataclass(frozen=True)
class Group(Condition):
    """Two or more conditions joined by one word; those that are joined by the same word are taken in."""

    parts: tuple[Condition, ...]
    word: ClassVar[str] = ""

    def __post_init__(self) -> None:
        flat: list[Condition] = []
        for part in self.parts:
            flat.extend(part.parts if isinstance(part, Group) and type(part) is type(self) else (part,))
        if len(flat) < 2:
            raise QueryError(
                f"{self.word!r} joins two or more conditions, not {len(flat)}", "use the one condition alone"
            )
        object.__setattr__(self, "parts", tuple(flat))
        _check_depth(self)

    @functools.cached_property
    def depth(self) -> int:
        """How many ``and``, ``or`` and ``not`` lie within each other."""
        return 1 + max(part.depth for part in self.parts)

    def __str__(self) -> str:
        return f" {self.word} ".join(part._operand() for part in self.parts)

    def _operand(self) -> str:
        return f"({self})"

    def keys(self) -> frozenset[str]:
        return frozenset().union(*(part.keys() for part in self.parts))


@dataclass(frozen=True)
class And(Group):
    """All of the conditions."""

    word: ClassVar[str] = "and"

    def holds(self, values: Pairs) -> bool:
        return all(part.holds(values) for part in self.parts)


@dataclass(frozen=True)
class Or(Group):
    """At least one of the conditions."""

    word: ClassVar[str] = "or"

    def holds(self, values: Pairs) -> bool:
        return any(part.holds(values) for part in self.parts)


def glob(key: str, pattern: str) -> Condition:
    """What ``key:pattern`` means: for a path, the pattern of what begins at any of its folders.

    ``path:guide/*`` finds ``guide/a.md`` and ``docs/guide/a.md``, since a path begins with the name of whatever folder
    was indexed; ``path:/guide/*`` finds only the first.
    """
    if key != PATH_KEY or pattern.startswith("*"):
        return Glob(key, pattern)
    if pattern.startswith("/"):
        return Glob(key, pattern[1:])
    return Or((Glob(key, pattern), Glob(key, f"*/{pattern}")))


def pairs(metadata: Mapping[str, Any]) -> Iterator[tuple[str, Scalar]]:
    """All ``(key, scalar)`` of metadata.

    ``{"tags": ["a", "b"], "author": {"name": "x"}, "n": None}`` gives ``tags`` twice and ``author.name``. A key with a
    dot in it is the same as nesting: ``{"author.name": "x"}`` gives that too.
    """
    levels = [_items(metadata, "")]  # iterators, so that the keys of a level are made one at a time
    while levels:
        for key, value in levels[-1]:
            if isinstance(value, (str, int, float)):
                yield key, value
            elif isinstance(value, Mapping):
                levels.append(_items(value, f"{key}."))
                break
            elif isinstance(value, (list, tuple)):
                levels.append(_elements(value, key))
                break
        else:
            levels.pop()


@functools.lru_cache(maxsize=256)
def glob_regex(pattern: str) -> re.Pattern[str]:
    """A regular expression for the pattern of a `Glob`, to be used with `fullmatch`.

    Each part between stars is searched for once, at the first place where it fits, and never again (an atomic
    group): taking the first place is always right, and keeps the time below pattern times text.
    """
    first, *parts = (
        "".join("." if character == "?" else re.escape(character) for character in part)
        for part in re.sub(r"\*+", "*", pattern).split("*")
    )
    if not parts:
        return re.compile(first, re.DOTALL)
    middle = "".join(f"(?>.*?{part})" for part in parts[:-1])
    return re.compile(f"{first}{middle}.*{parts[-1]}", re.DOTALL)


def checked(value: object, key: str) -> Scalar:
    """`value` as a plain text, number or truth value; `QueryError` where it is nothing that can be compared."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        _check_text(value, f"the value of {key!r}")
        return str.__str__(value)
    if isinstance(value, int) and value.bit_length() <= _LARGEST_BITS:
        return int(value)
    if isinstance(value, float) and math.isfinite(value):
        return float(value)
    if isinstance(value, (int, float)):
        raise QueryError(f"the number for {key!r} is NaN, infinite or too large", "use a finite number")
    raise QueryError(
        f"{key!r} is compared with a value of type {type(value).__name__}",
        "use text, numbers, true or false; dates are text such as '2024-05-31'",
    )


def print_key(key: str) -> str:
    """A key as it is written: in brackets where it holds odd characters or is a word of the language."""
    if BARE_KEY.fullmatch(key) and key.lower() not in RESERVED:
        return key
    return f"[{key.replace(']', ']]')}]"


def print_value(value: Scalar) -> str:
    """A scalar as it is written."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return repr(value)


def key_text(key: object) -> str:
    """A key as JSON would have it: Python's dictionaries may have others than text."""
    return key if isinstance(key, str) else json.dumps(key)


def _items(metadata: Mapping[Any, Any], above: str) -> Iterator[tuple[str, Any]]:
    return ((above + key_text(key), value) for key, value in metadata.items())


def _elements(values: Sequence[Any], key: str) -> Iterator[tuple[str, Any]]:
    return ((key, value) for value in values)


def _check_text(value: object, what: str) -> None:
    if not isinstance(value, str):
        raise QueryError(f"{what} is of type {type(value).__name__}, not text", "use text")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise QueryError(
            f"{what} has half a surrogate pair at character {error.start + 1}", "use valid Unicode"
        ) from error


def _check_depth(condition: Condition) -> None:
    if condition.depth > DEEPEST:
        raise QueryError(
            f"conditions lie more than {DEEPEST} deep in each other", "write it with fewer levels"
        )
