"""Long documents by their chunks: nDCG@10 of every aggregate and fusion, with intervals, on one index for each chunker.

    python -m ragembed.eval.bench.aggregation [--dataset FOLDER] [--cache FILE] [--runs FOLDER] [--chunker SPEC ...]
    python -m ragembed.eval.bench.aggregation --fields [--cache FILE]    an embedder of titles beside those of texts
    python -m ragembed.eval.bench.aggregation --headings [--cache FILE]  titles above chunks when these are embedded

Intervals are bootstrap ones over the queries (95 %), those of differences paired, as in `ragembed compare`, which
makes a report of the runs that ``--runs`` writes: ``ragembed compare --run-file NAME=FILE ...``.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from pathlib import Path

import numpy as np

from ragembed.datasets import Dataset, load
from ragembed.eval.bench.harness import SHARED, indexed, machine, table
from ragembed.eval.bootstrap import bootstrap_intervals
from ragembed.eval.measures import evaluate
from ragembed.eval.runs import write_run
from ragembed.types import Run

MEASURE = "nDCG@10"
DEPTH = 10
CHUNKERS = (
    "recursive(tokens=254, overlap=32, tokenizer=minilm)",
    "recursive(tokens=128, overlap=16, tokenizer=minilm)",
)
AGGREGATES = ("max", "first", "sum", "mean(top=2)", "mean(top=3)", "mean(top=5)")
FUSIONS = ("", "rrf", "combsum")
"""The empty one is the default."""

Answered = dict[str, dict[str, float]]
"""By system the measure of each query."""


def answers(
    dataset: Dataset,
    embedder: str,
    chunker: str,
    ways: Iterable[tuple[str, str]],
    cache: Path | None,
) -> dict[str, Run]:
    """Runs of one index by (fusion, aggregate), under the names of the systems."""
    runs: dict[str, Run] = {}
    judged = {query: dataset.queries[query] for query in dataset.qrels if query in dataset.queries}
    with indexed(dataset, embedder, chunker, cache) as pipeline:
        for fusion, aggregate in ways:
            found = pipeline.search_documents(
                list(judged.values()), DEPTH, fusion=fusion or None, aggregate=aggregate or None
            )
            name = embedder + (f" @ {chunker}" if chunker != "whole" else "")
            name = ", ".join(filter(None, (name, fusion, aggregate)))
            runs[name] = dict(zip(judged, found, strict=True))
    return runs


def scored(dataset: Dataset, runs: Mapping[str, Run]) -> Answered:
    """The measure of each query."""
    return {name: evaluate(dataset.qrels, run, MEASURE).per_query[MEASURE] for name, run in runs.items()}


def show(found: Answered, baseline: str) -> None:
    """Print means, differences to the baseline, and intervals."""
    queries = sorted(found[baseline])
    values = np.array([[found[name][query] for name in found] for query in queries])
    differences = values - values[:, [list(found).index(baseline)]]
    ends = [bootstrap_intervals(each) for each in (values, differences)]
    rows = [
        (
            name,
            f"{values[:, at].mean():.3f}",
            *(f"{low[at]:+.3f} to {high[at]:+.3f}" for low, high in ends),
        )
        for at, name in enumerate(found)
    ]
    table(("system", MEASURE, "95 % interval", f"difference to {baseline}"), rows)


def aggregated(dataset: Dataset, chunkers: Sequence[str], cache: Path | None, keep: Path | None) -> None:
    """Whole documents and chunks, by BM25, MiniLM and both."""
    runs: dict[str, Run] = {}

    def add(embedder: str, chunker: str, ways: Iterable[tuple[str, str]]) -> None:
        new = answers(dataset, embedder, chunker, ways, cache)
        runs.update(new)
        for name in new:
            print(name, f"{evaluate(dataset.qrels, new[name], MEASURE).means[MEASURE]:.3f}", flush=True)

    add("bm25", "whole", [("", "")])
    add("minilm(long=truncate)", "whole", [("", "")])
    add("bm25+minilm(long=truncate)", "whole", [("", "")])
    for chunker in chunkers:
        add("bm25", chunker, [("", aggregate) for aggregate in AGGREGATES])
        add("minilm", chunker, [("", aggregate) for aggregate in AGGREGATES])
        both = list(dict.fromkeys([("", each) for each in AGGREGATES] + [(each, "max") for each in FUSIONS]))
        add("bm25+minilm", chunker, both)
    print()
    show(scored(dataset, runs), "bm25")
    if keep:
        keep.mkdir(parents=True, exist_ok=True)
        for number, (name, run) in enumerate(runs.items()):
            write_run(keep / f"{number:02d}.trec", run)
            print(f"{number:02d}.trec {name}")


def fields(names: Sequence[str], cache: Path | None) -> None:
    """Titles as a list of their own, on collections whose documents have one."""
    for name in names:
        dataset = load(SHARED / name)
        runs: dict[str, Run] = {}
        for embedder in (
            "bm25",
            "bm25(field=title)",
            "bm25+bm25(field=title)",
            "minilm",
            "bm25+minilm",
            "bm25+bm25(field=title)+minilm",
            "bm25+minilm+minilm(field=title)",
        ):
            runs |= answers(dataset, embedder, "whole", [("", "")], cache)
        print(f"{name}, {len(dataset.qrels)} queries")
        show(scored(dataset, runs), "bm25+minilm")


def headings(names: Sequence[str], cache: Path | None) -> None:
    """Chunks of 64 words, by themselves and under the titles of their documents."""
    for name in names:
        dataset = load(SHARED / name)
        runs: dict[str, Run] = {}
        contexts = ("", ", prefix=title")
        for embedder, context in product(("bm25", "minilm", "bm25+minilm"), contexts):
            spec = f"recursive(tokens=64, overlap=0, tokenizer=words{context})"
            runs |= answers(dataset, embedder, spec, [("", "")], cache)
        print(f"{name}, {len(dataset.qrels)} queries")
        show(scored(dataset, runs), next(iter(runs)))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--dataset", type=Path, action="append", help="folders of test collections")
    parser.add_argument("--cache", type=Path, help="file that keeps vectors for the next time")
    parser.add_argument("--runs", type=Path, help="folder for the runs")
    parser.add_argument("--chunker", action="append", help="instead of those compared; may be repeated")
    parser.add_argument("--fields", action="store_true")
    parser.add_argument("--headings", action="store_true")
    options = parser.parse_args()
    print(machine("ragembed"), end="\n\n")
    titled = [each.name for each in options.dataset or ()] or ["scifact", "cranfield"]
    if options.fields:
        fields(titled, options.cache)
    elif options.headings:
        headings(titled, options.cache)
    else:
        for folder in options.dataset or [SHARED / "qmsum"]:
            aggregated(load(folder), options.chunker or CHUNKERS, options.cache, options.runs)


if __name__ == "__main__":
    main()
