"""Approximate search of real vectors against exact search and against FAISS, hnswlib and usearch, at equal recall.

Each structure is set to the least effort that finds `--recall` of the ten best hits of one half of the queries; what is
told is measured by the other half. Times are those of the processor: a query by one thread, and batches by two. All of
one table are taken in turn in one run. Ours is measured as after some thousands of queries, when its compiled code is
loaded; without it with ``--plain``.

    python -m ragembed.eval.bench.ann VECTORS.npy... --queries QUERIES.npy [--keep FOLDER] [--peers hnswlib]...
    python -m ragembed.eval.bench.ann VECTORS.npy --queries QUERIES.npy --rounds 10

Vectors are unit vectors in float32, such as ``ragembed embed`` writes; `--keep` names a folder in which structures that
were built stay for the next run. `--rounds` measures updates: each round adds and deletes a twentieth through the
pipeline, and compares the recall of held-out queries with the target.
"""

from __future__ import annotations

import argparse
import importlib
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from numpy.typing import NDArray

from ragembed.embed.base import Dense
from ragembed.eval.bench.harness import machine, resident, table
from ragembed.eval.bench.stored import register
from ragembed.index.ann import ANN_TYPES, Setting
from ragembed.index.ann import search as search_module
from ragembed.index.ann.accelerator import DEPTHS
from ragembed.index.ann.base import doubling
from ragembed.index.ann.build import build, size_of
from ragembed.index.ann.measure import probes_of, tune
from ragembed.index.ann.search import AcceleratedIndex
from ragembed.index.dense import DenseIndex, DenseSegment
from ragembed.index.flat import flat_index, read_flat, write_flat
from ragembed.pipeline import Pipeline
from ragembed.types import Document

K = 10
OURS = ("ivfpq", "ivfpq(width=2)", "ivf_sq8", "hnsw_sq8")
NONE = np.zeros(0, np.int64)
_REST = 0.3
"""Seconds in which the threads of what ran before stop waiting for more, which takes processor time too."""

Search = Callable[[Dense, int], NDArray[np.int64]]
"""Queries (n, dimension) and how hard to try -> positions (n, K)."""


@dataclass
class Peer:
    """Another library's structure."""

    name: str
    search: Search
    efforts: list[int]
    memory: int
    threads: Callable[[int], object]


def recall(found: NDArray[np.int64], truth: NDArray[np.int64]) -> float:
    """Share of the true hits that were found."""
    return float(
        np.mean([len(set(a) & set(b)) / K for a, b in zip(found.tolist(), truth.tolist(), strict=True)])
    )


def settled(peer: Peer, queries: Dense, truth: NDArray[np.int64], target: float) -> int:
    """The least effort that reaches the target, by bisection; the largest where none does."""
    low, high = 0, len(peer.efforts) - 1
    while low < high:
        middle = (low + high) // 2
        if recall(peer.search(queries, peer.efforts[middle]), truth) >= target:
            high = middle
        else:
            low = middle + 1
    return peer.efforts[high]


def faiss_threads(count: int) -> None:
    """How many threads FAISS uses."""
    import faiss

    library: Any = faiss
    library.omp_set_num_threads(count)


def kept_faiss(name: str, make: Callable[[], Any], keep: Path | None) -> Any:
    """A FAISS index, read where a run before has kept it."""
    import faiss

    library: Any = faiss
    path = keep / f"{name.replace(',', '_')}.faiss" if keep else None
    if path and path.exists():
        return library.read_index(str(path))
    index = make()
    if path:
        library.write_index(index, str(path))
    return index


def graph_peer(vectors: Dense, keep: Path | None) -> Peer:
    """FAISS's graph over bytes, as it is."""
    import faiss

    library: Any = faiss

    def make() -> Any:
        index = library.index_factory(vectors.shape[1], "HNSW16,SQ8", 0)
        index.hnsw.efConstruction = 100
        index.train(vectors[:20_000])
        index.add(vectors)
        return index

    index = kept_faiss("HNSW16,SQ8", make, keep)

    def search(queries: Dense, effort: int) -> NDArray[np.int64]:
        return np.asarray(index.search(queries, K, params=library.SearchParametersHNSW(efSearch=effort))[1])

    return Peer("faiss HNSW16,SQ8", search, doubling(10, 1024), size_of(index), faiss_threads)


