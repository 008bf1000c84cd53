"""Each embedder's list for each labelled query, found once: every fusion and weight is then tried on these."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ragembed.errors import DatasetError
from ragembed.eval.exact import scorer
from ragembed.eval.names import Measure
from ragembed.eval.ranking import Answer
from ragembed.retrieve.agreement import about_all
from ragembed.retrieve.calibration import highest_scores
from ragembed.retrieve.fusion import DEPTH, Fused, Fusion, Ranked, Scores
from ragembed.types import Qrels

if TYPE_CHECKING:
    from ragembed.pipeline import Pipeline

Doubles = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Labelled:
    """One query with what each embedder found."""

    id: str
    lists: tuple[Ranked, ...]
    """Each embedder's (row, score), best first."""
    highest: tuple[float, ...]
    """The highest score that each list could give; see `ragembed.retrieve.calibration.highest_scores`."""
    gains: Mapping[str, int]
    """Of the judged documents; empty for a query of which nothing is known."""


@dataclass(frozen=True, slots=True)
class Gathered:
    """Labelled queries, and what is the same for all of them."""

    embedders: tuple[str, ...]
    about: tuple[Scores, ...]
    """What is known of each embedder's scores; empty where there is one."""
    documents: Mapping[int, str]
    """The document of each row that was found."""
    queries: tuple[Labelled, ...]
    documents_of_index: int
    missing: int = 0
    """Relevant documents that the index does not have."""

    def fused(self, query: Labelled, fusion: Fusion) -> list[Fused]:
        """The joint list, best first."""
        if len(query.lists) == 1:
            return [
                Fused(row, score, {0: (rank, score)}) for rank, (row, score) in enumerate(query.lists[0], 1)
            ]
        return fusion.fuse(query.lists, self.about)

    def without_answers(self) -> Gathered:
        """The same queries over an index that lacks their relevant documents: queries without an answer.

        It is what a search gives under a filter that leaves those documents out.
        """
        return replace(
            self,
            queries=tuple(
                replace(
                    query,
                    lists=tuple(
                        [hit for hit in hits if query.gains.get(self.documents[hit[0]], 0) <= 0]
                        for hits in query.lists
                    ),
                    gains={},
                )
                for query in self.queries
            ),
        )

    def only(self, which: Sequence[int] | NDArray[np.int64]) -> Gathered:
        """Some of the queries."""
        return replace(self, queries=tuple(self.queries[at] for at in which))

    def values(self, fusion: Fusion, measure: Measure) -> Doubles:
        """What a measure says of each query (q,) when its lists are joined so, a document scoring its best chunk."""
        score = scorer(measure)
        found = []
        for query in self.queries:
            best: dict[str, float] = {}
            for hit in self.fused(query, fusion):
                best.setdefault(self.documents[hit.row], hit.score)
            scores = np.array(list(best.values()), np.float32)  # (d,)
            found.append(score(place(query.gains, list(best), scores[:, None])[0]))
        return np.array(found)


def gather(pipeline: Pipeline, queries: Mapping[str, str], qrels: Qrels, depth: int = DEPTH) -> Gathered:
    """Search with all queries that are judged, `depth` chunks of each embedder deep.

    Raises `DatasetError` where no query is judged, where nothing is judged relevant, or where no relevant document is
    in the index.
    """
    judged = sorted(query for query in qrels if query in queries)  # whatever order they come in
    if not judged:
        raise DatasetError(
            f"none of the {len(queries)} queries has a judgement",
            "check that both files are of the same collection",
        )
    relevant = {document for query in judged for document, gain in qrels[query].items() if gain > 0}
    if not relevant:
        raise DatasetError(
            "no document is judged relevant: no gain is above 0",
            "give relevant documents a gain of 1 or more",
        )
    there = set(pipeline.document_ids())
    if relevant.isdisjoint(there):
        raise DatasetError(
            f"none of the {len(relevant)} relevant documents is in the index: it has no {min(relevant)!r}",
            "judge by the ids that `ragembed query --json` shows as document_id",
        )
    found = search(pipeline, {query: queries[query] for query in judged}, qrels, depth)
    return replace(found, missing=len(relevant - there))


def search(pipeline: Pipeline, queries: Mapping[str, str], qrels: Qrels, depth: int = DEPTH) -> Gathered:
    """Search with all `queries`, judged or not, `depth` chunks of each embedder deep."""
    found: list[Labelled] = []
    documents: dict[int, str] = {}
    about: tuple[Scores, ...] = ()
    left = iter(queries)
    for ranking in pipeline.rankings(queries.values(), depth):
        numbers = range(len(ranking.queries))
        sides = [ranking.lists(side, numbers, depth) for side in range(len(ranking.sides))]
        rows = sorted({row for lists in sides for hits in lists for row, _ in hits})
        documents |= {row: place[0] for row, place in ranking.catalog.places(rows).items()}
        if len(ranking.sides) > 1:
            about = tuple(about_all(ranking.catalog, ranking.sides))
        found += [
            Labelled(
                query := next(left),
                tuple(lists[number] for lists in sides),
                tuple(highest_scores(ranking, number)),
                qrels.get(query, {}),
            )
            for number in numbers
        ]
    return Gathered(
        tuple(str(embedder.spec) for embedder in pipeline.embedders),
        about,
        documents,
        tuple(found),
        pipeline.counts()["documents"],
    )


def place(gains: Mapping[str, int], documents: Sequence[str], scores: NDArray[np.float32]) -> list[Answer]:
    """Where the relevant documents stand by each column of `scores` (d, c), ordered as `ragembed.eval.ranking` does."""
    ideal = sorted((gain for gain in gains.values() if gain > 0), reverse=True)
    relevant = [at for at, document in enumerate(documents) if gains.get(document, 0) > 0]
    answers = [Answer([], ideal) for _ in range(scores.shape[1])]
    order = np.empty(len(documents), np.int64)
    order[sorted(range(len(documents)), key=documents.__getitem__)] = np.arange(len(documents))
    for at in relevant:
        ahead = (scores > scores[at]) | ((scores == scores[at]) & (order > order[at])[:, None])  # (d, c)
        for answer, rank in zip(answers, (1 + ahead.sum(axis=0)).tolist(), strict=True):
            answer.found.append((rank, gains[documents[at]]))
    for answer in answers:
        answer.found.sort()
    return answers
