"""Which queries are asked: drawn passage by passage, balanced over kinds, and checked before they are taken."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from random import Random
from typing import NamedTuple

from ragembed.analysis import Analyzer
from ragembed.datasets.make.kinds import KINDS, SHARES, Candidate, Reading
from ragembed.datasets.make.passages import SHORTEST, Passage
from ragembed.datasets.make.sentences import without
from ragembed.datasets.make.similar import LEAST_CLOSE, Neighbour, Space, say_the_same
from ragembed.types import Document

MOST_HOLDERS = 10
"""So many passages may hold all words of a query; more, and nobody could say which one was meant."""

MOST_COPIES = 9
"""So many near-duplicates a passage may have; with more the query asks for boilerplate."""

LEAST_RELATED = 0.15
"""Cosine from which another passage speaks of the same subject."""

DIFFICULTIES = {"easy": 0.12, "medium": 0.43, "hard": 0.45}
"""Shares of the queries by `difficulty`, about those of the human queries of Cranfield and CoSQA."""

_SHORTEST_CODE = 40
_SEEN = 40
"""Nearest passages in which near-duplicates and related ones are looked for."""
_BATCH = 64
_OF_DEFINITION = 0.5  # of the information: a term may stand in as many passages as the root of their number


@dataclass(frozen=True, slots=True)
class Choice:
    """A query that is asked."""

    candidate: Candidate
    row: int
    """The passage that it was drawn from."""
    overlap: float
    """Share of the information of its terms that stands in the passage after the cut."""
    same: tuple[int, ...]
    """Near-duplicates of the passage."""
    related: tuple[int, ...]
    """The passages of other documents that are most like it."""


class _Drawn(NamedTuple):
    candidate: Candidate
    row: int
    overlap: float


@dataclass(slots=True)
class Chooser:
    """Draws queries from the passages of a collection."""

    documents: Sequence[Document]
    passages: Sequence[Passage]
    space: Space
    analyzer: Analyzer
    seed: int = 0
    kinds: Sequence[str] = tuple(KINDS)
    related: int = 3
    """Passages of other documents that count as partly relevant, at most."""
    dropped: Counter[str] = field(default_factory=Counter)
    """Why candidates were not taken, and how often."""
    _wanted: int = 0
    _by_difficulty: Counter[str] = field(default_factory=Counter)
    _asked: set[str] = field(default_factory=set)
    _used: set[int] = field(default_factory=set)
    _counts: Counter[str] = field(default_factory=Counter)
    _holders: dict[bytes, list[int]] = field(default_factory=dict)

    def choose(self, most: int, progress: Callable[[int], None] | None = None) -> list[Choice]:
        """Up to `most` queries, fewer where the passages hold no more; the same for the same seed.

        First of the kinds that have a share, as many of each difficulty as `DIFFICULTIES` wants; where the passages do
        not hold so many, of any difficulty; where they hold no more of these kinds, of the others.
        """
        self._wanted = most
        self._index_sentences()
        first = [kind for kind in self.kinds if kind in SHARES]
        chosen: list[Choice] = []
        for kinds in (first, [kind for kind in self.kinds if kind not in SHARES]):
            for strict in (True, False):
                chosen += self._round(kinds, strict, most - len(chosen), progress)
        return chosen

    def _round(
        self, kinds: Sequence[str], strict: bool, most: int, progress: Callable[[int], None] | None
    ) -> list[Choice]:
        """Go once over all passages of which nothing was asked so far."""
        chosen: list[Choice] = []
        pending: list[_Drawn] = []
        for row in self._order() if kinds else ():
            if len(chosen) == most:
                break
            drawn = self._draw(row, kinds, strict)
            if drawn is not None:
                pending.append(drawn)
            if len(pending) == min(_BATCH, most - len(chosen)):
                chosen += self._settle(pending)
                pending = []
                if progress is not None:
                    progress(self._counts.total())
        return chosen + self._settle(pending)

    def _order(self) -> Iterator[int]:
        """Rows of passages: of each document one, then of each a second, and so on."""
        random = Random(f"order {self.seed}")
        of_document: dict[int, list[int]] = {}
        for row, passage in enumerate(self.passages):
            of_document.setdefault(passage.document, []).append(row)
        queues = list(of_document.values())
        for queue in queues:
            random.shuffle(queue)
        random.shuffle(queues)
        while queues:
            for queue in queues:
                yield queue.pop()
            queues = [queue for queue in queues if queue]

    def _draw(self, row: int, kinds: Sequence[str], strict: bool) -> _Drawn | None:
        """A query for the passage in `row`, of that of `kinds` which is furthest behind its share.

        With `strict` none of a difficulty of which there are enough.
        """
        if row in self._used:
            return None
        passage = self.passages[row]
        document = self.documents[passage.document]
        reading = Reading(document.text, passage, self.analyzer, self.space)
        for kind in sorted(kinds, key=lambda kind: self._counts[kind] / SHARES.get(kind, 1)):
            for candidate in KINDS[kind](reading):
                overlap = self._overlap(candidate, passage, document.text)
                fault = self._fault(candidate, reading, overlap)
                level = difficulty(overlap)
                enough = self._by_difficulty[level] >= DIFFICULTIES[level] * self._wanted
                if fault is None and not (strict and enough and candidate.answer is None):
                    self._count(candidate, overlap, 1)
                    self._asked.add(candidate.text.casefold())
                    return _Drawn(candidate, row, overlap)
                if fault is not None and strict:
                    self.dropped[fault] += 1
        return None

    def _count(self, candidate: Candidate, overlap: float, change: int) -> None:
        self._counts[candidate.kind] += change
        if candidate.answer is None:  # a definition keeps its words, which says nothing of how hard it is
            self._by_difficulty[difficulty(overlap)] += change

    def _overlap(self, candidate: Candidate, passage: Passage, text: str) -> float:
        cuts = [(start - passage.start, end - passage.start) for start, end in candidate.cuts]
        left = without(text[passage.start : passage.end], cuts)
        return self.space.overlap(self.analyzer.terms(candidate.text), self.analyzer.terms(left))

    def _fault(self, candidate: Candidate, reading: Reading, overlap: float) -> str | None:
        """Why a query is not asked; None where nothing speaks against it."""
        terms = self.analyzer.terms(candidate.text)
        exact = candidate.answer is not None
        passage = reading.passage
        start, end = passage.body
        left = end - start - sum(high - low for low, high in candidate.cuts if low >= start)
        silent = not passage.code and set(candidate.cuts).issuperset(passage.sentences)
        if candidate.text.casefold() in self._asked:
            return "asked already"
        if self.space.information(terms) < self.space.needed * (_OF_DEFINITION if exact else 1):
            return "tells too little"
        if not exact and self.space.holders(terms) > MOST_HOLDERS:
            return "many passages hold all its words"
        if silent or left < (_SHORTEST_CODE if passage.code else SHORTEST):
            return "too little left to answer it"
        if not overlap:
            return "no word in common with its answer"
        return None

    def _settle(self, pending: Sequence[_Drawn]) -> list[Choice]:
        """The choices that stand when what is like their passages is known."""
        taken: list[Choice] = []
        found = self.space.neighbours([drawn.row for drawn in pending], _SEEN)
        for (candidate, row, overlap), near in zip(pending, found, strict=True):
            same = self._same(row, near)
            fault = None
            if row in self._used:
                fault = "asked of a near-duplicate"
            elif len(same) > MOST_COPIES:
                fault = "its passage stands in many places"
            elif self._stands_elsewhere(candidate, row, same):
                fault = "its words stand elsewhere too"
            if fault is not None:
                self.dropped[fault] += 1
                self._count(candidate, overlap, -1)
                continue
            self._used.update((row, *same))
            taken.append(Choice(candidate, row, overlap, same, self._related(row, near, same)))
        return taken

    def _same(self, row: int, near: Sequence[Neighbour]) -> tuple[int, ...]:
        own: list[str] | None = None
        same = []
        for other, cosine in near:
            if cosine < LEAST_CLOSE:
                break
            own = own or self._terms(row)
            if say_the_same(own, self._terms(other)):
                same.append(other)
        return tuple(same)

    def _related(self, row: int, near: Sequence[Neighbour], same: Sequence[int]) -> tuple[int, ...]:
        passed = {self.passages[one].document for one in (row, *same)}
        related: list[int] = []
        for other, cosine in near:
            document = self.passages[other].document
            if len(related) == self.related or cosine < LEAST_RELATED:
                break
            if document not in passed:
                passed.add(document)
                related.append(other)
        return tuple(related)

    def _terms(self, row: int) -> list[str]:
        passage = self.passages[row]
        return self.analyzer.terms(self.documents[passage.document].text[passage.start : passage.end])

    def _index_sentences(self) -> None:
        for row, passage in enumerate(self.passages):
            text = self.documents[passage.document].text
            for start, end in passage.sentences:
                self._holders.setdefault(_key(text[start:end]), []).append(row)

    def _stands_elsewhere(self, candidate: Candidate, row: int, same: Sequence[int]) -> bool:
        """Whether the sentence that is cut stands in a passage that is no copy of this one."""
        passage = self.passages[row]
        text = self.documents[passage.document].text
        allowed = {row, *same}
        return any(
            not allowed.issuperset(self._holders.get(_key(text[start:end]), ()))
            for start, end in candidate.cuts
        )


def _key(sentence: str) -> bytes:
    """What two sentences have in common that differ in white space and case only."""
    return sha256(" ".join(sentence.split()).casefold().encode("utf-8", "surrogatepass")).digest()


def difficulty(overlap: float) -> str:
    """``easy``: two thirds of a query's words or more stand in the answer; ``medium``: one third; ``hard``: less."""
    return ("hard", "medium", "easy")[min(2, math.floor(3 * overlap + 1e-9))]
