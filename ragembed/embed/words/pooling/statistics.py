"""What pooling knows of a corpus: how often each word stands in it, and in how many passages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ragembed.embed.words.pooling.bags import Bags, Lookup

Numbers = NDArray[np.int64]

_BLOCK = 1 << 18
"""Tokens looked at at once."""
_PASSAGES = 1 << 14
"""Passages looked at at once: their vectors of 300 dimensions take 40 MB in float64."""


@dataclass(frozen=True)
class Statistics:
    """Counts of the words of a corpus that have vectors."""

    words: list[str]
    """As the vocabulary has them; those made of n-grams as they stand in the texts."""
    counts: Numbers
    """``(words,)``: how often each stands in the corpus."""
    passages: Numbers
    """``(words,)``: in how many passages."""
    total: int
    """Passages of the corpus."""


class CorpusBags:
    """A corpus of which the tokens are numbers already."""

    def __init__(
        self, lookup: Lookup, words: Sequence[str | None], tokens: NDArray[np.int32], offsets: Numbers
    ) -> None:
        """Passage i is ``tokens[offsets[i]:offsets[i + 1]]``, each a place in `words`."""
        self._vocabulary = lookup.vectors.words
        self._known = len(lookup.vectors)
        self._tokens, self._offsets = tokens, offsets
        self._flat, self._starts, self._made = lookup.resolve(words)

    @property
    def known_tokens(self) -> int:
        """Tokens that a vector stands for."""
        known = np.diff(self._starts) > 0
        steps = range(0, len(self._tokens), _BLOCK)
        return sum(int(known[self._tokens[start : start + _BLOCK]].sum()) for start in steps)

    def bags(self) -> Iterator[Bags]:
        """All passages in order, in blocks, every token for itself."""
        for ids, ends in self._blocks():
            strange = ids >= self._known
            used, places = np.unique(ids[strange], return_inverse=True)
            ids[strange] = self._known + places
            made = [self._made[number - self._known] for number in used.tolist()]
            yield Bags(ids, np.ones(len(ids), np.float32), ends, made)

    def statistics(self) -> Statistics:
        """Counts of all words that stand in a passage."""
        size = self._known + len(self._made)
        counts, passages = np.zeros(size, np.int64), np.zeros(size, np.int64)
        for ids, ends in self._blocks():
            counts += np.bincount(ids, minlength=size)
            owner = np.repeat(np.arange(len(ends) - 1), np.diff(ends))
            passages += np.bincount(np.unique(owner * size + ids) % size, minlength=size)
        there = np.flatnonzero(counts)
        words = [
            self._vocabulary[row] if row < self._known else self._made[row - self._known]
            for row in there.tolist()
        ]
        return Statistics(words, counts[there], passages[there], len(self._offsets) - 1)

    def _blocks(self) -> Iterator[tuple[Numbers, Numbers]]:
        """Ids of some passages, and where each of the passages begins in them."""
        start, last = 0, len(self._offsets) - 1
        lengths = np.diff(self._starts)
        while start < last:
            limit = self._offsets[start] + _BLOCK
            stop = max(start + 1, int(np.searchsorted(self._offsets, limit, side="right")) - 1)
            stop = min(stop, start + _PASSAGES)
            tokens = np.asarray(self._tokens[self._offsets[start] : self._offsets[stop]])
            many = lengths[tokens]
            ends = np.concatenate(([0], np.cumsum(many)))
            inside = np.arange(int(ends[-1])) - np.repeat(ends[:-1], many)
            ids = self._flat[np.repeat(self._starts[tokens], many) + inside]
            yield ids, ends[self._offsets[start : stop + 1] - self._offsets[start]]
            start = stop
