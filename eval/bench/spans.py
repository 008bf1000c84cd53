"""Chunkers by reference spans: the table of docs/spans.md, and our measures against Chroma's published code.

Every chunker cuts the five texts of Chroma's chunking evaluation, every embedder retrieves. With ``--theirs``, a
checkout of brandonstarxel/chunking_evaluation, its code scores the same chunks and answers, and also those of its
own splitters; shown is the largest difference over all queries.

    python -m ragembed.eval.bench.spans [--theirs FOLDER] [--embedder bm25] [--chunker SPEC] [--data FOLDER]
    python -m ragembed.eval.bench.spans --choose [--cache FILE]    every chunker with BM25, MiniLM and both, and which
                                                                   is best on texts that it was not chosen by
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import fsum
from pathlib import Path
from statistics import fmean as mean

from ragembed import Pipeline
from ragembed.datasets import Dataset, load
from ragembed.eval.bench import chroma
from ragembed.eval.bench.harness import SHARED, indexed, machine, table
from ragembed.eval.bootstrap import bootstrap_intervals
from ragembed.eval.spans import evaluate_spans, retrieve_spans
from ragembed.types import Document, Hit, Span

CHUNKERS = (
    "whole",
    *(
        f"{kind}(tokens={size}, overlap=0, tokenizer=words)"
        for kind in ("fixed", "sentence", "recursive")
        for size in (64, 128, 256, 512)
    ),
    *(f"recursive(tokens=128, overlap={overlap}, tokenizer=words)" for overlap in (16, 64)),
    "markdown(tokens=128, overlap=0, tokenizer=words)",
)
MEASURES = (*chroma.MEASURES, "SpanNDCG@5", "SpanR@2000c", "SpanR@4000c", "SpanNDCG@4000c")
FAIR = "SpanPOmega(touching=false)"
PINNED = ((800, 400), (300, 300))
"""Size and step of the windows on which a test holds the values of their code."""

CHOICES = tuple(
    f"{kind}(tokens={size}, overlap=0, tokenizer=words)"
    for kind in ("fixed", "sentence", "recursive")
    for size in (64, 128, 256)
)
EMBEDDERS = ("bm25", "minilm", "bm25+minilm")
TOLD = ("SpanR@5", "SpanNDCG@5", "SpanR@4000c")
CHOSEN_BY = "SpanNDCG@5"
"""Recall at 5 chunks would choose the largest chunks, whatever they are good for."""

Answers = dict[str, list[Span]]


@dataclass(frozen=True, slots=True)
class System:
    """A chunker with an embedder: all its chunks, and what it answers."""

    name: str
    chunks: list[Span]
    answers: Answers


def ours(dataset: Dataset, spec: str, embedder: str, cache: Path | None = None) -> System:
    """A chunker of ours."""
    with indexed(dataset, embedder, spec, cache) as pipeline:
        chunks = [Span(chunk.document_id, chunk.start, chunk.end) for chunk in pipeline.chunks()]
        return System(spec, chunks, retrieve_spans(pipeline, dataset.queries, MEASURES))


def others(dataset: Dataset, name: str, chunks: list[Span], embedder: str) -> System:
    """A chunker that is not ours, each of its chunks indexed as a document."""
    texts = {document.id: document.text for document in dataset.documents}
    named = {f"{span.document} {span.start} {span.end}": span for span in chunks}
    with (
        tempfile.TemporaryDirectory() as folder,
        Pipeline.create(f"{folder}/index", embedder, "whole") as pipeline,
    ):
        pipeline.add(
            Document(key, texts[span.document][span.start : span.end]) for key, span in named.items()
        )
        return System(name, chunks, retrieve_spans(Moved(pipeline, named), dataset.queries, MEASURES))


@dataclass(frozen=True, slots=True)
class Moved:
    """A pipeline over chunks as documents, whose hits say where the chunks were cut from."""

    pipeline: Pipeline
    spans: dict[str, Span]

    def search_many(self, queries: Sequence[str], k: int = 10) -> list[list[Hit]]:
        """As the pipeline's."""
        return [[self._moved(hit) for hit in hits] for hits in self.pipeline.search_many(queries, k)]

    def _moved(self, hit: Hit) -> Hit:
        document, start, end = self.spans[hit.chunk.document_id]
        return replace(hit, chunk=replace(hit.chunk, document_id=document, start=start, end=end))


def windows(dataset: Dataset, size: int, step: int) -> list[Span]:
    """Chunks of `size` characters, one every `step` characters: chunks that no code of ours decides."""
    return [
        Span(document.id, start, min(start + size, len(document.text)))
        for document in dataset.documents
        for start in range(0, len(document.text), step)
    ]


def by_shared_words(dataset: Dataset, chunks: Sequence[Span], k: int) -> Answers:
    """The `k` chunks that hold the most words of a query, the earlier ones first: a retrieval as plain as can be."""
    texts = {document.id: document.text.lower() for document in dataset.documents}
    holding: dict[str, list[int]] = {}
    for number, (document, start, end) in enumerate(chunks):
        for word in set(texts[document][start:end].split()):
            holding.setdefault(word, []).append(number)
    answers: Answers = {}
    for query, text in dataset.queries.items():
        shared: Counter[int] = Counter()
        for word in set(text.lower().split()):
            shared.update(holding.get(word, ()))
        best = sorted(shared, key=lambda number: (-shared[number], number))[:k]
        answers[query] = [chunks[number] for number in best]
    return answers


