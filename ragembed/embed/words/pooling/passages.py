"""Word vectors, a pooling and what it learnt: all that makes a passage's vector."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from ragembed.embed.base import Dense, as_dense, normalized
from ragembed.embed.words.pooling.bags import Bags, Lookup
from ragembed.embed.words.pooling.fitted import FittedPooling, WeightTable
from ragembed.embed.words.pooling.poolings import Pooling, Weights
from ragembed.embed.words.vectors import WordVectors

_CHARACTERS = 1 << 20
"""Of texts that are pooled at once."""


class PassageVectors:
    """Makes vectors of passages. Threads may share it."""

    def __init__(self, vectors: WordVectors, pooling: Pooling, learnt: FittedPooling | None = None) -> None:
        self.vectors = vectors
        self.pooling = pooling
        self.learnt = learnt
        self.lookup = Lookup(vectors)

    @property
    def dimension(self) -> int:
        """Length of a passage's vector."""
        return self.vectors.dimension * self.pooling.parts

    def embed(self, texts: Sequence[str]) -> Dense:
        """Vectors ``(len(texts), dimension)`` of length 1; zeros for a text that has no known word.

        Raises `EmbeddingError` where one is not finite.
        """
        vectors = np.zeros((len(texts), self.dimension), np.float32)
        start = size = 0
        for stop, text in enumerate(texts, 1):
            size += len(text)
            if size >= _CHARACTERS or stop == len(texts):
                bags = self.lookup.bags(texts[start:stop])
                vectors[start:stop] = self._rest(self.pooling.pool(self.vectors, bags, self._weigh(bags)))
                start, size = stop, 0
        return as_dense(normalized(vectors), *vectors.shape, "of word vectors")

    def summands(self, text: str) -> tuple[list[str], Dense]:
        """The known tokens of `text`, and what each adds ``(tokens, dimension)`` to its vector, not yet scaled."""
        counts = self.lookup.count(text)
        bags = self.lookup.bags_of({token: count} for token, count in counts.items())
        whole = Bags(bags.ids, bags.counts, np.array([0, len(bags.ids)], np.int64), bags.made)
        shares = self._rest(self.pooling.shares(self.vectors, whole, self._weigh(whole)))
        tokens, known = list(counts), np.flatnonzero(np.diff(bags.offsets))
        added = np.add.reduceat(shares, bags.offsets[known], axis=0) if len(known) else shares
        return [tokens[at] for at in known.tolist()], added

    def known(self, text: str) -> dict[str, tuple[int, bool]]:
        """The tokens of `text` in order of appearance: how often each stands there, and whether it has a vector.

        In lower case, unless the vocabulary tells capitals from small letters.
        """
        counts = self.lookup.count(text)
        there = np.diff(self.lookup.bags_of({token: 1} for token in counts).offsets) > 0
        found: dict[str, tuple[int, bool]] = {}
        for (token, times), known in zip(counts.items(), there.tolist(), strict=True):
            shown = token if self.lookup.cased else token.casefold()
            before, known_before = found.get(shown, (0, False))
            found[shown] = before + times, known or known_before
        return found

    @cached_property
    def _table(self) -> WeightTable | None:
        return None if self.learnt is None else self.learnt.table(self.vectors)

    def _weigh(self, bags: Bags) -> Weights:
        return np.ones(len(bags.ids), np.float32) if self._table is None else self._table.of(bags)

    def _rest(self, vectors: Dense) -> Dense:
        return vectors if self.learnt is None else self.learnt.common.removed(vectors)
