"""fastText's character n-grams, which give a vector to any word (Bojanowski et al. 2017, "Enriching Word Vectors with
Subword Information").

A word stands between ``<`` and ``>``; its n-grams of `minn` to `maxn` characters share a table of `buckets` rows by
their hash, and the mean of their rows is the word's vector.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ragembed.embed.base import Dense
from ragembed.embed.words.index import Words, same_words
from ragembed.errors import EmbeddingError

Numbers = NDArray[np.int64]

END_OF_SENTENCE = "</s>"
"""fastText's word for the end of a line, which has a row but no n-grams."""

LONGEST_NGRAM = 1000
"""Characters; models have 3 to 6, and a file that says more is damaged."""

MOST_BUCKETS = (1 << 31) - 1
"""fastText counts them in an int32."""

_FNV_START, _FNV_PRIME = np.uint32(2166136261), np.uint32(16777619)
_AT_ONCE = 8192
"""N-grams whose rows are summed at once."""


class Subwords:
    """The table of n-gram vectors of a fastText model."""

    def __init__(
        self, minn: int, maxn: int, buckets: int, vectors: Dense, used: NDArray[np.integer] | None = None
    ) -> None:
        """Rows of `vectors` are all `buckets`, or those named in `used`, rising, whose n-grams alone count then."""
        if not 0 <= buckets <= MOST_BUCKETS:
            raise EmbeddingError(
                f"n-grams have {buckets!s:.20} buckets", f"give 0 to {MOST_BUCKETS}; 2000000 is usual"
            )
        rows = buckets if used is None else len(used)
        if vectors.ndim != 2 or len(vectors) != rows:
            raise EmbeddingError(
                f"there are {rows} buckets of n-grams and vectors of shape {vectors.shape}",
                "give one row each",
            )
        if not (0 <= minn <= LONGEST_NGRAM and 0 <= maxn <= LONGEST_NGRAM):
            raise EmbeddingError(
                f"n-grams have {minn!s:.20} to {maxn!s:.20} characters",
                f"give 0 to {LONGEST_NGRAM}; 3 to 6 is usual",
            )
        self.minn = minn
        self.maxn = maxn
        self.buckets = buckets
        self.vectors_of_ngrams = vectors
        """``(rows, dimension)``"""
        self.used = used

    def vectors(self, words: Sequence[str]) -> tuple[NDArray[np.bool_], Dense]:
        """Which of `words` have an n-gram that says something, and their vectors ``(len(words), dimension)``.

        Those of others are zeros. Rows of zeros, which a ``.bin`` holds for n-grams that were not learnt, say nothing.
        """
        sums, counts = self.sums(words)
        known = np.asarray(sums.any(axis=1), np.bool_)
        return known, np.divide(sums, np.maximum(counts, 1, dtype=np.float32)[:, np.newaxis], out=sums)

    def sums(self, words: Sequence[str]) -> tuple[Dense, Numbers]:
        """The sum of the rows of each word's n-grams ``(len(words), dimension)``, and how many there are."""
        rows, counts = self.rows(words)
        sums = np.zeros((len(words), self.vectors_of_ngrams.shape[1]), np.float32)
        ends = np.cumsum(counts)
        start = 0
        while start < len(words):
            begin = int(ends[start] - counts[start])
            stop = max(start + 1, int(np.searchsorted(ends, begin + _AT_ONCE, side="right")))
            some = start + np.flatnonzero(counts[start:stop])
            if len(some):
                gathered = self.vectors_of_ngrams[rows[begin : int(ends[stop - 1])]]
                sums[some] = np.add.reduceat(gathered, ends[some] - counts[some] - begin, axis=0)
            start = stop
        return sums, counts

    def rows(self, words: Sequence[str]) -> tuple[Numbers, Numbers]:
        """The rows of the n-grams of all `words`, one word after the other, and how many each word has."""
        numbers, counts = ngram_buckets(words, self.minn, self.maxn, self.buckets)
        if self.used is None:
            return numbers, counts
        at = np.searchsorted(self.used, numbers)
        there = at < len(self.used)
        there[there] = self.used[at[there]] == numbers[there]
        owner = np.repeat(np.arange(len(counts)), counts)
        return at[there], np.bincount(owner[there], minlength=len(counts))


def ngram_buckets(words: Sequence[str], minn: int, maxn: int, buckets: int) -> tuple[Numbers, Numbers]:
    """The buckets of the n-grams of all `words`, one word after the other, and how many each word has ``(n,)``.

    As fastText: n-grams of characters of ``<word>``, without ``<`` and ``>`` alone, hashed by their UTF-8; the end of
    a sentence has none.
    """
    total = len(words)
    if buckets < 1 or maxn < 1 or not total:
        return np.zeros(0, np.int64), np.zeros(total, np.int64)
    asked = Words.of(words)
    text, offsets = _bracketed(asked)
    firsts = np.flatnonzero((text & 0xC0) != 0x80)  # where characters begin
    ends = np.append(firsts[1:], len(text))
    first_of, last_of = np.searchsorted(firsts, offsets[:-1]), np.searchsorted(firsts, offsets[1:]) - 1
    owner = np.repeat(np.arange(total), last_of - first_of + 1)
    signed = text.view(np.int8).astype(
        np.uint32
    )  # as in C++, where a char has a sign: bytes from 128 on are negative
    longest = int((ends - firsts).max())
    end_of_sentence = same_words(
        asked, np.arange(total), Words.of([END_OF_SENTENCE]), np.zeros(total, np.int64)
    )
    starts = np.flatnonzero(~end_of_sentence[owner])
    hashes = np.full(len(starts), _FNV_START)
    found: list[tuple[Numbers, NDArray[np.uint32]]] = []
    for size in range(1, maxn + 1):
        inside = starts + size - 1 <= last_of[owner[starts]]
        starts, hashes = starts[inside], hashes[inside]
        if not len(starts):
            break
        added = starts + size - 1
        for byte in range(longest):
            has = firsts[added] + byte < ends[added]
            some = slice(None) if has.all() else has
            hashes[some] = (hashes[some] ^ signed[firsts[added[some]] + byte]) * _FNV_PRIME
        if size >= minn:
            kept = starts
            of = hashes
            if size == 1:
                plain = (starts != first_of[owner[starts]]) & (starts != last_of[owner[starts]])
                kept, of = starts[plain], hashes[plain]
            found.append((owner[kept], of))
    if not found:
        return np.zeros(0, np.int64), np.zeros(total, np.int64)
    owners = np.concatenate([one for one, _ in found])
    numbers = np.concatenate([of for _, of in found]) % np.uint32(buckets)
    order = np.argsort(owners, kind="stable")
    return numbers[order].astype(np.int64), np.bincount(owners, minlength=total)


def _bracketed(words: Words) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """All words one after the other, each between ``<`` and ``>``, and where each begins."""
    lengths = np.diff(words.offsets)
    offsets = np.concatenate(([0], np.cumsum(lengths + 2)))
    text = np.empty(int(offsets[-1]), np.uint8)
    inner = np.ones(len(text), np.bool_)
    inner[offsets[:-1]] = inner[offsets[1:] - 1] = False
    text[offsets[:-1]], text[offsets[1:] - 1] = ord("<"), ord(">")
    text[inner] = words.blob[words.offsets[0] : words.offsets[-1]]
    return text, offsets
