"""Systems that have answered elsewhere, by the TREC run that they wrote."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from math import isfinite
from pathlib import Path
from typing import Any

from ragembed.errors import DatasetError
from ragembed.eval.answers import Answers, Collection, Passage
from ragembed.eval.measures import Scores, evaluate
from ragembed.eval.names import Measure, parse_measures, ranks_seen
from ragembed.eval.ranking import ranked
from ragembed.eval.runs import read_run, run_tag
from ragembed.types import Run


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
        deepest = max((ranks_seen(measure) or 0 for measure in parse_measures(self.measures)), default=0)
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
    run = _read(run_file)
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


def answers_of(
    collection: Collection, path: Path, name: str, depth: int, shown: int, characters: int
) -> Answers:
    """The first `depth` documents for each judged query of a run, with the beginnings of the first `shown`.

    `name` is that of the system. Raises `DatasetError` for what is no run, and for one that answers none of the judged
    queries.
    """
    answered = _read(path)
    if answered.keys().isdisjoint(collection.qrels):
        raise DatasetError(
            f"{path} answers none of the {len(collection.qrels)} judged queries of {collection.name}",
            "check that it is of this collection and split",
        )
    run = {
        query: {document: answered[query][document] for document in islice(ranked(answered[query]), depth)}
        for query in collection.qrels
        if query in answered
    }
    unknown = {document for found in run.values() for document in found}
    wanted = {document for found in run.values() for document in islice(found, shown)}
    texts = {}
    for document in collection.documents:
        unknown.discard(document.id)
        if document.id in wanted:
            texts[document.id] = document.text[:characters]
    passages = {
        query: [
            Passage(document, score, 0, len(texts.get(document, "")), texts.get(document, ""))
            for document, score in islice(found.items(), shown)
        ]
        for query, found in run.items()
    }
    return Answers(
        name, "", run, {}, [], passages, None, _remarks(len(collection.qrels) - len(run), len(unknown))
    )


def _remarks(unanswered: int, unknown: int) -> list[str]:
    """What its reader should know of a run that does not quite fit."""
    told = []
    if unanswered:
        told.append(
            f"{unanswered:,} judged {'query is' if unanswered == 1 else 'queries are'} not answered, and score 0"
        )
    if unknown:
        told.append(f"{unknown:,} of its documents {'is' if unknown == 1 else 'are'} not in the collection")
    return told


def _read(path: Path) -> Run:
    run = read_run(path)
    if not run:
        raise DatasetError(f"{path} holds no answer", "check what should have written it")
    for query, found in run.items():
        infinite = next((document for document, score in found.items() if not isfinite(score)), None)
        if infinite is not None:
            raise DatasetError(
                f"{path} gives document {infinite!r} the score {found[infinite]} for query {query!r}",
                "give finite scores",
            )
    return run
