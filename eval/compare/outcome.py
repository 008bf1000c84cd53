"""What one system reached on one collection, as a report shows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import fsum
from typing import Any

import numpy as np

from ragembed.eval.answers import Answers, Collection, Passage, score
from ragembed.eval.cost import Cost
from ragembed.eval.measures import evaluate
from ragembed.eval.names import Measure
from ragembed.eval.ranking import ranked
from ragembed.types import Run

SHOWN = 10
"""Hits of each query that a report shows."""
PASSAGE = 400
"""Characters of each."""
_CURVE = (1, 2, 3, 5, 10, 20, 50, 100, 200, 500, 1000)
_BINS = 20


@dataclass(frozen=True, slots=True)
class Outcome:
    """Values and samples of what a system answered."""

    embedder: str
    chunker: str
    means: dict[str, float]
    per_query: dict[str, list[float]]
    """A value for each query, in the order of the judgements."""
    cost: Cost | None
    """None for a system that has answered elsewhere."""
    recall: dict[str, list[float]]
    """Mean recall of documents at each ``k``."""
    scores: dict[str, list[float]]
    """Histogram of the scores of retrieved documents: ``edges``, and counts of ``relevant`` and ``other``."""
    judged: float
    """Share of the first 10 documents that have a judgement."""
    passages: dict[str, list[Passage]]
    run: Run
    notes: list[str]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "embedder": self.embedder,
            "chunker": self.chunker,
            "means": self.means,
            "per_query": self.per_query,
            "cost": self.cost and self.cost.to_json(),
            "recall": self.recall,
            "scores": self.scores,
            "judged": self.judged,
            "passages": {
                query: [[p.document, p.score, p.start, p.end, p.text] for p in found]
                for query, found in self.passages.items()
            },
            "run": {query: list(found.items()) for query, found in self.run.items()},
            "notes": self.notes,
        }

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Outcome:
        """Back from `to_json`."""
        return cls(
            **{
                **values,
                "cost": values["cost"] and Cost.from_json(values["cost"]),
                "passages": {
                    query: [Passage(*one) for one in found] for query, found in values["passages"].items()
                },
                "run": {query: dict(found) for query, found in values["run"].items()},
            }
        )


def outcome(collection: Collection, answers: Answers, measures: Sequence[Measure], depth: int) -> Outcome:
    """Score answers, of `depth` documents for each query, and take from them what a report shows."""
    scores = score(collection, answers, measures)
    return Outcome(
        embedder=answers.embedder,
        chunker=answers.chunker,
        means=scores.means,
        per_query={name: list(values.values()) for name, values in scores.per_query.items()},
        cost=answers.cost,
        recall=_recall(collection, answers.run, depth),
        scores=_histogram(collection, answers.run),
        judged=_judged(collection, answers.run),
        passages=answers.passages,
        run=answers.run,
        notes=answers.notes,
    )


def _recall(collection: Collection, run: Run, depth: int) -> dict[str, list[float]]:
    at = [k for k in _CURVE if k <= depth]
    means = evaluate(collection.qrels, run, [f"R@{k}" for k in at]).means
    return {"k": [float(k) for k in at], "values": [means[f"R@{k}"] for k in at]}


def _histogram(collection: Collection, run: Run) -> dict[str, list[float]]:
    relevant: list[float] = []
    other: list[float] = []
    for query, found in run.items():
        gains = collection.qrels[query]
        for document, value in found.items():
            (relevant if gains.get(document, 0) > 0 else other).append(value)
    edges = np.histogram_bin_edges(np.array(relevant + other or [0.0]), _BINS)
    return {
        "edges": edges.tolist(),
        "relevant": np.histogram(relevant, edges)[0].tolist(),
        "other": np.histogram(other, edges)[0].tolist(),
    }


def _judged(collection: Collection, run: Run) -> float:
    shares = []
    for query, found in run.items():
        first = list(ranked(found))[:10]
        if first:
            shares.append(sum(document in collection.qrels[query] for document in first) / len(first))
    return fsum(shares) / len(shares) if shares else 0.0
