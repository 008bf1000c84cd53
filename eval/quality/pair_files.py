"""Files of pairs with a score that people gave: of words (WS-353, SimLex-999, MEN) and of sentences (STS-B)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ragembed.errors import DatasetError
from ragembed.lines import fields, read_lines

_WORDS = (("word1", "word2"),)
_SENTENCES = (("sentence1", "sentence2"), ("sentence_a", "sentence_b"))
_SCORES = ("score", "human(mean)", "simlex999", "similarity", "relatedness", "relatedness_score", "rating")
"""Names of columns, in lower case and without spaces."""


@dataclass(frozen=True, slots=True)
class Pairs:
    """Pairs of texts, and how similar people found them."""

    left: list[str]
    right: list[str]
    scores: NDArray[np.float64]
    """``(n,)``, on whatever scale the file has."""

    def __len__(self) -> int:
        return len(self.left)


@dataclass(frozen=True, slots=True)
class _Columns:
    """Where in a line things stand."""

    left: int
    right: int
    score: int
    cells: int
    """How many cells every line has."""
    more: bool = False
    """Whether a line may have more of them."""
    header: bool = False
    """Whether the first line names the columns."""


_OFFICIAL = _Columns(left=5, right=6, score=4, cells=7, more=True)
"""STS-B as it was first handed out: genre, file, year, number, score, two sentences and, on some lines, sources."""


def is_word_pairs(line: str) -> bool:
    """Whether `line` begins a file of word pairs."""
    return _word_columns(_cells(line)) is not None


def is_sentence_pairs(line: str) -> bool:
    """Whether `line` begins a file of sentence pairs."""
    return _sentence_columns(line.split("\t")) is not None


def read_word_pairs(path: Path) -> Pairs:
    """Word pairs: ``word word score`` between tabs, commas or white space; other columns need a header.

    Lines that begin with ``#`` are comments. A pair that stands twice counts twice.
    """
    rows = [(number, _cells(line)) for number, line in read_lines(path) if line.strip() and line[0] != "#"]
    return _pairs(path, rows, _word_columns(rows[0][1]))


def read_sentence_pairs(path: Path) -> Pairs:
    """Sentence pairs between tabs: ``score sentence sentence``, the original columns of STS-B, or any with a header.

    Quotation marks are part of a sentence.
    """
    rows = [(number, line.split("\t")) for number, line in read_lines(path) if line.strip()]
    return _pairs(path, rows, _sentence_columns(rows[0][1]))


def _cells(line: str) -> list[str]:
    """The cells of a line of words, cut at its tabs, else its commas, else its white space."""
    mark = next((mark for mark in "\t," if mark in line), None)
    return fields(line) if mark is None else line.split(mark)


def _word_columns(first: Sequence[str]) -> _Columns | None:
    if len(first) == 3 and _number(first[2]) is not None:
        return _Columns(left=0, right=1, score=2, cells=3)
    return _named_columns(first, _WORDS)


def _sentence_columns(first: Sequence[str]) -> _Columns | None:
    if len(first) == 3 and _number(first[0]) is not None:
        return _Columns(left=1, right=2, score=0, cells=3)
    if len(first) >= _OFFICIAL.cells and _number(first[_OFFICIAL.score]) is not None:
        return _OFFICIAL
    return _named_columns(first, _SENTENCES)


def _named_columns(header: Sequence[str], sides: Sequence[tuple[str, str]]) -> _Columns | None:
    names = ["".join(name.lower().split()) for name in header]
    score = next((names.index(name) for name in _SCORES if name in names), None)
    for left, right in sides:
        if score is not None and left in names and right in names:
            return _Columns(names.index(left), names.index(right), score, len(names), header=True)
    return None


def _pairs(path: Path, rows: Sequence[tuple[int, list[str]]], columns: _Columns | None) -> Pairs:
    if columns is None:
        raise DatasetError(f"{path} line {rows[0][0]} is no row of pairs", "see docs/embedding-quality.md")
    left, right, scores = [], [], []
    for number, cells in rows[1:] if columns.header else rows:
        if len(cells) < columns.cells or (len(cells) > columns.cells and not columns.more):
            raise DatasetError(
                f"{path} line {number} has {len(cells)} columns where {columns.cells} are expected",
                "give every line the same columns",
            )
        score = _number(cells[columns.score])
        if score is None:
            raise DatasetError(
                f"{path} line {number}: the score {cells[columns.score]!r} is no number", "mend that line"
            )
        one, other = cells[columns.left].strip(), cells[columns.right].strip()
        if not one or not other:
            raise DatasetError(f"{path} line {number}: one side of the pair is empty", "mend that line")
        left.append(one)
        right.append(other)
        scores.append(score)
    return Pairs(left, right, np.array(scores, np.float64))


def _number(cell: str) -> float | None:
    """`cell` as a finite number, or None."""
    try:
        value = float(cell)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