def lists_peer(vectors: Dense, keep: Path | None) -> Peer:
    """FAISS's lists of codes, with its own refinement by flat vectors that it holds in memory."""
    import faiss

    library: Any = faiss
    dimension = vectors.shape[1]

    def make() -> Any:
        count = 2 * int(len(vectors) ** 0.5)
        index = library.index_factory(dimension, f"IVF{count},PQ{dimension // 4}x4fs", 0)
        index.train(vectors[:65_536])
        index.add(vectors)
        return index

    codes = kept_faiss("ivfpq", make, keep)  # where `ours` has kept it the very same structure
    flat = library.IndexFlatIP(dimension)
    flat.add(vectors)
    index = library.IndexRefine(codes, flat)

    def search(queries: Dense, effort: int) -> NDArray[np.int64]:
        inner = library.SearchParametersIVF(nprobe=effort)
        told = library.IndexRefineSearchParameters(k_factor=16.0, base_index_params=inner)
        return np.asarray(index.search(queries, K, params=told)[1])

    memory = size_of(codes) + vectors.nbytes
    return Peer("faiss IVF,PQx4fs,Refine(Flat)", search, doubling(1, 512), memory, faiss_threads)


def hnswlib_peer(vectors: Dense, keep: Path | None) -> Peer:
    """hnswlib, float32, as many neighbours and candidates as ours."""
    hnswlib: Any = importlib.import_module("hnswlib")

    index: Any = hnswlib.Index("ip", vectors.shape[1])
    path = keep / "hnswlib.bin" if keep else None
    if path and path.exists():
        index.load_index(str(path))
    else:
        index.init_index(len(vectors), M=16, ef_construction=100)
        index.add_items(vectors)
        if path:
            index.save_index(str(path))

    def search(queries: Dense, effort: int) -> NDArray[np.int64]:
        index.set_ef(effort)
        return np.asarray(index.knn_query(queries, K)[0]).astype(np.int64)

    size = path.stat().st_size if path else 0
    return Peer("hnswlib M=16, float32", search, doubling(10, 1024), size, index.set_num_threads)


def usearch_peer(vectors: Dense, keep: Path | None) -> Peer:
    """usearch in bfloat16."""
    index: Any = importlib.import_module("usearch.index").Index(
        ndim=vectors.shape[1], metric="ip", dtype="bf16", connectivity=16, expansion_add=100
    )
    path = keep / "usearch.bin" if keep else None
    if path and path.exists():
        index.load(str(path))
    else:
        index.add(np.arange(len(vectors)), vectors)
        if path:
            index.save(str(path))
    threads = [1]

    def search(queries: Dense, effort: int) -> NDArray[np.int64]:
        index.expansion_search = effort
        found = index.search(queries if len(queries) > 1 else queries[0], K, threads=threads[0])
        return np.asarray(found.keys).astype(np.int64).reshape(len(queries), -1)

    return Peer(
        "usearch M=16, bf16",
        search,
        doubling(10, 1024),
        int(index.memory_usage),
        lambda count: threads.__setitem__(0, count),
    )


PEERS = {
    "faiss-graph": graph_peer,
    "faiss-lists": lists_peer,
    "hnswlib": hnswlib_peer,
    "usearch": usearch_peer,
}


