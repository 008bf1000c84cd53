"""Which of a document's metadata go into the table ``fields``, where a filter finds them without reading JSON.

Each row is a key, a scalar and the document, as `ragembed.filters.conditions.pairs` has them. What would bloat the
table stays out of it: long texts, long lists, integers that SQLite has no room for. Their keys are *scanned*: a filter
on them reads the JSON of all metadata. A chunk's own metadata have no rows at all, so that their keys are scanned too.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from ragembed.filters.conditions import ID_KEY, Scalar, key_text, pairs

LONGEST_VALUE = 256
"""Characters of a text in the table."""
LONGEST_KEY = 256
"""Characters of a key in the table."""
MOST_ROWS = 1000
"""Rows of one document."""
MOST_SCANNED = 100
"""Keys of one document that are scanned by name; beyond that, `EVERY_KEY` is."""
MOST_NAMED = 1000
"""Keys of all documents together that are scanned by name."""
EVERY_KEY = "*"
"""Among the scanned keys, stands for all keys there are."""

Row = tuple[str, Scalar]


@dataclass(frozen=True, slots=True)
class Fields:
    """What of one document goes into the table."""

    rows: tuple[Row, ...]
    """Distinct ``(key, value)`` in the order of the metadata: the same metadata, the same rows, also for deletion."""
    scanned: frozenset[str]
    """Keys of which something was left out; their names may be those of objects, for all that is in them."""


def fields(metadata: Mapping[str, Any]) -> Fields:
    """The rows of a document's metadata, and which keys have to be scanned because something is left out.

    Linear in the size of the metadata. A key below which there is too much is left out as a whole, the largest first.
    """
    groups: dict[str, dict[Row, None]] = {}
    scanned: set[str] = set()
    for key, value in metadata.items():
        root = key_text(key)
        if root == ID_KEY:
            continue  # shadowed by the document's id
        rows, partial = _rows(root, value)
        if rows is None:
            scanned.add(root)
        else:
            groups[root] = rows
            scanned |= partial
    room = MOST_ROWS
    for root in sorted(groups, key=lambda root: len(groups[root])):
        room -= len(groups[root])
        if room < 0:
            scanned.add(root)
            groups[root] = {}
    if len(scanned) > MOST_SCANNED or any(len(key) > LONGEST_KEY for key in scanned):
        scanned = {EVERY_KEY}
    distinct = dict.fromkeys(
        row for rows in groups.values() for row in rows
    )  # "a.b" may be there in two ways
    return Fields(tuple(distinct), frozenset(scanned))


def own_keys(metadata: Mapping[str, Any]) -> frozenset[str]:
    """The keys that a chunk's own metadata make scanned."""
    keys = {key_text(key) for key in metadata} - {ID_KEY}
    return frozenset((EVERY_KEY,) if any(len(key) > LONGEST_KEY for key in keys) else keys)


def named(keys: Collection[str]) -> list[str]:
    """Scanned keys as an index notes them: sorted, or `EVERY_KEY` alone where there are too many."""
    return sorted(keys) if len(keys) <= MOST_NAMED else [EVERY_KEY]


def is_scanned(key: str, scanned: Collection[str]) -> bool:
    """Whether a condition on `key` has to read the metadata: because of that name, or of one above or below it."""
    return EVERY_KEY in scanned or any(
        name == key or key.startswith(f"{name}.") or name.startswith(f"{key}.") for name in scanned
    )


def _rows(root: str, value: object) -> tuple[dict[Row, None] | None, set[str]]:
    """The rows from one key down, None where there are too many, and the keys that lack a value."""
    rows: dict[Row, None] = {}
    partial: set[str] = set()
    for key, scalar in pairs({root: value}):
        if len(key) > LONGEST_KEY:
            return None, set()
        if isinstance(scalar, str):
            fits = len(scalar) <= LONGEST_VALUE
        else:
            fits = isinstance(scalar, float) or -(1 << 63) <= scalar < 1 << 63
        if fits:
            rows[key, scalar] = None
        else:
            partial.add(key)
        if len(rows) > MOST_ROWS or len(partial) > MOST_SCANNED:
            return None, set()
    return rows, partial
