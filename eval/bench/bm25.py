"""BM25 against bm25s on the same tokens: time to build, queries per second, memory, equal scores; both on one thread.

Collections: SciFact, and synthetic documents whose terms follow Zipf's law. Both sides get the same lists of tokens;
ours then also builds from text to text, with each side's own tokenizer. bm25s' default BM25 is `lucene`, as is ours.

    python -m ragembed.eval.bench.bm25 [--documents 100000] [--repeat 5] [--threads 1]
"""

from __future__ import annotations

import argparse
import json
import tracemalloc
from typing import Any

import numpy as np

from ragembed.eval.bench.harness import SHARED, alternate, in_process, machine, table
from ragembed.threads import set_threads, threads

Tokens = list[list[str]]
K = 10


def scifact() -> tuple[list[str], list[str]]:
    """Texts of documents and queries."""
    folder = SHARED / "scifact"
    with (folder / "corpus.jsonl").open(encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    with (folder / "queries.jsonl").open(encoding="utf-8") as file:
        queries = [json.loads(line)["text"] for line in file]
    return [f"{row['title']} {row['text']}" for row in rows], queries


def synthetic(documents: int) -> tuple[list[str], list[str]]:
    """Documents of 20 to 180 terms from a vocabulary of 200,000 under Zipf's law; 1,000 queries of 2 to 12 terms."""
    rng = np.random.default_rng(7)
    share = 1 / np.arange(10, 200_010)  # the ten commonest words stand for stop words, and are left out
    words = np.array([f"w{number}" for number in range(200_000)])

    def draw(count: int, low: int, high: int) -> list[str]:
        lengths = rng.integers(low, high + 1, count)
        terms = words[rng.choice(len(words), lengths.sum(), p=share / share.sum())]
        return [" ".join(part) for part in np.split(terms, np.cumsum(lengths)[:-1])]

    return draw(documents, 20, 180), draw(1_000, 2, 12)


def collection(name: str, documents: int) -> tuple[list[str], list[str]]:
    """The texts of a collection by its name."""
    return scifact() if name == "scifact" else synthetic(documents)


def tokens_of(texts: list[str]) -> Tokens:
    """bm25s' tokens: English stop words and Snowball's stemmer."""
    import bm25s
    import Stemmer

    found: Any = bm25s.tokenize(
        texts, stopwords="en", stemmer=Stemmer.Stemmer("english"), return_ids=False, show_progress=False
    )
    return list(found)


def build_ours(tokens: Tokens, compiled: bool) -> Any:
    """Our index over lists of tokens."""
    from ragembed.embed.weighting import BM25Weighting
    from ragembed.index.postings import postings_of_terms
    from ragembed.index.sparse import SparseIndex, SparseSegment

    return SparseIndex(
        [SparseSegment(postings_of_terms(tokens), np.arange(len(tokens)))], BM25Weighting(), compiled=compiled
    )


def build_theirs(tokens: Tokens, compiled: bool) -> Any:
    """bm25s over the same."""
    import bm25s

    index = bm25s.BM25(method="lucene", k1=1.5, b=0.75, backend="numba" if compiled else "numpy")
    index.index(tokens, show_progress=False)
    return index


def query_theirs(index: Any, queries: Tokens) -> Any:
    """bm25s' ids and scores, on as many threads as ours uses."""
    return index.retrieve(queries, k=K, show_progress=False, n_threads=threads())


def text_to_index_ours(texts: list[str]) -> object:
    """With our tokenizer."""
    from ragembed.analysis import Analyzer
    from ragembed.index.postings import PostingsBuilder

    builder = PostingsBuilder(Analyzer("english"))
    builder.add(texts)
    return builder.build()


def text_to_index_theirs(texts: list[str]) -> object:
    """With bm25s' tokenizer, given as ids, which is its faster way."""
    import bm25s
    import Stemmer

    tokens = bm25s.tokenize(texts, stopwords="en", stemmer=Stemmer.Stemmer("english"), show_progress=False)
    index = bm25s.BM25(method="lucene")
    index.index(tokens, show_progress=False)
    return index


def largest_difference(ours: Any, theirs: Any, queries: Tokens) -> float:
    """Between the scores at the same ranks."""
    expected = query_theirs(theirs, queries)[1]
    found = ours.search_many(queries, K)
    return max(
        float(np.abs(scores - row[: len(scores)]).max(initial=0))
        for (_, scores), row in zip(found, expected, strict=True)
    )


def memory(name: str, side: str, backend: str, documents: int) -> None:
    """Child process: what Python and numpy allocate for building from tokens and querying, at the peak and kept, MB."""
    texts, questions = collection(name, documents)
    tokens, queries = tokens_of(texts), tokens_of(questions)
    compiled = backend == "numba"
    small = tokens[:50]
    if side == "ours":  # load all code before counting
        build_ours(small, compiled).search_many(queries[:2], K)
    else:
        query_theirs(build_theirs(small, compiled), queries[:2])
    tracemalloc.start()
    if side == "ours":
        index = build_ours(tokens, compiled)
        index.search_many(queries, K)
    else:
        index = build_theirs(tokens, compiled)
        query_theirs(index, queries)
    kept, peak = tracemalloc.get_traced_memory()
    print(json.dumps({"kept": kept / 1e6, "peak": peak / 1e6}))


def main() -> None:
    """Run all and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=100_000)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument(
        "--memory", nargs=3, metavar=("COLLECTION", "SIDE", "BACKEND"), help=argparse.SUPPRESS
    )
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    set_threads(options.threads)
    if options.memory:
        name, side, backend = options.memory
        memory(name, side, backend, options.documents)
        return
    print(machine("numpy", "numba", "bm25s"), "\n")
    rows: list[tuple[object, ...]] = []
    for name in ("scifact", "synthetic"):
        texts, questions = collection(name, options.documents)
        tokens, queries = tokens_of(texts), tokens_of(questions)
        label = f"{name} ({len(texts):,})"
        seconds = alternate(
            {"ours": lambda: text_to_index_ours(texts), "theirs": lambda: text_to_index_theirs(texts)},
            options.repeat,
        )
        rows.append((label, "text to index, s", "-", *_ratio(seconds, faster="seconds")))
        for backend in ("numpy", "numba"):
            compiled = backend == "numba"
            seconds = alternate(
                {
                    "ours": lambda: build_ours(tokens, compiled),
                    "theirs": lambda: build_theirs(tokens, compiled),
                },
                options.repeat,
            )
            rows.append((label, "tokens to index, s", backend, *_ratio(seconds, faster="seconds")))
            ours, theirs = build_ours(tokens, compiled), build_theirs(tokens, compiled)
            seconds = alternate(
                {
                    "ours": lambda: ours.search_many(queries, K),
                    "theirs": lambda: query_theirs(theirs, queries),
                },
                options.repeat,
            )
            rates = {side: len(queries) / value for side, value in seconds.items()}
            rows.append((label, "queries/s", backend, *_ratio(rates, faster="rate")))
            single = alternate(
                {
                    "ours": lambda: [ours.search(query, K) for query in queries],
                    "theirs": lambda: [query_theirs(theirs, [query]) for query in queries],
                },
                options.repeat,
            )
            rates = {side: len(queries) / value for side, value in single.items()}
            rows.append((label, "queries/s, one by one", backend, *_ratio(rates, faster="rate")))
            extra = {
                side: in_process(
                    __file__, "--memory", name, side, backend, "--documents", str(options.documents)
                )
                for side in ("ours", "theirs")
            }
            for what in ("kept", "peak"):
                sizes = {side: values[what] for side, values in extra.items()}
                rows.append((label, f"memory {what}, MB", backend, *_ratio(sizes, faster="seconds")))
            difference = largest_difference(ours, theirs, queries)
            rows.append((label, "largest difference of scores", backend, f"{difference:.1e}", "-", "-"))
    table(("collection", "what", "backend", "ours", "bm25s", "better by"), rows)


def _ratio(values: dict[str, float], faster: str) -> tuple[float, float, str]:
    ours, theirs = values["ours"], values["theirs"]
    ratio = theirs / ours if faster == "seconds" else ours / theirs
    return ours, theirs, f"{ratio:.2f}x"


if __name__ == "__main__":
    main()