def ours(
    spec: str, segment: DenseSegment, queries: Dense, target: float, keep: Path | None
) -> AcceleratedIndex:
    """Our structure, its search set by the queries."""
    dimension = segment.flat.dimension
    kind = ANN_TYPES.create(spec)
    if keep and (keep / f"{spec}.faiss").exists():
        made = build(ANN_TYPES.create("binary"), [segment], dimension, segment.rows[100:])
        made.kind, made.rows = kind, segment.rows
        made.index = kept_faiss(spec, lambda: None, keep)
    else:
        started = time.process_time()
        made = build(kind, [segment], dimension, NONE)
        print(f"{spec}: built in {time.process_time() - started:.0f} s of the processor", file=sys.stderr)
        kept_faiss(spec, lambda: made.index, keep)
    exact = DenseIndex([segment], dimension)
    probes = probes_of(exact, queries, np.full(len(queries), -1), [K])
    return tune([segment], made, probes, target)[0]


def as_peer(name: str, index: DenseIndex, memory: int) -> Peer:
    """Ours, called as a search of the pipeline calls it; as many candidates as `tune` chose."""
    accelerator = index.accelerator if isinstance(index, AcceleratedIndex) else None

    def search(queries: Dense, effort: int) -> NDArray[np.int64]:
        if accelerator is not None:
            setting = Setting(effort, accelerator.settings[K].refine)
            accelerator.settings = dict.fromkeys(DEPTHS, setting)
        return np.stack([rows[:K] for rows, _ in index.search_many(queries, K)])

    efforts = [0] if accelerator is None else accelerator.kind.efforts(len(accelerator.rows))
    return Peer(name, search, efforts, memory, faiss_threads)


def timed(peers: list[tuple[Peer, int]], queries: Dense, repeat: int) -> dict[str, tuple[float, float]]:
    """Median seconds of the processor for one query: by itself in one thread, and in a batch by two."""
    single: dict[str, list[float]] = {peer.name: [] for peer, _ in peers}
    batch: dict[str, list[float]] = {peer.name: [] for peer, _ in peers}
    for turn in range(repeat + 1):
        for peer, effort in peers:
            some = queries[:100]
            time.sleep(_REST)
            peer.threads(1)
            started = time.process_time()
            for query in some:
                peer.search(query[np.newaxis], effort)
            alone = (time.process_time() - started) / len(some)
            time.sleep(_REST)
            peer.threads(2)
            started = time.process_time()
            peer.search(queries, effort)
            together = (time.process_time() - started) / len(queries)
            if turn:
                single[peer.name].append(alone)
                batch[peer.name].append(together)
    return {name: (statistics.median(single[name]), statistics.median(batch[name])) for name in single}


def compare(vectors: Dense, queries: Dense, options: argparse.Namespace) -> None:
    """The table of all structures at equal recall."""
    half = len(queries) // 2
    tuning, telling = queries[:half], queries[half:]
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "flat.faiss"
        with path.open("wb") as file:
            write_flat(flat_index(vectors), file.write)
        rows = np.arange(len(vectors), dtype=np.int64)
        segment = DenseSegment(read_flat(path, *vectors.shape), rows, NONE)
        exact = DenseIndex([segment], vectors.shape[1])
        truths = [np.stack([r for r, _ in exact.search_many(some, K)]) for some in (tuning, telling)]
        runs: list[tuple[Peer, int]] = [(as_peer("ours flat (exact)", exact, vectors.nbytes), 0)]
        for spec in options.types or OURS:
            before = resident("RssAnon")
            index = ours(spec, segment, tuning, options.recall, options.keep)
            size = size_of(index.accelerator.index) + 8 * len(vectors)
            print(f"{spec}: {resident('RssAnon') - before:.0f} MB of memory held", file=sys.stderr)
            refine = index.accelerator.settings[K].refine
            mine = as_peer(f"ours {spec} (refine={refine})", index, size)
            runs.append((mine, settled(mine, tuning, truths[0], options.recall)))
        if options.peers:
            peers = []
            for name in options.peers:
                try:
                    peers.append(PEERS[name](vectors, options.keep))
                except ImportError as error:
                    print(f"left out: {error}", file=sys.stderr)
            runs += [(peer, settled(peer, tuning, truths[0], options.recall)) for peer in peers]
        told = timed(runs, telling, options.repeat)
        slow = told["ours flat (exact)"]
        lines = []
        for peer, effort in runs:
            found = recall(peer.search(telling, effort), truths[1])
            alone, together = told[peer.name]
            lines.append(
                (
                    f"{peer.name}, {effort}", f"{found:.4f}", 1e6 * alone, 1e6 * together, slow[0] / alone,
                    slow[1] / together, peer.memory / 1e6, peer.memory / vectors.nbytes,
                )
            )  # fmt: skip
        table(
            (
                "structure, effort",
                f"recall@{K}",
                "us one query",
                "us in a batch",
                "x flat",
                "x flat, batch",
                "MB",
                "of flat",
            ),
            lines,
        )


