"""Files of queries alone, for running them against an index."""

from __future__ import annotations

from pathlib import Path

from ragembed.datasets.rows import json_queries, tsv_rows
from ragembed.errors import DatasetError


def read_queries(path: Path) -> dict[str, str]:
    """``{id: text}`` from JSON Lines (``_id``, ``text``) or, for other suffixes, from lines ``id<TAB>text``."""
    if not path.is_file():
        raise DatasetError(f"there is no queries file {path}", "check the path")
    rows = json_queries(path) if {".jsonl", ".ndjson", ".json"} & set(path.suffixes) else tsv_rows(path)
    found: dict[str, str] = {}
    for place, identifier, text in rows:
        if identifier in found:
            raise DatasetError(f"{place} gives query {identifier!r} again", "give each query its own id")
        if not text.strip():
            raise DatasetError(f"{place}: query {identifier!r} is empty", "write its text, or leave it out")
        found[identifier] = text
    if not found:
        raise DatasetError(f"{path} holds no queries", 'write one per line: {"_id": "1", "text": "..."}')
    return found
