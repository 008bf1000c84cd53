"""Do test sets that are made without a language model rank systems as people's judgements do?

    python -m ragembed.eval.bench.testsets --work FOLDER [--queries 1000] [cranfield cosqa ...]

For each collection with human judgements, a test set is made of its documents alone. All `SYSTEMS` answer both sets of
queries, each over its own documents, and Kendall's tau compares the two orders by mean nDCG@10: over all queries that
were made, and over those of each kind. The interval is of a bootstrap over the queries of both sides. ``people``
is the tau of one random half of the human queries with the other, median of 200: what the judgements agree with
themselves.

`COLLECTIONS` says which the method was chosen on, which were seen on the way, and which were held out. Answers are kept
in FOLDER, so that an interrupted run goes on, and another seed or number of queries does not ask the human ones again.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ragembed.datasets import load
from ragembed.datasets.make import KINDS, MakeOptions, make_dataset
from ragembed.eval.bench.harness import SHARED, machine, table
from ragembed.eval.measures import evaluate
from ragembed.lines import write_lines
from ragembed.pipeline import Pipeline

SYSTEMS = (
    "onehot", "bow", "tfidf", "bm25", "bm25(language=none)", "bm25(b=0)", "lsa", "lsa(dimension=64)",
    "random-projection", "minilm", "bm25+minilm", "lsa+bm25",
)  # fmt: skip
"""Fixed before any tau was known."""

COLLECTIONS = {
    "cranfield": ("chosen on", "whole"),
    "cosqa": ("chosen on", "whole"),
    "med": ("seen", "whole"),
    "cisi": ("seen", "whole"),
    "scifact": ("held out", "whole"),
    "qmsum": ("held out", "recursive"),
}
"""What each collection was to the method, and the chunker for its documents."""

MEASURE = "nDCG@10"
ROUNDS = 1000

Scores = dict[str, dict[str, float]]
"""``{system: {query: value}}``"""


def tau(one: np.ndarray[Any, Any], other: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Kendall's tau-b of two rankings ``(..., systems)``: 1 for the same order, -1 for the opposite one."""
    left, right = np.triu_indices(one.shape[-1], 1)
    a = np.sign(one[..., left] - one[..., right])
    b = np.sign(other[..., left] - other[..., right])
    ties = np.sqrt((a != 0).sum(-1) * (b != 0).sum(-1))
    agreement: np.ndarray[Any, Any] = (a * b).sum(-1) / np.maximum(ties, 1)
    return agreement


def resampled(values: np.ndarray[Any, Any], random: np.random.Generator) -> np.ndarray[Any, Any]:
    """Means (rounds, systems) of `values` (systems, queries) over queries drawn with replacement."""
    picked = random.integers(values.shape[1], size=(ROUNDS, values.shape[1]))
    counts = np.stack([np.bincount(row, minlength=values.shape[1]) for row in picked])  # (rounds, queries)
    means: np.ndarray[Any, Any] = counts @ values.T / values.shape[1]
    return means


def agreement_of_halves(values: np.ndarray[Any, Any], random: np.random.Generator) -> float:
    """Median tau between random halves of the queries of `values` (systems, queries)."""
    found = []
    for _ in range(200):
        order = random.permutation(values.shape[1])
        half = len(order) // 2
        found.append(tau(values[:, order[:half]].mean(1), values[:, order[half:]].mean(1)))
    return float(np.median(found))


