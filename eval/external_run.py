"""Scoring a run that another system wrote as a file."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ragembed.errors import DatasetError
from ragembed.eval.answers import Collection
from ragembed.eval.measures import Scores, evaluate
from ragembed.eval.names import Measure, parse_measures
from ragembed.eval.runs import read_run, run_tag


@dataclass(frozen=True, slots=True)
class ExternalRun:
    """What a run reached on a collection."""

    dataset: str
    split: str
    run: str
    """The file."""
    tag: str
    """What the file calls the system that made it."""
    measures: dict[str, float]
    queries: int
    """How many are judged; each counts in the means, answered or not."""
    depth: int
    """Most documents that the run has for one query."""
    unknown: int
    """Documents of the run that the collection lacks; they count as not relevant."""
    scores: Scores

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values, without the values of single queries."""
        return {
            "dataset": self.dataset,
            "split": self.split,
            "run": self.run,
            "tag": self.tag,
            "measures": self.measures,
            "queries": self.queries,
            "depth": self.depth,
            "unknown": self.unknown,
            "unanswered": list(self.scores.unanswered),
            "without_relevant": list(self.scores.without_relevant),
            "unjudged": len(self.scores.unjudged),
        }

    def remarks(self) -> list[str]:
        """What a reader of the means should know, a line each."""
        told = self.scores.remarks()
        if self.unknown:
            documents = "document is" if self.unknown == 1 else "documents are"
            told.append(f"{self.unknown:,} {documents} not in the collection, and not relevant")
        deepest = max(
            (int(m.cutoff or 0) for m in parse_measures(self.measures) if m.name != "IPrec"), default=0
        )
        if deepest > self.depth:
            told.append(
                f"the run has at most {self.depth} documents for a query, a measure looks {deepest} deep: "
                "what is missing counts as not found"
            )
        return told


def evaluate_run(
    dataset: Collection, run_file: Path, measures: str | Iterable[str | Measure] = "nDCG@10,R@100"
) -> ExternalRun:
    """Score a TREC run file by the judgements of `dataset`, whose documents are read once, for their ids.

    Raises `DatasetError` for what is no run, an empty one, and one that answers none of the judged queries.
    """
    wanted = parse_measures(measures)
    run = read_run(run_file)
    if not run:
        raise DatasetError(f"{run_file} holds no answer", "check what should have written it")
    scores = evaluate(dataset.qrels, run, wanted)
    missing = {document for found in run.values() for document in found}
    missing.difference_update(document.id for document in dataset.documents)
    return ExternalRun(
        dataset.name,
        dataset.split,
        str(run_file),
        run_tag(run_file),
        scores.means,
        len(dataset.qrels),
        max(map(len, run.values())),
        len(missing),
        scores,
    )
