"""Search through an index of flat vectors against raw FAISS on the same vectors, in the same process, taking turns.

Both sides get the same random unit vectors. Ours starts from the text of a query (whose vector is looked up) and ends
with the hits' texts; theirs starts from the vector and ends with numbers.

    python -m ragembed.eval.bench.search [--rows 1000000] [--repeat 5]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ragembed.embed.base import Dense
from ragembed.eval.bench.harness import alternate, machine, table
from ragembed.eval.bench.stored import make, register, sentences
from ragembed.pipeline import Pipeline
from ragembed.types import Document

K = 10
SINGLE = 50
"""Queries asked one by one."""


class Collection:
    """Documents to add, made anew each time they are asked for."""

    def __init__(self, count: int) -> None:
        self.count = count

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[Document]:
        for number, text in enumerate(sentences(self.count)):
            yield Document(f"d{number}", f"{number} {text}")


def raw_index(vectors: Dense) -> Any:
    """FAISS' own flat index."""
    import faiss

    index = faiss.IndexFlatIP(vectors.shape[1])
    for start in range(0, len(vectors), 100_000):
        index.add(np.ascontiguousarray(vectors[start : start + 100_000]))
    return index


def agreement(pipeline: Pipeline, raw: Any, texts: list[str], queries: Dense) -> float:
    """Share of FAISS' hits that are ours too."""
    _, expected = raw.search(queries, K)
    found = pipeline.search_many(texts, K)
    same = [
        len({hit.chunk.document_id for hit in hits} & {f"d{number}" for number in numbers})
        for hits, numbers in zip(found, expected.tolist(), strict=True)
    ]
    return sum(same) / (K * len(texts))


def singles(pipeline: Pipeline, raw: Any, texts: list[str], queries: Dense) -> tuple[float, float]:
    """Median milliseconds of one query by ours and theirs, each asked by both in turn."""
    seconds: dict[str, list[float]] = {"ours": [], "theirs": []}
    for number, text in enumerate(texts):
        vector = queries[number : number + 1]
        for name, run in (
            ("ours", lambda: pipeline.search(text, K)),
            ("theirs", lambda: raw.search(vector, K)),
        ):
            started = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - started)
    return 1e3 * statistics.median(seconds["ours"]), 1e3 * statistics.median(seconds["theirs"])


def main() -> None:
    """Build both, ask both, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--batches", type=int, nargs="*", default=[10, 100, 1_000])
    options = parser.parse_args()
    register()
    print(machine("numpy", "faiss-cpu"), "\n")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        vectors, queries = make(folder, options.rows, max(*options.batches, SINGLE))
        texts = [f"?{number}" for number in range(len(queries))]
        started = time.perf_counter()
        with Pipeline.create(folder / "index", f"stored:{folder}", "whole") as pipeline:
            pipeline.add(Collection(options.rows))
        built = time.perf_counter() - started
        raw = raw_index(vectors)
        with Pipeline.open(folder / "index") as pipeline:
            started = time.perf_counter()
            pipeline.search(texts[0], K)
            first = time.perf_counter() - started
            segments = len(pipeline.info()["segments"])
            same = agreement(pipeline, raw, texts, queries)
            rows: list[tuple[object, ...]] = []
            for size in options.batches:
                asked, its_texts = queries[:size], texts[:size]
                seconds = alternate(
                    {
                        "ours": lambda: pipeline.search_many(its_texts, K),
                        "theirs": lambda: raw.search(asked, K),
                    },
                    options.repeat,
                )
                ours, theirs = 1e3 * seconds["ours"], 1e3 * seconds["theirs"]
                rows.append((f"batch of {size:,}", ours, theirs, f"{ours / theirs:.3f}x", ours - theirs))
            singles(pipeline, raw, texts[:5], queries)
            ours, theirs = singles(pipeline, raw, texts[:SINGLE], queries)
            rows.append(("one query", ours, theirs, f"{ours / theirs:.3f}x", ours - theirs))
    print(
        f"{options.rows:,} vectors in {segments} segments, indexed in {built:.0f} s;"
        f" the first query after opening, with checksums, took {first:.2f} s; hits in common {same:.4f}\n"
    )
    table(("k = 10", "ours, ms", "raw FAISS, ms", "ours / raw", "difference, ms"), rows)


if __name__ == "__main__":
    main()
