"""From words to rows without a dict of all words: UTF-8 in one piece, and sorted hashes that can be mapped into memory.

A lookup hashes the words asked for, finds them among the sorted hashes, and compares the bytes, so that two words with
one hash are told apart. All of it for many words at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import overload

import numpy as np
from numpy.typing import NDArray

from ragembed.errors import EmbeddingError

Bytes = NDArray[np.uint8]
Offsets = NDArray[np.int64]
Hashes = NDArray[np.uint64]
Rows = NDArray[np.int64]

_DECODED_AT_ONCE = 10_000
_BLOCK = 200_000
"""Words hashed at once, so that what is in between stays small."""
_STEP = 8
"""Bytes hashed at once."""
_KEPT = np.array([(1 << 8 * left) - 1 for left in range(_STEP + 1)], np.uint64)
"""By how many bytes of a step are left: the bits that count."""
_FIRST, _SECOND = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xD6E8FEB86659FD93)
"""Odd multipliers whose bits are spread; the files hold hashes, so they never change."""


class Words(Sequence[str]):
    """Words in one array of UTF-8: word i is ``blob[offsets[i]:offsets[i + 1]]``, decoded when it is asked for."""

    def __init__(self, blob: Bytes, offsets: Offsets) -> None:
        self.blob = blob
        self.offsets = offsets

    @classmethod
    def of(cls, words: Sequence[str]) -> Words:
        """`words` encoded; lone surrogates are kept."""
        return words if isinstance(words, cls) else cls(*_encoded(words))

    @classmethod
    def of_bytes(cls, words: Sequence[bytes]) -> Words:
        """Words that are encoded already."""
        offsets = np.zeros(len(words) + 1, np.int64)
        np.cumsum(np.fromiter(map(len, words), np.int64, len(words)), out=offsets[1:])
        return cls(np.frombuffer(b"".join(words), np.uint8), offsets)

    def take(self, rows: Rows) -> Words:
        """Only the words of `rows`."""
        starts, sizes = self.offsets[rows], np.diff(self.offsets)[rows]
        offsets = np.concatenate((np.zeros(1, np.int64), np.cumsum(sizes)))
        return Words(self.blob[np.repeat(starts - offsets[:-1], sizes) + np.arange(offsets[-1])], offsets)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @overload
    def __getitem__(self, at: int) -> str: ...
    @overload
    def __getitem__(self, at: slice) -> list[str]: ...
    def __getitem__(self, at: int | slice) -> str | list[str]:
        if isinstance(at, slice):
            start, stop, step = at.indices(len(self))
            if step == 1:
                return self._decoded(start, max(start, stop))
            return [self[row] for row in range(start, stop, step)]
        row = at + len(self) if at < 0 else at
        if not 0 <= row < len(self):
            raise IndexError(f"word {at} of {len(self)}")
        return self._decoded(row, row + 1)[0]

    def __iter__(self) -> Iterator[str]:
        for start in range(0, len(self), _DECODED_AT_ONCE):
            yield from self._decoded(start, min(start + _DECODED_AT_ONCE, len(self)))

    def _decoded(self, start: int, stop: int) -> list[str]:
        ends = self.offsets[start : stop + 1]
        data = self.blob[ends[0] : ends[-1]].tobytes()
        bounds = (ends - ends[0]).tolist()
        pairs = pairwise(bounds)
        try:
            if data.isascii():
                text = data.decode("ascii")
                return [text[one:other] for one, other in pairs]
            return [data[one:other].decode("utf-8", "surrogatepass") for one, other in pairs]
        except UnicodeDecodeError as error:
            raise EmbeddingError(
                f"the words from {start} to {stop} are damaged ({error})", "make the word vectors again"
            ) from error


class WordIndex:
    """Where each of some `words` lies."""

    def __init__(self, words: Words, hashes: Hashes, order: Rows | NDArray[np.int32]) -> None:
        self.words = words
        self.hashes = hashes
        """``(n,)``, sorted."""
        self.order = order
        """``(n,)``: the row of each of `hashes`; of equal ones the smaller row is first."""

    @classmethod
    def of(cls, words: Words) -> WordIndex:
        """Hash and sort all `words`."""
        hashes = word_hashes(words)
        order = np.argsort(hashes, kind="stable")
        small = len(order) < np.iinfo(np.int32).max
        return cls(words, hashes[order], order.astype(np.int32) if small else order)

    def rows(self, words: Sequence[str]) -> Rows:
        """The first row of each of `words` ``(len(words),)``; -1 for one that is not there."""
        asked = Words.of(words)
        wanted = word_hashes(asked)
        at = np.searchsorted(self.hashes, wanted)
        found = np.full(len(asked), -1, np.int64)
        left = np.arange(len(asked))
        while len(left):
            left = left[at[left] < len(self.hashes)]
            left = left[self.hashes[at[left]] == wanted[left]]
            candidates = np.clip(self.order[at[left]].astype(np.int64), 0, max(0, len(self.words) - 1))
            same = same_words(self.words, candidates, asked, left)
            found[left[same]] = candidates[same]
            left = left[~same]
            at[left] += 1
        return found

    def repeated(self) -> Rows:
        """The rows whose word stands in an earlier row already, rising."""
        again = np.flatnonzero(self.hashes[1:] == self.hashes[:-1]) + 1
        rows = self.order[again].astype(np.int64)
        rows.sort()
        asked = Words.of_bytes([_bytes_of(self.words, row) for row in rows.tolist()])
        return rows[self.rows(asked) < rows]


def word_hashes(words: Words) -> Hashes:
    """A hash of each of `words` ``(n,)``, of 64 bits."""
    hashes = np.empty(len(words), np.uint64)
    for start in range(0, len(words), _BLOCK):
        ends = words.offsets[start : start + _BLOCK + 1]
        blob = words.blob[ends[0] : ends[-1]]
        hashes[start : start + _BLOCK] = _hashed(blob, ends - ends[0])
    return hashes


def same_words(words: Words, rows: Rows, others: Words, other_rows: Rows) -> NDArray[np.bool_]:
    """Whether word ``rows[i]`` of `words` is word ``other_rows[i]`` of `others`, by their bytes ``(len(rows),)``."""
    starts, other_starts = words.offsets[rows], others.offsets[other_rows]
    lengths = words.offsets[rows + 1] - starts
    same: NDArray[np.bool_] = lengths == others.offsets[other_rows + 1] - other_starts
    pairs = np.flatnonzero(same)
    sizes = lengths[pairs]
    which = np.repeat(np.arange(len(pairs)), sizes)
    inside = np.arange(len(which)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    differ = words.blob[starts[pairs][which] + inside] != others.blob[other_starts[pairs][which] + inside]
    same[pairs[which[differ]]] = False
    return same


def _bytes_of(words: Words, row: int) -> bytes:
    return words.blob[words.offsets[row] : words.offsets[row + 1]].tobytes()


def _encoded(words: Sequence[str]) -> tuple[Bytes, Offsets]:
    if not len(words):
        return np.zeros(0, np.uint8), np.zeros(1, np.int64)
    data = np.frombuffer("\0".join(words).encode("utf-8", "surrogatepass"), np.uint8)
    ends = np.flatnonzero(data == 0)
    if len(ends) != len(words) - 1:  # a word that holds the separator
        encoded = Words.of_bytes([word.encode("utf-8", "surrogatepass") for word in words])
        return encoded.blob, encoded.offsets
    offsets = np.concatenate(([0], ends, [len(data)]))
    offsets[1:] -= np.arange(len(words))
    offsets[-1] = len(data) - len(ends)
    return data[data != 0], offsets.astype(np.int64, copy=False)


def _hashed(blob: Bytes, offsets: Offsets) -> Hashes:
    lengths = np.diff(offsets)
    hashes = _mixed(lengths.astype(np.uint64))
    windows = np.lib.stride_tricks.sliding_window_view(
        np.concatenate((blob, np.zeros(_STEP, np.uint8))), _STEP
    )
    active, at, left = np.arange(len(lengths)), offsets[:-1], lengths
    while True:
        more = left > 0
        active, at, left = active[more], at[more], left[more]
        if not len(active):
            return hashes
        steps = np.ascontiguousarray(windows[at]).view("<u8")[:, 0].astype(np.uint64, copy=False)
        hashes[active] = _mixed(hashes[active] ^ (steps & _KEPT[np.minimum(left, _STEP)]))
        at, left = at + _STEP, left - _STEP


def _mixed(numbers: Hashes) -> Hashes:
    """Spread every bit of each number over all bits."""
    spread = numbers * _FIRST
    spread ^= spread >> np.uint64(32)
    spread *= _SECOND
    spread ^= spread >> np.uint64(29)
    return spread
