"""`minilm` against sentence-transformers on the whole of SciFact: the ranking's nDCG@10, and the time to encode.

Ours is the embedder, as it comes and with other settings, and an exact FAISS index of inner products; theirs is
`SentenceTransformer.encode` and `util.semantic_search`, with the same weights. ir_measures scores all. The documents
are encoded slice by slice, each slice by each side in turn, so that all see the same machine.

    python -m ragembed.eval.bench.minilm [--documents 5183] [--threads 2]
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ragembed.datasets import load
from ragembed.embed import EMBEDDERS
from ragembed.embed.minilm import find_minilm
from ragembed.eval.bench.harness import SHARED, machine, table
from ragembed.threads import available_threads, set_threads
from ragembed.types import Run

SLICE = 512
DEPTH = 100
SPECS = (
    "minilm",
    "minilm(long=truncate)",
    "minilm(precision=float32)",
    "minilm(precision=float32, long=truncate)",
)
"""The last of them does what sentence-transformers does."""
Encode = Callable[[Sequence[str]], Any]


def in_turn(texts: Sequence[str], sides: dict[str, Encode]) -> dict[str, tuple[Any, float]]:
    """Vectors and seconds of each side over all of `texts`."""
    parts: dict[str, list[Any]] = {name: [] for name in sides}
    seconds = dict.fromkeys(sides, 0.0)
    for number, start in enumerate(range(0, len(texts), SLICE)):
        order = list(sides) if number % 2 else list(reversed(sides))
        for name in order:
            started = time.perf_counter()
            parts[name].append(sides[name](texts[start : start + SLICE]))
            seconds[name] += time.perf_counter() - started
        print(f"\r{min(start + SLICE, len(texts))}/{len(texts)} texts", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return {name: (np.concatenate(parts[name]), seconds[name]) for name in sides}


def ranked_by_faiss(documents: Any, queries: Any, ids: list[str], query_ids: list[str]) -> Run:
    """Ranking by FAISS."""
    import faiss

    index = faiss.IndexFlatIP(documents.shape[1])
    index.add(documents)
    scores, rows = index.search(queries, min(DEPTH, len(ids)))
    return {
        query: {ids[row]: float(score) for score, row in zip(scores[n], rows[n], strict=True)}
        for n, query in enumerate(query_ids)
    }


def ranked_by_library(documents: Any, queries: Any, ids: list[str], query_ids: list[str]) -> Run:
    """Ranking by sentence-transformers."""
    from sentence_transformers import util

    found = util.semantic_search(queries, documents, top_k=DEPTH)
    return {
        query: {ids[int(hit["corpus_id"])]: float(hit["score"]) for hit in hits}
        for query, hits in zip(query_ids, found, strict=True)
    }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--documents", type=int, default=None, help="only the first so many (the quality is then moot)"
    )
    parser.add_argument("--threads", type=int, default=available_threads())
    options = parser.parse_args()
    set_threads(options.threads)

    import ir_measures
    from sentence_transformers import SentenceTransformer

    dataset = load(SHARED / "scifact")
    documents = list(dataset.documents)[: options.documents]
    ids, texts = [document.id for document in documents], [document.text for document in documents]
    query_ids = [query for query in dataset.queries if query in dataset.qrels]
    queries = [dataset.queries[query] for query in query_ids]

    theirs = SentenceTransformer(str(find_minilm()), local_files_only=True)
    sides: dict[str, Encode] = {"sentence-transformers": theirs.encode}
    asking: dict[str, Encode] = {"sentence-transformers": theirs.encode}
    for spec in SPECS:
        embedder = EMBEDDERS.create(spec)
        sides[spec], asking[spec] = embedder.embed_documents, embedder.embed_queries
    for encode in asking.values():
        encode(queries[:8])
    encoded = in_turn(texts, sides)

    measure = ir_measures.nDCG @ 10
    reference, their_seconds = encoded["sentence-transformers"]
    rows = []
    for name, (vectors, seconds) in encoded.items():
        ranked = ranked_by_library if name == "sentence-transformers" else ranked_by_faiss
        run = ranked(vectors, asking[name](queries), ids, query_ids)
        score = ir_measures.calc_aggregate([measure], dataset.qrels, run)[measure]
        cosine = float((vectors * reference).sum(axis=1).min())
        apart = float(np.abs(vectors - reference).max())
        rows.append((name, f"{score:.4f}", seconds, their_seconds / seconds, f"{cosine:.6f}", apart))

    print(machine("torch", "sentence-transformers", "faiss-cpu"))
    print(f"{len(texts)} documents, {len(queries)} queries, {options.threads} threads")
    table(("", "nDCG@10", "s", "times as fast", "least cosine", "largest difference"), rows)


if __name__ == "__main__":
    main()
