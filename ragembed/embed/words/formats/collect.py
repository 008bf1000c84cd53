"""Rows as they come out of a file: checked, counted where they are odd, and put into a store."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ragembed.embed.base import Dense
from ragembed.embed.words.formats.npy import Store
from ragembed.embed.words.index import WordIndex, Words
from ragembed.embed.words.subwords import Subwords
from ragembed.errors import EmbeddingError

LARGEST_DIMENSION = 65_536
LONGEST_WORD = 10_000
"""Bytes; the longest of known files are web addresses of some hundred."""
_LEAST_GOOD = 100
"""One odd row among so many is passed over and counted; more are an error."""

_MANY = 10_000
"""So many odd rows, if they are more than the good ones, end the reading."""

BLANK, DUPLICATE = "blank_lines", "duplicates"
HARMLESS = (BLANK, DUPLICATE)
"""What is counted, and never an error."""


@dataclass
class Found:
    """What a reader found in a file."""

    index: WordIndex
    vectors: Dense
    numbers: NDArray[np.int64]
    """The line, or number in the file, of each row."""
    info: dict[str, Any]
    counts: NDArray[np.int64] | None = None
    subwords: Subwords | None = None


class Collector:
    """Takes the rows of the file `path` in order."""

    def __init__(self, path: Path, store: Store, dimension: int, limit: int | None = None) -> None:
        if not 1 <= dimension <= LARGEST_DIMENSION:
            raise EmbeddingError(
                f"{path} says that its vectors have {dimension} numbers",
                f"1 to {LARGEST_DIMENSION} are read; fetch the file again",
            )
        self.path = path
        self.dimension = dimension
        self.limit = limit
        self._matrix = store.matrix("vectors")
        self._blobs: list[bytes] = []
        self._lengths: list[NDArray[np.int64]] = []
        self._numbers: list[NDArray[np.int64]] = []
        self._odd: Counter[str] = Counter()
        self._first = ""
        self.lines = 0
        """Rows seen, good or odd."""

    @property
    def rows(self) -> int:
        """How many good rows there are so far."""
        return self._matrix.rows

    @property
    def full(self) -> bool:
        """Whether as many rows were taken as are wanted."""
        return self.limit is not None and self.rows >= self.limit

    @property
    def hopeless(self) -> bool:
        """Whether so much is odd that the rest cannot mend it."""
        return self._bad() > _MANY and 2 * self._bad() > self.lines

    def count(self, lines: int) -> None:
        """Count rows of the file, good or odd."""
        self.lines += lines

    def odd(self, kind: str, why: str) -> None:
        """Count a row that is passed over; `why` tells which, and what is wrong with it."""
        self._odd[kind] += 1
        if kind not in HARMLESS:
            self._first = self._first or why

    def add(self, words: Sequence[bytes], vectors: Dense, numbers: Sequence[int], unit: str = "line") -> None:
        """Take rows; `numbers` are their lines. Those that hold no word, or no finite numbers, are counted as odd."""
        room = len(words) if self.limit is None else min(len(words), self.limit - self.rows)
        words, vectors, numbers = words[:room], vectors[:room], numbers[:room]
        good = np.asarray(np.isfinite(vectors).all(axis=1))
        for row in np.flatnonzero(~good).tolist():
            self.odd("not_finite", f"{unit} {numbers[row]} holds NaN or infinity")
        if not _is_utf8(b"\n".join(words)) or max(map(len, words), default=0) > LONGEST_WORD or b"" in words:
            for row, word in enumerate(words):
                fault = _fault(word)
                if fault and good[row]:
                    good[row] = False
                    self.odd(fault[0], f"{unit} {numbers[row]}: {fault[1]}")
        if not good.all():
            words = [word for word, fine in zip(words, good.tolist(), strict=True) if fine]
            vectors = vectors[good]
        if len(words):
            self._numbers.append(np.asarray(numbers, np.int64)[good])
            self._blobs.append(b"".join(words))
            self._lengths.append(np.fromiter(map(len, words), np.int64, len(words)))
            self._matrix.append(vectors)

    def _bad(self) -> int:
        return sum(count for kind, count in self._odd.items() if kind not in HARMLESS)

    def finish(self, info: dict[str, Any], unit: str = "line") -> Found:
        """Everything taken, without words that were there before; `EmbeddingError` where too much was odd."""
        bad = self._bad()
        first = self._first or f"it has no {unit} with a word and numbers"
        if not self.rows:
            raise EmbeddingError(f"{self.path} holds no word vectors: {first}", "name a file of word vectors")
        if bad * _LEAST_GOOD > self.lines:
            kinds = ", ".join(
                f"{kind} {count}" for kind, count in self._odd.most_common() if kind not in HARMLESS
            )
            raise EmbeddingError(
                f"{self.path}: {bad} of {self.lines} {unit}s are no word with {self.dimension} finite numbers "
                f"({kinds}), more than 1 in {_LEAST_GOOD}; the first: {first}",
                "mend the file, or fetch it again",
            )
        offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(np.concatenate(self._lengths))])
        words = Words(np.frombuffer(b"".join(self._blobs), np.uint8), offsets)
        index = WordIndex.of(words)
        again = index.repeated()
        numbers = np.concatenate(self._numbers)
        if len(again):
            self._odd[DUPLICATE] += len(again)
            kept = np.delete(np.arange(len(words)), again)
            index, numbers = WordIndex.of(words.take(kept)), numbers[kept]
            vectors = self._matrix.take(kept)
        else:
            vectors = self._matrix.array()
        warnings = {**info.pop("warnings", {}), **self._odd}
        return Found(index, vectors, numbers, {**info, "warnings": warnings})


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _fault(word: bytes) -> tuple[str, str] | None:
    """What is wrong with `word`: the kind, and why."""
    if not word:
        return "no_word", "there is no word before the numbers"
    if len(word) > LONGEST_WORD:
        return "long_words", f"the word has {len(word)} bytes, {LONGEST_WORD} are read"
    if not _is_utf8(word):
        return "not_utf8", f"{word[:40]!r} is not UTF-8 (iconv converts a file that is written otherwise)"
    return None
