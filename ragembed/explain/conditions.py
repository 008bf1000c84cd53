"""Which part of a filter a chunk fails, and what its metadata have there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ragembed.filters.conditions import ID_KEY, Condition, Group, pairs
from ragembed.types import Chunk

_SHOWN = 5
"""Values of a key that are told."""


def failing(condition: Condition, chunk: Chunk) -> list[dict[str, Any]]:
    """The smallest parts of `condition` that are false of a chunk, each with the values of its keys.

    Of conditions joined by ``and`` those that fail, of those joined by ``or`` all.
    """
    metadata = {**chunk.metadata, ID_KEY: chunk.document_id}
    return [
        {"condition": str(part), "values": _values(part, metadata)} for part in _failing(condition, metadata)
    ]


def _failing(condition: Condition, metadata: Mapping[str, Any]) -> list[Condition]:
    if condition.matches(metadata):
        return []
    if isinstance(condition, Group):
        return [leaf for part in condition.parts for leaf in _failing(part, metadata)]
    return [condition]


def _values(condition: Condition, metadata: Mapping[str, Any]) -> dict[str, list[Any]]:
    values: dict[str, list[Any]] = {key: [] for key in sorted(condition.keys())}
    for key, value in pairs(metadata):
        if key in values and len(values[key]) < _SHOWN:
            values[key].append(value)
    return values
