"""Search through an index of flat vectors against raw FAISS on the same vectors, in the same process, taking turns.

Both sides get the same random unit vectors. Ours starts from the text of a query (whose vector is looked up) and ends
with the hits' texts; theirs starts from the vector and ends with numbers.

    python -m ragembed.eval.bench.search [--rows 1000000] [--repeat 5]
    python -m ragembed.eval.bench.search --batch INDEX --queries FILE.jsonl    an index of your own: queries in a second
                                                     as runs take them, on 1 and 2 threads, and the memory of many
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ragembed.embed.base import Dense
from ragembed.eval.bench.harness import alternate, in_process, machine, peak_rise, table
from ragembed.eval.bench.stored import make, register, sentences
from ragembed.pipeline import Pipeline
from ragembed.threads import set_threads
from ragembed.types import Document

K = 10
SINGLE = 50
"""Queries asked one by one."""
BATCH = 2_000
"""Queries of a run."""
RUN_DEPTH = 100
"""Documents for each query of a run."""


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


def asked_of(path: str, count: int) -> list[str]:
    """`count` queries: those of the file, over and over."""
    with Path(path).open(encoding="utf-8") as file:
        texts = [json.loads(line)["text"] for line in file]
    return list(itertools.islice(itertools.cycle(texts), count))


def measure_batch(index: str, path: str, threads: int) -> None:
    """Print as JSON the queries in a second, on the wall and of the processor, and MB by which the peak rises."""
    set_threads(threads)
    queries = asked_of(path, BATCH)
    with Pipeline.open(index) as pipeline:
        pipeline.search_documents(queries[:SINGLE], RUN_DEPTH)
        times = []
        for _ in range(3):
            wall, worked = time.perf_counter(), time.process_time()
            deque(pipeline.documents_each(queries, RUN_DEPTH), 0)
            times.append((time.perf_counter() - wall, time.process_time() - worked))
        wall, worked = (statistics.median(each) for each in zip(*times, strict=True))
        rises = [
            peak_rise(lambda n=n: deque(pipeline.documents_each(asked_of(path, n), RUN_DEPTH), 0))  # type: ignore[misc]
            for n in (BATCH, 4 * BATCH)
        ]
    print(json.dumps({"wall": len(queries) / wall, "worked": len(queries) / worked, "rises": rises}))


def batch(index: str, path: str) -> None:
    """Print the table."""
    rows = []
    for threads in (1, 2):
        found = in_process(__file__, "--measure", str(threads), "--batch", index, "--queries", path)
        rows.append((threads, found["wall"], found["worked"], *found["rises"]))
    header = ("threads", "queries/s", "queries/s of processor time")
    table((*header, f"MB for {BATCH:,}", f"MB for {4 * BATCH:,}"), rows)


def main() -> None:
    """Build both, ask both, print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--batch", metavar="INDEX")
    parser.add_argument("--queries", metavar="FILE")
    parser.add_argument("--measure", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--batches", type=int, nargs="*", default=[10, 100, 1_000])
    options = parser.parse_args()
    if options.measure:
        measure_batch(options.batch, options.queries, options.measure)
        return
    if options.batch:
        print(machine("numpy", "faiss-cpu"), "\n")
        batch(options.batch, options.queries)
        return
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