def rounds(vectors: Dense, queries: Dense, options: argparse.Namespace) -> None:
    """Recall of held-out queries after each of some rounds of additions and deletions."""
    register()
    rng = np.random.default_rng(3)
    share = len(vectors) // 20
    first = len(vectors) - options.rounds * share
    half = len(queries) // 2
    with tempfile.TemporaryDirectory() as place:
        np.save(Path(place, "documents.npy"), vectors)
        np.save(Path(place, "queries.npy"), queries)
        with Pipeline.create(Path(place, "index"), f"stored:{place}", "whole") as pipeline:
            pipeline.add(Document(f"d{i}", f"{i} text") for i in range(first))
            done = pipeline.optimize(
                options.recall,
                memory=int(vectors.nbytes / 3),
                queries=[f"?{i}" for i in range(half)],
                index_type=options.types[0] if options.types else None,
            )
            print(done.choices[0].index_type, json.dumps(done.choices[0].recall))
            alive = set(range(first))
            lines = []
            for number in range(options.rounds + 1):
                if number:
                    new = range(first + (number - 1) * share, first + number * share)
                    pipeline.add(Document(f"d{i}", f"{i} text") for i in new)
                    gone = rng.choice(sorted(alive), share, replace=False).tolist()
                    pipeline.delete([f"d{i}" for i in gone])
                    alive = (alive | set(new)) - set(gone)
                there = np.array(sorted(alive))
                best = there[np.argsort(-(queries[half:] @ vectors[there].T), axis=1)[:, :K]]
                hits = pipeline.search_many([f"?{i}" for i in range(half, len(queries))], K)
                found = np.array([[int(hit.chunk.document_id[1:]) for hit in one] for one in hits])
                told = pipeline.info()["accelerators"]
                what: dict[str, Any] = (
                    told[0]
                    if told
                    else {"index_type": "flat", "rows": 0, "delta_rows": len(alive), "recall": {}}
                )
                lines.append(
                    (
                        number, what["index_type"], what["rows"], what["delta_rows"],
                        what["recall"].get("recall@10", 1.0), recall(found, best),
                    )
                )  # fmt: skip
        table(("round", "type", "rows", "beside it", "told", "measured"), lines)


def main() -> None:
    """Compare, or measure rounds of updates."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("vectors", nargs="+", type=Path)
    parser.add_argument("--queries", type=Path, required=True)
    parser.add_argument("--count", type=int, help="use so many vectors")
    parser.add_argument("--asked", type=int, default=1000, help="use so many queries")
    parser.add_argument("--recall", type=float, default=0.95)
    parser.add_argument("--types", action="append", help="index types of ours; repeatable")
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--peers", action="append", choices=sorted(PEERS), help="repeatable")
    parser.add_argument("--plain", action="store_true", help="without compiled code, as before it is loaded")
    parser.add_argument("--rounds", type=int, default=0)
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    vectors = np.concatenate([np.load(path) for path in options.vectors])[: options.count]
    queries = np.load(options.queries)[: options.asked]
    print(machine("numpy", "faiss-cpu"))
    print(
        f"{len(vectors):,} x {vectors.shape[1]}, {len(queries):,} queries, target {options.recall:g}\n",
        flush=True,
    )
    with mock.patch.object(search_module, "worth_compiling", return_value=not options.plain):
        (rounds if options.rounds else compare)(vectors, queries, options)


if __name__ == "__main__":
    main()
