"""`minilm` from nothing to a first vector and query by query, against sentence-transformers; and what its options cost.

A start is a new process that imports, loads and embeds one text, beside one that only imports torch, which both need.
Queries go one at a time, in turns, on one thread. Then strict mode against the normal one, and what vectors keep in
fewer bits: cosines with the float32 vectors, and the ranking's nDCG@10 on SciFact, `binary` by the bits that differ.

    python -m ragembed.eval.bench.encoder_start [--repeat 5] [--queries 100] [--documents 200] [--quality]
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ragembed.datasets import load
from ragembed.embed import EMBEDDERS
from ragembed.embed.minilm import find_minilm
from ragembed.embed.quantized import TYPES, quantized
from ragembed.eval.bench.harness import SHARED, alternate, machine, table
from ragembed.eval.measures import evaluate
from ragembed.threads import set_threads

OURS = "from ragembed.embed import EMBEDDERS; EMBEDDERS.create({!r}).embed_queries(['first'])"
THEIRS = (
    "from sentence_transformers import SentenceTransformer;"
    " SentenceTransformer({!r}, device='cpu', local_files_only=True).encode(['first'])"
)
PRECISIONS = ("bfloat16", "float32")
MEASURE = """
import json, sys, time
took = []
for number, query in enumerate([*sys.argv[1:6], *sys.argv[1:]]):
    started = time.process_time()
    encode([query])
    if number >= 5:  # those before are to warm up
        took.append(1000 * (time.process_time() - started))
print(json.dumps(took))
"""


def worked() -> float:
    """Seconds that the processor has worked for processes started from here."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def start(repeat: int) -> dict[str, dict[str, float]]:
    """Seconds to the first vector, by the clock on the wall and of the processor."""
    commands = {
        "sentence-transformers": THEIRS.format(str(find_minilm())),
        **{f"minilm, {name}": OURS.format(f"minilm(precision={name})") for name in PRECISIONS},
        "import torch": "import torch",
    }
    wall: dict[str, list[float]] = {name: [] for name in commands}
    work: dict[str, list[float]] = {name: [] for name in commands}
    for turn in range(repeat + 1):
        for name, code in commands.items():
            started, before = time.perf_counter(), worked()
            subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
            if turn:  # the first has the files read
                wall[name].append(time.perf_counter() - started)
                work[name].append(worked() - before)
    return {
        clock: {name: statistics.median(seconds) for name, seconds in each.items()}
        for clock, each in (("wall", wall), ("processor", work))
    }


def query_by_query(queries: Sequence[str]) -> dict[str, list[float]]:
    """Milliseconds of the processor for each of `queries`; each side in a process of its own, twice, in turn."""
    theirs = f"SentenceTransformer({str(find_minilm())!r}, device='cpu', local_files_only=True).encode"
    sides = {
        "sentence-transformers": f"from sentence_transformers import SentenceTransformer; encode = {theirs}",
        **{
            f"minilm, {name}": "from ragembed.embed import EMBEDDERS;"
            f" encode = EMBEDDERS.create('minilm(precision={name})').embed_queries"
            for name in PRECISIONS
        },
    }
    took: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(2):
        for name, encode in sides.items():
            command = [sys.executable, "-c", f"{encode}\n{MEASURE}", *queries]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            took[name] += json.loads(done.stdout)
    return took


def strictly(kinds: Mapping[str, Sequence[str]], repeat: int) -> list[Sequence[object]]:
    """Rows of the table of strict mode: of each kind of texts, normal and strict."""
    rows: list[Sequence[object]] = []
    for name in PRECISIONS:
        normal, strict = (
            EMBEDDERS.create(f"minilm(precision={name}{more})") for more in ("", ", strict=true")
        )
        for kind, texts in kinds.items():
            runs = {"normal": lambda t=texts: normal.embed(t), "strict": lambda t=texts: strict.embed(t)}
            set_threads(2)
            wall, work = alternate(runs, repeat), alternate(runs, repeat, time.process_time)
            row: list[object] = [kind, name]
            for seconds in (wall, work):
                ratio = f"{seconds['strict'] / seconds['normal']:.2f}x"
                row += [seconds["normal"], seconds["strict"], ratio]
            rows.append(row)
    set_threads(1)
    return rows


