"""Documents from their chunks: ``max``, ``first``, ``sum`` or ``mean`` of what a document's chunks score.

MaxP, FirstP and SumP are those of Dai & Callan, SIGIR 2019 (arXiv:1905.09217), section 3.2; they go back to Callan,
SIGIR 1994. A chunk that is not in the list was not found, and gives nothing.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from ragembed.registry import Registry, spec_of
from ragembed.retrieve.checks import at_least_1
from ragembed.spec import Spec

DEPTH = 1_000
"""Chunks of the list that are looked at: a constant, so that the first documents are the same whatever k is."""

Scored = tuple[float, int]
"""Score and row: of a chunk, or of a document with the best of its chunks."""


class Aggregate(ABC):
    """A way from chunks to documents. Subclasses are dataclasses, their fields the spec's parameters."""

    name: ClassVar[str]
    first_only: ClassVar[bool] = False
    """Whether only the first chunk of each document is searched at all."""
    additive: ClassVar[bool] = False
    """Whether more than the best chunk counts, so that every list has to be looked at to the same depth."""

    depth: int = DEPTH

    @property
    def spec(self) -> Spec:
        """The spec that makes it again."""
        return spec_of(self, self.name)

    @abstractmethod
    def score(self, scores: Sequence[float], chunks: int) -> float:
        """The score of a document whose found chunks have these `scores`, best first, of all its `chunks`."""

    def documents(
        self, hits: Iterable[tuple[str, float, int]], chunks: Mapping[str, int]
    ) -> dict[str, Scored]:
        """Documents with score and row of the best chunk, best first, equal ones by id.

        `hits` are (document, score, row), best first; `chunks` says how many chunks a document has in all.
        """
        found: dict[str, tuple[list[float], int]] = {}
        for document, score, row in hits:
            found.setdefault(document, ([], row))[0].append(score)
        scored = {name: (self.score(s, chunks.get(name, len(s))), row) for name, (s, row) in found.items()}
        return dict(sorted(scored.items(), key=lambda item: (-item[1][0], item[0])))


class _Best(Aggregate):
    """One chunk says all, so that the documents are in order as the hits are."""

    def score(self, scores: Sequence[float], chunks: int) -> float:
        """The first."""
        return scores[0]

    def documents(
        self, hits: Iterable[tuple[str, float, int]], chunks: Mapping[str, int]
    ) -> dict[str, Scored]:
        """As of every aggregate."""
        found: dict[str, Scored] = {}
        for document, score, row in hits:
            if document not in found:
                found[document] = score, row
        return found


@dataclass(frozen=True)
class MaxP(_Best):
    """The score of the best chunk."""

    name: ClassVar[str] = "max"


@dataclass(frozen=True)
class FirstP(_Best):
    """The score of the document's first chunk, as if the index held no others: for texts that begin with what counts.

    A document whose first chunk does not meet the filter is not found.
    """

    name: ClassVar[str] = "first"
    first_only: ClassVar[bool] = True


@dataclass(frozen=True)
class SumP(Aggregate):
    """The sum of the scores of all chunks that stand in the first `depth` of the list.

    It favours long documents where every chunk scores something, as cosines do.
    """

    name: ClassVar[str] = "sum"
    additive: ClassVar[bool] = True

    depth: int = DEPTH
    """Chunks of the list that count; documents that have none among them follow, by what they have further down."""

    def __post_init__(self) -> None:
        at_least_1(self.name, depth=self.depth)

    def score(self, scores: Sequence[float], chunks: int) -> float:
        """Their sum."""
        return sum(scores)


@dataclass(frozen=True)
class MeanP(Aggregate):
    """The mean over the `top` best chunks of the document, or all of them where it has fewer; one not found scores 0.

    Between `max`, which is ``mean(top=1)``, and the mean over a whole document.
    """

    name: ClassVar[str] = "mean"
    additive: ClassVar[bool] = True

    top: int = 3
    """How many chunks count."""
    depth: int = DEPTH
    """Chunks of the list that count; documents that have none among them follow, by what they have further down."""

    def __post_init__(self) -> None:
        at_least_1(self.name, top=self.top, depth=self.depth)

    def score(self, scores: Sequence[float], chunks: int) -> float:
        """Their mean."""
        return sum(scores[: self.top]) / min(self.top, max(chunks, 1))


AGGREGATES: Registry[Aggregate] = Registry(
    "aggregate",
    "ragembed.aggregates",
    {
        "max": "ragembed.retrieve.aggregate:MaxP",
        "first": "ragembed.retrieve.aggregate:FirstP",
        "sum": "ragembed.retrieve.aggregate:SumP",
        "mean": "ragembed.retrieve.aggregate:MeanP",
    },
)

DEFAULT = "max"
"""What a search for documents does unless it is told otherwise."""
