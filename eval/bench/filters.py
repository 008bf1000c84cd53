"""Filtered search at every selectivity: recall against brute force, and latency, for words and for vectors.

Each document has its own number in a random order; ``number < N`` lets a share of them through. Brute force for
vectors is a product in float64 over the rows let through; for words, whose scores the filter must not change, the
full unfiltered ranking of which the others are struck out.

    python -m ragembed.eval.bench.filters [--documents 100000] [--queries 50]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ragembed.embed.base import Dense
from ragembed.eval.bench.harness import machine, table
from ragembed.eval.bench.stored import make, register, sentences
from ragembed.pipeline import Pipeline
from ragembed.types import Document

K = 10
SHARES = (0.0001, 0.001, 0.01, 0.03, 0.1, 0.3, 0.5, 0.9, 1.0)

Numbers = NDArray[np.int64]


def documents(count: int, texts: list[str], numbers: Numbers) -> list[Document]:
    """With a few fields beside the one that is filtered by, as real ones have."""
    return [
        Document(
            f"d{i}",
            f"{i} {texts[i]}",
            {
                "number": int(numbers[i]),
                "lang": "en" if i % 3 else "de",
                "year": 2000 + i % 25,
                "path": f"a/{i % 97}.md",
            },
        )
        for i in range(count)
    ]


def best_vectors(vectors: Dense, query: Dense, allowed: Numbers) -> list[int]:
    """The documents of the K largest products, in float64."""
    scores = vectors[allowed].astype(np.float64) @ query.astype(np.float64)
    order = np.lexsort((allowed, -scores))[:K]
    return [int(number) for number in allowed[order]]


def ranking(pipeline: Pipeline, query: str, count: int) -> list[int]:
    """All documents that the index finds without a filter, best first."""
    return [int(hit.chunk.document_id[1:]) for hit in pipeline.search(query, count)]


def measure(
    pipeline: Pipeline, queries: list[str], numbers: Numbers, expected: Callable[[int, Numbers], list[int]]
) -> list[tuple[object, ...]]:
    """For each share: how many it lets through, recall, p50 of a filter's first use and of the same one again."""
    rows: list[tuple[object, ...]] = []
    for share in SHARES:
        most = max(1, round(share * len(numbers)))
        allowed = np.flatnonzero(numbers < most)
        hit = wanted = 0
        first: list[float] = []
        again: list[float] = []
        for which, query in enumerate(queries):
            where = f"number < {most - (which + 1) / 1_000}"  # another each time, that lets the same through
            for seconds in (first, again):
                started = time.perf_counter()
                found = pipeline.search(query, K, where=where)
                seconds.append(time.perf_counter() - started)
            best = expected(which, allowed)
            hit += len({int(one.chunk.document_id[1:]) for one in found} & set(best))
            wanted += len(best)
        rows.append(
            (f"{share:.2%}", most, f"{hit / wanted if wanted else 1:.4f} ({hit}/{wanted})",
             1e3 * statistics.median(first), 1e3 * statistics.median(again))
        )  # fmt: skip
    return rows


def main() -> None:
    """Index once by words and once by vectors, and print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=100_000)
    parser.add_argument("--queries", type=int, default=50)
    options = parser.parse_args()
    register()
    count = options.documents
    print(machine("numpy", "faiss-cpu", "numba"), "\n")
    header = ("let through", "documents", "recall@10", "p50 ms, new filter", "p50 ms, same filter again")
    numbers = np.random.default_rng(5).permutation(count)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        vectors, asked = make(folder, count, options.queries)
        corpus = documents(count, list(sentences(count)), numbers)
        with Pipeline.create(folder / "dense", f"stored:{folder}", "whole") as pipeline:
            pipeline.add(corpus)
            queries = [f"?{number}" for number in range(options.queries)]
            print(f"vectors ({count:,} x {vectors.shape[1]})\n")
            table(
                header,
                measure(
                    pipeline, queries, numbers, lambda n, allowed: best_vectors(vectors, asked[n], allowed)
                ),
            )
        with Pipeline.create(folder / "bm25", "bm25(language=none)", "whole") as pipeline:
            pipeline.add(corpus)
            queries = [" ".join(text.split()[:5]) for text in sentences(options.queries, seed=9)]
            full = [ranking(pipeline, query, count) for query in queries]

            def struck_out(which: int, allowed: Numbers) -> list[int]:
                chosen = set(allowed.tolist())
                return [number for number in full[which] if number in chosen][:K]

            print(f"bm25 ({count:,} texts)\n")
            table(header, measure(pipeline, queries, numbers, struck_out))


if __name__ == "__main__":
    main()