def answered(folder: str | Path, chunker: str, kept: Path, split: str = "test") -> Scores:
    """`MEASURE` of every system on every query of a collection, kept in the file `kept`."""
    scores: Scores = json.loads(kept.read_text()) if kept.is_file() else {}
    dataset = load(folder, split)
    for system in SYSTEMS:
        if system in scores:
            continue
        started = time.perf_counter()
        with (
            tempfile.TemporaryDirectory() as place,
            Pipeline.create(Path(place) / "index", system, chunker) as pipeline,
        ):
            pipeline.add(dataset.documents)
            found = pipeline.search_documents(list(dataset.queries.values()), 10)
        run = dict(zip(dataset.queries, found, strict=True))
        result = evaluate(dataset.qrels, run, MEASURE)
        scores[system] = result.per_query[MEASURE]
        write_lines(kept, [json.dumps(scores)])
        print(
            f"  {dataset.name} {system} {result.means[MEASURE]:.3f} {time.perf_counter() - started:.0f} s",
            flush=True,
        )
    return scores


def as_array(scores: Scores, queries: Iterable[str]) -> np.ndarray[Any, Any]:
    """``(systems, queries)``"""
    wanted = list(queries)
    return np.array([[scores[system][query] for query in wanted] for system in SYSTEMS])


def kinds_of(folder: Path) -> dict[str, list[str]]:
    """Ids of the made queries by their kind, and by their difficulty."""
    found: dict[str, list[str]] = {}
    for line in (folder / "queries.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        for name in (row["metadata"]["kind"], row["metadata"]["difficulty"]):
            found.setdefault(name, []).append(row["_id"])
    return found


def compare(people: Scores, made: Scores, kinds: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Taus of a collection."""
    random = np.random.default_rng(0)
    human = as_array(people, people[SYSTEMS[0]])
    ours = as_array(made, made[SYSTEMS[0]])
    drawn = tau(resampled(human, random), resampled(ours, random))
    truth = human.mean(1)
    return {
        "tau": float(tau(truth, ours.mean(1))),
        "interval": [float(bound) for bound in np.quantile(drawn, (0.025, 0.975))],
        "people": agreement_of_halves(human, random),
        "human_queries": human.shape[1],
        "made_queries": ours.shape[1],
        "kinds": {
            kind: (float(tau(truth, as_array(made, queries).mean(1))), len(queries))
            for kind, queries in kinds.items()
        },
        "order": [SYSTEMS[i] for i in np.argsort(-truth)],
        "made_order": [SYSTEMS[i] for i in np.argsort(-ours.mean(1))],
    }


def main() -> None:
    """Run the measurement."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("collections", nargs="*", default=list(COLLECTIONS))
    parser.add_argument("--work", type=Path, required=True, help="where test sets and answers are kept")
    parser.add_argument("--queries", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kind", action="append", help="make only queries of these kinds")
    parser.add_argument("--keep-text", action="store_true", help="cut nothing from the documents")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    print(machine("ragembed", "numpy", "scipy"), "\n")
    rows = []
    kinds = tuple(options.kind or KINDS)
    about = f"{options.queries}-{options.seed}" + "-kept" * options.keep_text
    about += f"-{'-'.join(kinds)}" if options.kind else ""
    for name in options.collections:
        role, chunker = COLLECTIONS[name]
        made = options.work / f"{name}-{about}"
        if not made.is_dir():
            asked = MakeOptions(options.queries, options.seed, kinds, keep_text=options.keep_text)
            started = time.perf_counter()
            make_dataset(SHARED / name, made, asked)
            print(f"  made {made.name} in {time.perf_counter() - started:.1f} s", flush=True)
        people = answered(SHARED / name, chunker, options.work / f"{name}-people.json")
        ours = answered(made, chunker, options.work / f"{made.name}.json")
        found = compare(people, ours, kinds_of(made))
        print(json.dumps({name: found}), "\n", flush=True)
        low, high = found["interval"]
        parts = ", ".join(f"{kind} {value:.2f} ({count})" for kind, (value, count) in found["kinds"].items())
        rows.append(
            (name, role, found["human_queries"], found["made_queries"],
             f"{found['tau']:.2f}", f"{low:.2f} to {high:.2f}", f"{found['people']:.2f}", parts)
        )  # fmt: skip
    table(("collection", "", "human queries", "made", "tau", "95 %", "people", "by kind"), rows)


if __name__ == "__main__":
    main()
