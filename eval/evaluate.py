"""One embedder on one collection: what it reaches, and what that costs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from ragembed.embed.coverage import Coverage
from ragembed.eval.answers import Collection, answer, score
from ragembed.eval.cost import Cost
from ragembed.eval.measures import Scores
from ragembed.eval.names import Measure, depth, parse_measures
from ragembed.eval.systems import System
from ragembed.sync import Progress
from ragembed.types import Run


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What an embedder reached on a collection, and what it took."""

    dataset: str
    split: str
    embedder: str
    """The spec that was asked for, in canonical form."""
    fusion: str | None
    """How a hybrid's lists were joined; None where there is one list."""
    steps: str | None
    aggregate: str | None
    """How chunks scored their documents; None where these were whole."""
    chunker: str
    measures: dict[str, float]
    queries: int
    depth: int
    """How many documents were retrieved for each query."""
    cost: Cost
    scores: Scores
    run: Run = field(repr=False)
    """What was retrieved; `ragembed.eval.runs.write_run` makes a TREC run of it."""
    coverage: dict[str, Coverage] = field(default_factory=dict)
    """By the specs of embedders that go by words: how many tokens of the documents had a vector."""

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values, without the values of single queries and what was retrieved."""
        return {
            "dataset": self.dataset,
            "split": self.split,
            "embedder": self.embedder,
            **({"fusion": self.fusion} if self.fusion else {}),
            **({"steps": self.steps} if self.steps else {}),
            **({"aggregate": self.aggregate} if self.aggregate else {}),
            "chunker": self.chunker,
            "measures": self.measures,
            "queries": self.queries,
            "depth": self.depth,
            "documents": self.cost.documents,
            "chunks": self.cost.chunks,
            "truncated": self.cost.truncated_chunks,
            "coverage": {spec: each.to_json() for spec, each in self.coverage.items()},
            "seconds": {"index": self.cost.index_seconds, "query": self.cost.query_seconds},
            "cost": self.cost.to_json(),
            "unanswered": list(self.scores.unanswered),
            "without_relevant": list(self.scores.without_relevant),
        }


def evaluate_embedder(
    dataset: Collection,
    embedder: str,
    chunker: str | None = None,
    measures: str | Iterable[str | Measure] = "nDCG@10,R@100",
    *,
    fusion: str | None = None,
    steps: str | None = None,
    aggregate: str | None = None,
    k: int | None = None,
    timed: bool = False,
    progress: Progress | None = None,
) -> Evaluation:
    """Index `dataset` in a temporary folder, answer its judged queries with `k` documents each, and score them.

    `k` is 100 by default, or as deep as the measures look; 1,000, as at TREC, for a measure without a cutoff.
    Documents stay whole unless a `chunker` is named; then a document scores its best chunk (MaxP), or what `aggregate`
    names. With `timed` the latency of single queries is measured too.
    """
    wanted = parse_measures(measures)
    k = depth(wanted, k)
    system = System.make(embedder, chunker or "whole", fusion=fusion, steps=steps, aggregate=aggregate)
    answers = answer(dataset, system, wanted, k, timed=timed, progress=progress)
    scores = score(dataset, answers, wanted)
    assert answers.cost is not None  # it has answered here
    return Evaluation(
        dataset=dataset.name,
        split=dataset.split,
        embedder=answers.embedder,
        fusion=system.fusion,
        steps=system.steps,
        aggregate=system.aggregate,
        chunker=answers.chunker,
        measures=scores.means,
        queries=len(dataset.qrels),
        depth=k,
        cost=answers.cost,
        scores=scores,
        run=answers.run,
        coverage=answers.coverage,
    )
