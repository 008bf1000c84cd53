"""Running an embedder over a test collection, through the same pipeline that a user's documents go through."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from ragembed.errors import DatasetError, QueryError
from ragembed.eval.measures import Scores
from ragembed.eval.measures import evaluate as score
from ragembed.eval.names import Measure, parse_measures
from ragembed.eval.runs import write_run
from ragembed.pipeline import Pipeline
from ragembed.sync import Progress
from ragembed.types import Document, Qrels


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What an embedder reached on a collection, and what it took."""

    dataset: str
    split: str
    embedder: str
    """The spec that was asked for, in canonical form."""
    chunker: str
    measures: dict[str, float]
    queries: int
    depth: int
    """How many documents were retrieved for each query."""
    documents: int
    chunks: int
    truncated: int
    """Chunks of which the embedder cut off the end."""
    seconds: dict[str, float]
    """``index``: chunking, embedding and storing all documents; ``query``: embedding and searching all queries."""
    scores: Scores

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values, without the values of single queries."""
        return {
            "dataset": self.dataset,
            "split": self.split,
            "embedder": self.embedder,
            "chunker": self.chunker,
            "measures": self.measures,
            "queries": self.queries,
            "depth": self.depth,
            "documents": self.documents,
            "chunks": self.chunks,
            "truncated": self.truncated,
            "seconds": self.seconds,
            "unanswered": list(self.scores.unanswered),
            "without_relevant": list(self.scores.without_relevant),
        }


class Collection(Protocol):
    """What is evaluated on, such as a `ragembed.datasets.Dataset`."""

    @property
    def name(self) -> str: ...
    @property
    def split(self) -> str: ...
    @property
    def documents(self) -> Iterable[Document]: ...
    @property
    def queries(self) -> Mapping[str, str]: ...
    @property
    def qrels(self) -> Qrels: ...


def evaluate_embedder(
    dataset: Collection,
    embedder: str,
    chunker: str | None = None,
    measures: str | Iterable[str | Measure] = "nDCG@10,R@100",
    *,
    k: int | None = None,
    run_file: Path | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """Index `dataset` in a temporary folder, answer its judged queries with `k` documents each, and score them.

    `k` is 100 by default, or as deep as the measures look; 1,000, as at TREC, for a measure without a cutoff.
    Documents stay whole unless a `chunker` is named; then a document scores its best chunk (MaxP).
    """
    wanted = parse_measures(measures)
    k = _depth(wanted, k)
    judged = {query: dataset.queries[query] for query in dataset.qrels if query in dataset.queries}
    with (
        tempfile.TemporaryDirectory(prefix="ragembed-eval-") as folder,
        Pipeline.create(Path(folder) / "index", embedder, chunker or "whole") as pipeline,
    ):
        started = time.perf_counter()
        report = pipeline.add(dataset.documents, progress)
        if report.failed:  # a score over part of a collection would pass for one over all of it
            first = report.failed[0]
            raise DatasetError(
                f"{len(report.failed)} documents of {dataset.name} cannot be indexed, the first is {first.where}:"
                f" {first.reason}",
                "mend the collection",
            )
        indexed = time.perf_counter()
        answers = pipeline.search_documents(list(judged.values()), k)
        answered = time.perf_counter()
        config = pipeline.config
    run = dict(zip(judged, answers, strict=True))
    if run_file is not None:
        write_run(run_file, run)
    scores = score(dataset.qrels, run, wanted)
    return Evaluation(
        dataset=dataset.name,
        split=dataset.split,
        embedder=config.embedder,
        chunker=config.settled_chunker or config.chunker,
        measures=scores.means,
        queries=len(dataset.qrels),
        depth=k,
        documents=report.added,
        chunks=report.chunks,
        truncated=report.truncated,
        seconds={"index": round(indexed - started, 3), "query": round(answered - indexed, 3)},
        scores=scores,
    )


def _depth(measures: Sequence[Measure], k: int | None) -> int:
    deepest = max((int(measure.cutoff) for measure in measures if measure.cutoff is not None), default=0)
    if k is None:
        return 1000 if any(measure.cutoff is None for measure in measures) else max(100, deepest)
    if k < 1:
        raise QueryError(f"k is {k}", "retrieve at least 1 document")
    if deepest > k:
        raise QueryError(
            f"a measure looks {deepest} documents deep, only {k} are retrieved", f"give -k {deepest}"
        )
    return k
