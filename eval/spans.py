"""Scoring ranked chunks by reference spans, which stay the same whatever cut the documents into chunks.

Judgements of documents cannot compare chunkers, and judgements of chunks change with the chunker. Reference spans
say which characters of which document answer a query; a chunk is worth what it holds of them. The measures are
defined in `span_measures`, and explained in docs/spans.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from math import fsum
from typing import Protocol

from ragembed.errors import DatasetError, SpecError
from ragembed.eval.coverage import ChunkMap, Ranges, Reading, first_characters, merged, read
from ragembed.eval.measures import Scores
from ragembed.eval.names import Measure, needs_spans, parse_measures
from ragembed.eval.span_measures import precision_omega, span_scorer
from ragembed.eval.span_names import CHARACTERS, SPAN
from ragembed.types import Hit, Span, SpanTruth

__all__ = ["Searches", "evaluate_spans", "needs_chunks", "needs_spans", "retrieve_spans", "spans_of"]


class Searches(Protocol):
    """What finds chunks, such as a `ragembed.Pipeline`."""

    def search_many(self, queries: Sequence[str], k: int = 10) -> list[list[Hit]]: ...


def spans_of(hits: Iterable[Hit]) -> list[Span]:
    """The spans of the chunks that were found, best first."""
    return [Span(hit.chunk.document_id, hit.chunk.start, hit.chunk.end) for hit in hits]


def evaluate_spans(
    truth: SpanTruth,
    answers: Mapping[str, Sequence[Span]],
    measures: str | Measure | Iterable[str | Measure],
    *,
    chunks: Iterable[Span] | None = None,
) -> Scores:
    """Score `answers`, for each query the retrieved chunks from the best to the worst, by the spans of `truth`.

    Means are over the queries of `truth`; one that is not answered, or has no span, scores 0. `chunks`, all chunks
    of the system, are wanted by SpanPOmega alone, which looks at no answer. Raises `SpecError` for a measure that
    is not over spans, or lacks `chunks`, and `DatasetError` for no truth, for a span that ends before it starts,
    or for answers of which none is to a query of `truth`.
    """
    wanted = parse_measures(measures)
    _check_measures(wanted, chunks is not None)
    _check(truth, answers)
    references = {query: merged(spans) for query, spans in truth.items()}
    per_query: dict[str, dict[str, float]] = {}
    for (cutoff, unit), group in _by_depth(wanted).items():
        if cutoff is None:
            every = ChunkMap(_sound("the chunks", chunks or ()))
            for measure in group:
                touching = dict(measure.params).get("touching") is not False
                per_query[str(measure)] = {
                    query: precision_omega(ranges, every, touching) for query, ranges in references.items()
                }
            continue
        readings = {
            query: _read(ranges, answers.get(query, ()), cutoff, unit) for query, ranges in references.items()
        }
        for measure in group:
            score = span_scorer(measure)
            per_query[str(measure)] = {query: score(reading) for query, reading in readings.items()}
    names = [str(measure) for measure in wanted]
    return Scores(
        {name: fsum(per_query[name].values()) / len(truth) for name in names},
        {name: per_query[name] for name in names},
        unanswered=tuple(query for query in truth if not answers.get(query)),
        without_relevant=tuple(query for query, ranges in references.items() if not ranges),
        unjudged=tuple(query for query in answers if query not in truth),
    )


def retrieve_spans(
    searcher: Searches,
    queries: Mapping[str, str],
    measures: str | Measure | Iterable[str | Measure],
    k: int = 1,
) -> dict[str, list[Span]]:
    """The chunks for each of `queries`, at least `k` and as many as `measures` look at.

    How many chunks fill a cutoff in characters is not known beforehand: all queries are asked for twice as many
    until each has them, or gets no more.
    """
    wanted = [measure for measure in parse_measures(measures) if needs_spans(measure) and measure.cutoff]
    budget = max((int(each.cutoff or 0) for each in wanted if each.unit == CHARACTERS), default=0)
    k = max([k, *(int(each.cutoff or 0) for each in wanted if each.unit != CHARACTERS)])
    answers: dict[str, list[Span]] = {}
    while True:
        open_queries = [query for query in queries if query not in answers]
        if not open_queries:
            return {query: answers[query] for query in queries}
        found = searcher.search_many([queries[query] for query in open_queries], k)
        for query, hits in zip(open_queries, found, strict=True):
            spans = spans_of(hits)
            if len(spans) < k or sum(span.end - span.start for span in spans) >= budget:
                answers[query] = spans
        k *= 2


def needs_chunks(measure: Measure) -> bool:
    """Whether `measure` looks at all chunks of a system, not at answers."""
    return measure.name in SPAN and not SPAN[measure.name].has_cutoff


def _read(references: Ranges, answer: Sequence[Span], cutoff: int, unit: str) -> Reading:
    return read(
        references, first_characters(answer, cutoff) if unit == CHARACTERS else islice(answer, cutoff)
    )


def _by_depth(measures: Sequence[Measure]) -> dict[tuple[int | None, str], list[Measure]]:
    groups: dict[tuple[int | None, str], list[Measure]] = {}
    for measure in measures:
        cutoff = None if measure.cutoff is None else int(measure.cutoff)
        groups.setdefault((cutoff, measure.unit), []).append(measure)
    return groups


def _check_measures(measures: Sequence[Measure], chunks_given: bool) -> None:
    for measure in measures:
        if not needs_spans(measure):
            raise SpecError(
                f"measure {measure} is not over spans",
                f"score documents by evaluate(), or ask for one of: {', '.join(SPAN)}",
            )
        if needs_chunks(measure) and not chunks_given:
            raise SpecError(
                f"measure {measure} looks at all chunks of a system, and none are given",
                "pass chunks=, the spans of all chunks",
            )


def _check(truth: SpanTruth, answers: Mapping[str, Sequence[Span]]) -> None:
    if not truth:
        raise DatasetError(
            "there are no reference spans to score by", "give a collection with spans, see docs/spans.md"
        )
    if answers and truth.keys().isdisjoint(answers):
        raise DatasetError(
            f"the answers are to none of the {len(truth)} queries with reference spans: "
            f"they have {next(iter(answers))!r}, the spans have {next(iter(truth))!r}",
            "check that both are of the same collection and split",
        )
    for query, spans in truth.items():
        _sound(f"the reference spans of query {query!r}", spans)
        _sound(f"the answer to query {query!r}", answers.get(query, ()))


def _sound(what: str, spans: Iterable[Span]) -> Iterable[Span]:
    found = list(spans)
    for span in found:
        if not 0 <= span.start <= span.end:
            raise DatasetError(
                f"{what} name characters {span.start} to {span.end} of document {span.document!r}",
                "give the first character and the one after the last, counted from 0",
            )
    return found
