"""What one system answers to the queries of a collection, through the pipeline that a user's documents go through."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Protocol

from ragembed.embed.cache import VectorCache
from ragembed.embed.coverage import Coverage
from ragembed.errors import DatasetError
from ragembed.eval.cost import Cost, latency
from ragembed.eval.measures import Scores, evaluate
from ragembed.eval.names import Measure
from ragembed.eval.ranking import ranked
from ragembed.eval.spans import evaluate_spans, needs_chunks, needs_spans, retrieve_spans
from ragembed.eval.systems import System
from ragembed.pipeline import Pipeline
from ragembed.sync import Progress
from ragembed.types import Document, Hit, Qrels, Run, Span, SpanTruth

SCRATCH = "ragembed-eval-"
"""How the names of temporary folders begin."""


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
    @property
    def spans(self) -> SpanTruth: ...


@dataclass(frozen=True, slots=True)
class Passage:
    """A retrieved document, and of its best chunk the place and the text, which may be cut at its end."""

    document: str
    score: float
    start: int
    end: int
    text: str


@dataclass(slots=True)
class Answers:
    """What a system answered, and what that took."""

    embedder: str
    """As asked for, in canonical form."""
    chunker: str
    """As it was settled."""
    run: Run
    spans: dict[str, list[Span]]
    """The chunks found for each query, best first; empty where no measure looks at spans."""
    chunks: list[Span]
    """All chunks; empty where no measure looks at them."""
    passages: dict[str, list[Passage]]
    """The first documents of each query in the order of the run."""
    cost: Cost | None
    """None for a system that has answered elsewhere."""
    notes: list[str] = field(default_factory=list)
    coverage: dict[str, Coverage] = field(default_factory=dict)
    """By the specs of embedders that go by words: how many tokens of the documents had a vector."""


def answer(
    collection: Collection,
    system: System,
    measures: Sequence[Measure],
    depth: int,
    *,
    shown: int = 0,
    shown_characters: int = 400,
    timed: bool = False,
    cache: VectorCache | None = None,
    scratch: Path | None = None,
    progress: Progress | None = None,
) -> Answers:
    """Index `collection` in a temporary folder and answer its judged queries with `depth` documents each.

    The folder is made in `scratch`, or where the system makes such. With `shown`, so many passages are kept of each
    answer; with `timed` the latency of single queries is measured. Raises `DatasetError` where a document cannot be
    indexed: a score over part of a collection would pass for one over all of it.
    """
    judged = {query: collection.queries[query] for query in collection.qrels if query in collection.queries}
    texts = list(judged.values())
    over_spans = [measure for measure in measures if needs_spans(measure)]
    with (
        tempfile.TemporaryDirectory(prefix=SCRATCH, dir=scratch) as folder,
        Pipeline.create(
            Path(folder) / "index", system.embedder, system.chunker, system.index_type
        ) as pipeline,
    ):
        pipeline.cache = cache
        started = time.perf_counter()
        report = pipeline.add(collection.documents, progress)
        if report.failed:
            first = report.failed[0]
            raise DatasetError(
                f"{len(report.failed)} documents of {collection.name} cannot be indexed, the first is {first.where}:"
                f" {first.reason}",
                "mend the collection",
            )
        indexed = time.perf_counter()
        cut = [replace(embedder.truncation) for embedder in pipeline.embedders]  # before queries are cut, too
        met = list(report.coverage.values())
        found = pipeline.best_chunks(
            texts, depth, fusion=system.fusion, steps=system.steps, aggregate=system.aggregate
        )
        answered = time.perf_counter()
        run = {
            query: {document: score for document, (score, _) in best.items()}
            for query, best in zip(judged, found, strict=True)
        }
        chunks_of = [{document: chunk for document, (_, chunk) in best.items()} for best in found]
        passages = _passages(pipeline, run, chunks_of, shown, shown_characters)
        spans = retrieve_spans(_Searching(pipeline, system), judged, over_spans) if over_spans else {}
        chunks = []
        if any(map(needs_chunks, over_spans)):
            chunks = [Span(chunk.document_id, chunk.start, chunk.end) for chunk in pipeline.chunks()]
        times = None
        if timed:
            times = latency(
                texts, lambda text: pipeline.search(text, fusion=system.fusion, steps=system.steps)
            )
        info = pipeline.info()
    if cache is not None:
        cut.append(cache.tally.truncation)
    spared = 0.0 if cache is None else cache.tally.seconds
    return Answers(
        embedder=info["embedder"],
        chunker=info["chunker"],
        run=run,
        spans=spans,
        chunks=chunks,
        passages=passages,
        cost=Cost(
            index_seconds=round(indexed - started + spared, 3),
            query_seconds=round(answered - indexed, 3),
            latency_ms=times,
            vector_bytes=sum(segment["bytes"] for segment in info["segments"]),
            index_bytes=info["bytes"],
            peak_memory_bytes=None,
            documents=info["documents"],
            chunks=info["chunks"],
            truncated_chunks=sum(each.texts for each in cut),
            truncated_tokens=sum(each.tokens for each in cut),
            cached_chunks=0 if cache is None else cache.tally.texts,
            tokens=sum(each.tokens for each in met),
            unknown_tokens=sum(each.unknown for each in met),
        ),
        notes=list(report.notes),
        coverage=report.coverage,
    )


def score(collection: Collection, answers: Answers, measures: Sequence[Measure]) -> Scores:
    """Score answers by the collection's judgements, and by its reference spans where measures ask for them.

    Raises `DatasetError` where they do and it has none.
    """
    over_spans = [measure for measure in measures if needs_spans(measure)]
    over_documents = [measure for measure in measures if not needs_spans(measure)]
    parts: list[Scores] = []
    if over_documents:
        parts.append(evaluate(collection.qrels, answers.run, over_documents))
    if over_spans:
        if not collection.spans:
            raise DatasetError(
                f"{collection.name} has no reference spans for {over_spans[0]}",
                "add spans.jsonl (docs/spans.md), or leave the measures over spans out",
            )
        truth = {query: collection.spans.get(query, []) for query in collection.qrels}
        parts.append(evaluate_spans(truth, answers.spans, over_spans, chunks=answers.chunks))
    names = [str(measure) for measure in measures]
    return Scores(
        {name: part.means[name] for name in names for part in parts if name in part.means},
        {name: part.per_query[name] for name in names for part in parts if name in part.per_query},
        unanswered=parts[0].unanswered,
        without_relevant=parts[0].without_relevant,
        unjudged=parts[0].unjudged,
    )


@dataclass(frozen=True, slots=True)
class _Searching:
    """A pipeline that always searches as one system does."""

    pipeline: Pipeline
    system: System

    def search_many(self, queries: Sequence[str], k: int = 10) -> list[list[Hit]]:
        return self.pipeline.search_many(queries, k, fusion=self.system.fusion, steps=self.system.steps)


def _passages(
    pipeline: Pipeline, run: Run, chunk_ids: Sequence[Mapping[str, str]], shown: int, characters: int
) -> dict[str, list[Passage]]:
    """The first `shown` documents of each query as trec_eval orders them, with the text of their best chunks."""
    passages: dict[str, list[Passage]] = {}
    for (query, scores), best in zip(run.items(), chunk_ids, strict=True):
        first = list(islice(ranked(scores), shown))
        found = {
            chunk.id: chunk
            for chunks in pipeline.get([best[document] for document in first]).values()
            for chunk in chunks
        }
        passages[query] = [
            Passage(document, scores[document], chunk.start, chunk.end, chunk.text[:characters])
            for document in first
            for chunk in (found[best[document]],)
        ]
    return passages if shown else {}