def kept(full: NDArray[np.float32], other: NDArray[Any]) -> NDArray[np.float64]:
    """Cosines of the rows of two types of the same vectors."""
    a, b = full.astype(np.float64), other.astype(np.float64)
    cosines: NDArray[np.float64] = (a * b).sum(axis=1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    return cosines


def similarities(kind: str, queries: NDArray[Any], documents: NDArray[Any]) -> NDArray[np.float64]:
    """Of each query and document: the cosine, or for bits how many are the same."""
    if kind == "binary":
        q, d = (np.unpackbits(each, axis=1).astype(np.float32) * 2 - 1 for each in (queries, documents))
        return (q @ d.T).astype(np.float64)
    q, d = (
        each / np.linalg.norm(each.astype(np.float64), axis=1, keepdims=True) for each in (queries, documents)
    )
    products: NDArray[np.float64] = q @ d.T
    return products


def quality() -> list[Sequence[object]]:
    """Rows of the table of types: bytes of a vector, cosines, nDCG@10."""
    dataset = load(SHARED / "scifact")
    documents = list(dataset.documents)
    wanted = [query for query in dataset.queries if query in dataset.qrels]
    embedder = EMBEDDERS.create("minilm")
    set_threads(2)
    d = np.asarray(embedder.embed_documents([document.text for document in documents]))
    q = np.asarray(embedder.embed_queries([dataset.queries[query] for query in wanted]))
    rows: list[Sequence[object]] = []
    for kind in TYPES:
        of_d, of_q = quantized(d, kind), quantized(q, kind)
        scores = similarities(kind, of_q, of_d)
        best = np.argsort(-scores, axis=1, kind="stable")[:, :100]
        run = {
            query: {documents[row].id: float(scores[n, row]) for row in best[n]}
            for n, query in enumerate(wanted)
        }
        cosines = None if kind == "binary" else kept(d, of_d)
        told = ("-", "-") if cosines is None else (f"{cosines.mean():.6f}", f"{cosines.min():.6f}")
        score = evaluate(dataset.qrels, run, "nDCG@10").means["nDCG@10"]
        rows.append((kind, of_d[0].nbytes, *told, f"{score:.4f}"))
    return rows


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--queries", type=int, default=100)
    parser.add_argument("--documents", type=int, default=200)
    parser.add_argument("--quality", action="store_true", help="embed all of SciFact for the table of types")
    options = parser.parse_args()
    set_threads(1)
    print(machine("torch", "sentence-transformers", "transformers"), "\n")
    result: dict[str, Any] = {}
    if options.repeat:
        result["start"] = seconds = start(options.repeat)
        theirs = {clock: each["sentence-transformers"] for clock, each in seconds.items()}
        table(
            ("to the first vector", "s", "ratio", "s of the processor", "ratio"),
            [
                (
                    name,
                    wall,
                    f"{theirs['wall'] / wall:.2f}x",
                    seconds["processor"][name],
                    f"{theirs['processor'] / seconds['processor'][name]:.2f}x",
                )
                for name, wall in seconds["wall"].items()
            ],
        )
    dataset = load(SHARED / "scifact")
    queries = list(dataset.queries.values())[: options.queries]
    if queries:
        medians = {name: statistics.median(took) for name, took in query_by_query(queries).items()}
        result["query"] = medians
        first = medians["sentence-transformers"]
        table(
            (f"one of {len(queries)} queries", "ms (p50)", "ratio"),
            [(name, took, f"{first / took:.2f}x") for name, took in medians.items()],
        )
    if options.documents:
        texts = {
            "abstracts": [document.text for document in list(dataset.documents)[: options.documents]],
            "queries": list(dataset.queries.values())[: options.documents],
        }
        header = ("texts", "precision", "normal s", "strict s", "", "normal s of the processor", "strict", "")
        table(header, strictly(texts, 3))
    if options.quality:
        result["types"] = rows = quality()
        table(("type", "bytes", "mean cosine", "least cosine", "nDCG@10"), rows)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