def show_pinned(peer: chroma.Theirs, dataset: Dataset) -> None:
    """Print what tests/eval/test_spans.py holds: means and first values of their code."""
    for size, step in PINNED:
        chunks = windows(dataset, size, step)
        for measure, scores in peer.scores(chunks, by_shared_words(dataset, chunks, 5), 5).items():
            first = [f"{query} {value:.12f}" for query, value in scores.items() if value][:3]
            print(size, step, measure, f"{fsum(scores.values()) / len(scores):.12f}", *first)
    print()


def show_scores(dataset: Dataset, systems: Sequence[System]) -> None:
    """Print the means of all measures."""
    rows: list[list[object]] = []
    for system in systems:
        means = evaluate_spans(dataset.spans, system.answers, MEASURES, chunks=system.chunks).means
        size = round(sum(span.end - span.start for span in system.chunks) / len(system.chunks))
        rows.append([system.name, len(system.chunks), size, *(f"{means[name]:.3f}" for name in MEASURES)])
    table(["chunker", "chunks", "mean characters", *MEASURES], rows)


def show_choice(dataset: Dataset, cache: Path | None) -> None:
    """Print every chunker with every embedder; then what the other texts choose for each text, and reach on it."""
    values: dict[tuple[str, str], dict[str, dict[str, float]]] = {}
    for embedder, chunker in product(EMBEDDERS, CHOICES):
        system = ours(dataset, chunker, embedder, cache)
        found = evaluate_spans(dataset.spans, system.answers, TOLD)
        values[chunker, embedder] = found.per_query
        print(chunker, embedder, *(f"{found.means[name]:.3f}" for name in TOLD), flush=True)
    print()
    header = [f"{embedder} {name}" for embedder in EMBEDDERS for name in TOLD]
    rows = [
        [
            chunker,
            *(f"{mean(values[chunker, each][name].values()):.3f}" for each in EMBEDDERS for name in TOLD),
        ]
        for chunker in CHOICES
    ]
    table(["chunker", *header], rows)
    text_of = {query: spans[0].document for query, spans in dataset.spans.items()}
    picked: dict[str, dict[str, float]] = {name: {} for name in TOLD}
    rows = []
    for text in sorted(set(text_of.values())):
        inside = [query for query in text_of if text_of[query] == text]
        outside = [query for query in text_of if text_of[query] != text]
        best = max(values, key=lambda each: mean(values[each][CHOSEN_BY][query] for query in outside))
        for name in TOLD:
            picked[name].update({query: values[best][name][query] for query in inside})
        rows.append(
            [
                text,
                str(len(inside)),
                *best,
                *(f"{mean(picked[name][query] for query in inside):.3f}" for name in TOLD),
            ]
        )
    everywhere = [f"{mean(picked[name].values()):.3f}" for name in TOLD]
    rows.append(["all", str(len(text_of)), "as chosen by the others", "", *everywhere])
    print(f"chosen by {CHOSEN_BY} on the other texts")
    table(["text", "questions", "chunker", "embedder", *TOLD], rows)
    for name in TOLD:
        low, high = bootstrap_intervals(list(picked[name].values()))
        print(f"{name} as chosen: 95 % interval {low:.3f} to {high:.3f}")


def show_differences(peer: chroma.Theirs, dataset: Dataset, systems: Sequence[System]) -> None:
    """Print how far our values lie from those of their code, at most, and the seconds that both took."""
    rows: list[list[object]] = []
    seconds = [0.0, 0.0]
    for system in systems:
        started = time.perf_counter()
        mine = evaluate_spans(dataset.spans, system.answers, chroma.MEASURES, chunks=system.chunks).per_query
        between = time.perf_counter()
        theirs = peer.scores(system.chunks, system.answers, 5)
        seconds = [seconds[0] + between - started, seconds[1] + time.perf_counter() - between]
        mine |= evaluate_spans(dataset.spans, system.answers, FAIR, chunks=system.chunks).per_query
        pairs = [*((name, name) for name in chroma.MEASURES), (FAIR, "SpanPOmega")]
        rows.append([system.name, *(difference(mine[name], theirs[other]) for name, other in pairs)])
    print("largest difference from Chroma's code over all queries")
    table(["chunker", *chroma.MEASURES, FAIR], rows)
    print(f"ours {seconds[0]:.2f} s, their code {seconds[1]:.2f} s, ratio {seconds[1] / seconds[0]:.0f}\n")


def difference(one: dict[str, float], other: dict[str, float]) -> float:
    """The largest over all queries."""
    return max(abs(one[query] - other[query]) for query in other)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--theirs", type=Path, help="a checkout of brandonstarxel/chunking_evaluation")
    parser.add_argument("--embedder", default="bm25", help="what retrieves")
    parser.add_argument("--chunker", action="append", help="instead of those compared; may be repeated")
    parser.add_argument("--choose", action="store_true", help="every chunker with every embedder")
    parser.add_argument("--cache", type=Path, help="file that keeps vectors for the next time")
    parser.add_argument("--data", type=Path, default=SHARED, help="folder of the test collections")
    arguments = parser.parse_args()
    print(machine("ragembed"), end="\n\n")
    dataset = load(arguments.data / "chunking_eval")
    if arguments.choose:
        show_choice(dataset, arguments.cache)
        return
    print(f"{len(dataset.spans)} queries, {arguments.embedder}", flush=True)
    systems = [ours(dataset, spec, arguments.embedder) for spec in arguments.chunker or CHUNKERS]
    peer = chroma.Theirs(arguments.theirs, dataset.spans) if arguments.theirs else None
    if peer is not None:
        theirs = peer.chunkers(dataset).items()
        systems += [others(dataset, name, chunks, arguments.embedder) for name, chunks in theirs]
    show_scores(dataset, systems)
    if peer is not None:
        show_differences(peer, dataset, systems)
        show_pinned(peer, dataset)


if __name__ == "__main__":
    main()
