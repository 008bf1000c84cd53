"""Bias tests as JSON: lists of target and attribute words, each test under its name.

``{"Flowers_Insects": {"method": "weat", "X_key": "Flowers", "Y_key": "Insects", "A_key": "Pleasant", "B_key":
"Unpleasant", "Flowers": ["aster", ...], "Insects": [...], "Pleasant": [...], "Unpleasant": [...]}}``; method ``wefat``
has one list of targets, under ``W_key``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ragembed.errors import DatasetError
from ragembed.lines import read_lines

METHODS = {"weat": ("X_key", "Y_key", "A_key", "B_key"), "wefat": ("W_key", "A_key", "B_key")}
"""The lists of each method: targets, then the two lists of attributes."""


@dataclass(frozen=True, slots=True)
class WordList:
    """Words under a label, each once, in the order of the file."""

    label: str
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BiasTest:
    """One test: which of the targets stand nearer to the first attributes than to the second?"""

    name: str
    targets: tuple[WordList, ...]
    """X and Y of a WEAT, W alone of a WEFAT."""
    attributes: tuple[WordList, WordList]
    """A and B."""

    @property
    def method(self) -> str:
        """``weat`` or ``wefat``."""
        return "weat" if len(self.targets) == 2 else "wefat"

    def words(self) -> Iterator[str]:
        """All words, some of them perhaps twice."""
        for one in (*self.targets, *self.attributes):
            yield from one.words


def is_bias(line: str) -> bool:
    """Whether `line` begins a file of bias tests."""
    return line.lstrip().startswith("{")


def read_bias(path: Path) -> list[BiasTest]:
    """The tests of the JSON file at `path`, in its order. A word that a list holds twice counts once."""
    try:
        found = json.loads("\n".join(line for _, line in read_lines(path)))
    except (ValueError, RecursionError) as error:
        raise DatasetError(
            f"{path} is no JSON of bias tests ({error})", "mend it; of a test collection name the folder"
        ) from error
    if not isinstance(found, dict) or not found:
        raise DatasetError(f"{path} holds no bias tests", 'write {"name of a test": {...}, ...}')
    return [_test(path, name, one) for name, one in found.items()]


def _test(path: Path, name: str, found: Any) -> BiasTest:
    where = f"{path}: test {name!r}"
    if not isinstance(found, dict):
        raise DatasetError(f"{where} is no JSON object", "write its lists of words under their labels")
    method = found.get("method", "weat" if "X_key" in found else "wefat")
    if method not in METHODS:
        raise DatasetError(f"{where} has the method {method!r}", f"valid are: {', '.join(METHODS)}")
    *targets, a, b = (_word_list(where, found, key) for key in METHODS[method])
    if len(targets) == 2 and (both := set(targets[0].words) & set(targets[1].words)):
        raise DatasetError(
            f"{where} has {min(both)!r} among both lists of targets", "take it out of one of them"
        )
    return BiasTest(name, tuple(targets), (a, b))


def _word_list(where: str, found: Mapping[str, Any], key: str) -> WordList:
    label = found.get(key)
    words = found.get(label) if isinstance(label, str) else None
    if not isinstance(label, str) or not isinstance(words, list):
        raise DatasetError(
            f"{where} lacks the list that {key} names",
            f'write "{key}": "label" and "label": ["word", ...]',
        )
    if not words or not all(isinstance(word, str) and word.strip() for word in words):
        raise DatasetError(f"{where}: the list {label!r} is empty or holds what is no word", "write words")
    return WordList(label, tuple(dict.fromkeys(word.strip() for word in words)))
