"""Which documents a search may find: conditions on metadata, written as text or as a dictionary.

``as_condition("lang = 'en' and year >= 2020")`` and ``as_condition({"lang": "en", "year": {"$gte": 2020}})`` are the
same `Condition`. The text is described in `ragembed.filters.parse`, the meaning in
`ragembed.filters.conditions`, both for users in docs/filters.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ragembed.errors import QueryError
from ragembed.filters.conditions import (
    DEEPEST,
    ID_KEY,
    And,
    Compare,
    Condition,
    Exists,
    Glob,
    Not,
    OneOf,
    Or,
    Prefix,
    Scalar,
    glob,
)
from ragembed.filters.parse import parse

__all__ = [
    "ID_KEY",
    "And",
    "Compare",
    "Condition",
    "Exists",
    "Glob",
    "Not",
    "OneOf",
    "Or",
    "Prefix",
    "Scalar",
    "Where",
    "as_condition",
    "from_dict",
    "parse",
]

Where = str | Mapping[str, Any] | Condition
"""All forms in which a filter is taken."""


def as_condition(where: Where | None) -> Condition | None:
    """A filter in any form as a condition; None, an empty text and an empty dictionary filter nothing.

    Raises `QueryError` where it makes no sense.
    """
    if isinstance(where, Condition):
        return where
    if isinstance(where, str):
        return parse(where) if where.strip() else None
    if isinstance(where, Mapping):
        return from_dict(where) if where else None
    if where is None:
        return None
    raise QueryError(
        f"a filter of type {type(where).__name__} is neither text nor a dictionary",
        "write it like \"lang = 'en'\" or {'lang': 'en'}",
    )


def from_dict(where: Mapping[str, Any]) -> Condition:
    """The condition that a dictionary in the manner of MongoDB and Chroma stands for.

    Keys are joined by ``and``. A value is a scalar (equal), a list (one of them), None (missing), or operators:
    ``{"$gte": 2020, "$lt": 2024}``. ``$and``, ``$or`` (lists of dictionaries) and ``$not`` join conditions.
    """
    return _all(where, 0)


def _all(where: object, level: int) -> Condition:
    if level > 2 * DEEPEST:
        raise QueryError(
            f"the filter nests more than {2 * DEEPEST} dictionaries", "write it with fewer levels"
        )
    if not isinstance(where, Mapping) or not where:
        raise QueryError(
            f"a condition is a dictionary with something in it, not {_shown(where)}",
            "write it like {'lang': 'en', 'year': {'$gte': 2020}}",
        )
    return _join(And, [_entry(key, value, level) for key, value in where.items()])


def _entry(key: object, value: object, level: int) -> Condition:
    if not isinstance(key, str):
        raise QueryError(f"a key of the filter is {_shown(key)}, not text", "name keys of metadata")
    if key in ("$and", "$or"):
        if not isinstance(value, (list, tuple)) or not value:
            raise QueryError(
                f"{key} takes a list of conditions, not {_shown(value)}", f"write {{{key!r}: [{{...}}]}}"
            )
        return _join(And if key == "$and" else Or, [_all(part, level + 1) for part in value])
    if key == "$not":
        return Not(_all(value, level + 1))
    if key.startswith("$"):
        raise QueryError(f"unknown operator {key!r}", f"valid are: $and, $or, $not; after a key: {_VALID}")
    return _field(key, value, level)


def _field(key: str, value: object, level: int) -> Condition:
    """What is asked of one key."""
    if not isinstance(value, Mapping):
        if value is None:
            return Not(Exists(key))
        return _one_of(key, value) if isinstance(value, (list, tuple)) else _compare("=")(key, value)
    if level > 2 * DEEPEST or not value:
        raise QueryError(
            f"{key!r} is asked for an empty or too deep dictionary", f"valid operators are: {_VALID}"
        )
    parts: list[Condition] = []
    for operator, operand in value.items():
        if operator == "$not":
            parts.append(Not(_field(key, operand, level + 1)))
        elif operator in _OPERATORS:
            parts.append(_OPERATORS[operator](key, operand))
        elif isinstance(operator, str) and not operator.startswith("$"):
            raise QueryError(
                f"{key!r} is compared with an object",
                f"ask for what is in it, as in {{'{key}.{operator}': ...}}",
            )
        else:
            raise QueryError(f"unknown operator {operator!r} for {key!r}", f"valid are: {_VALID}")
    return _join(And, parts)


def _join(join: type[And] | type[Or], parts: list[Condition]) -> Condition:
    return parts[0] if len(parts) == 1 else join(tuple(parts))


def _compare(operator: str) -> Callable[[str, Any], Condition]:
    return lambda key, value: Compare(key, operator, value)


def _equal(key: str, value: Any) -> Condition:
    return Not(Exists(key)) if value is None else Compare(key, "=", value)


def _one_of(key: str, values: object) -> OneOf:
    if not isinstance(values, (list, tuple, set, frozenset)):
        raise QueryError(
            f"$in and $nin for {key!r} take a list, not {_shown(values)}", "write {'$in': [...]}"
        )
    ordered = sorted(values, key=repr) if isinstance(values, (set, frozenset)) else values
    return OneOf(key, tuple(ordered))


def _exists(key: str, wanted: object) -> Condition:
    if not isinstance(wanted, bool):
        raise QueryError(
            f"$exists for {key!r} takes true or false, not {_shown(wanted)}", "write {'$exists': True}"
        )
    return Exists(key) if wanted else Not(Exists(key))


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}..."


_OPERATORS: dict[str, Callable[[str, Any], Condition]] = {
    "$eq": _equal,
    "$ne": lambda key, value: Exists(key) if value is None else Not(_equal(key, value)),
    "$lt": _compare("<"),
    "$lte": _compare("<="),
    "$gt": _compare(">"),
    "$gte": _compare(">="),
    "$in": _one_of,
    "$nin": lambda key, values: Not(_one_of(key, values)),
    "$prefix": Prefix,
    "$glob": glob,
    "$exists": _exists,
}
_VALID = ", ".join((*_OPERATORS, "$not"))
