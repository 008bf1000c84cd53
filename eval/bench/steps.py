"""Steps after the first list: what feedback, expansion, diversity and the collapse of duplicates do to a ranking.

Documents stay whole. For each collection the parameters of a step are those of its grid with the best mean nDCG@10 over
the other four, so that no figure was chosen on the collection that it is reported for; p is of a paired randomization
test against the list without the step. One index of ``bm25+minilm`` serves all three systems.

    python -m ragembed.eval.bench.steps [--folder build/steps] [--words FOLDER] [--only rm3,mmr]

`--words` are word vectors for `expand`: the figures of docs/benchmarks.md are of

    ragembed train "word2vec(dimension=100, window=10, sample=0.0001, epochs=2)" imdb/corpus.txt.gz
        scifact cranfield cisi med cosqa cranfield cisi med cranfield cisi med -o FOLDER
"""

from __future__ import annotations

import argparse
import copy
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path

import numpy as np

from ragembed import Pipeline
from ragembed.datasets import load
from ragembed.eval.bench.harness import SHARED, machine, table
from ragembed.eval.measures import evaluate
from ragembed.eval.randomization import paired_randomization
from ragembed.retrieve.fusion import Fused
from ragembed.retrieve.options import SearchOptions
from ragembed.retrieve.ranking import Ranking
from ragembed.retrieve.steps.similarity import cosines

COLLECTIONS = ("scifact", "cranfield", "cisi", "med", "cosqa")
SYSTEMS = {"bm25": (0,), "minilm": (1,), "bm25+minilm": (0, 1)}
"""By the numbers of the sides that search."""
K = 100
CUTS = (0.5, 0.7, 0.9)
"""Weights of `mmr`."""


def _grid(name: str, rest: str = "", **values: Sequence[object]) -> list[str]:
    return [
        f"{name}({', '.join(f'{key}={value}' for key, value in zip(values, chosen, strict=True))}{rest})"
        for chosen in product(*values.values())
    ]


def grids(words: str | None) -> dict[str, dict[str, list[str]]]:
    """By step and system the specs that are tried."""
    rm3 = _grid("rm3", documents=(3, 10), terms=(10, 30), weight=(0.5, 0.8))
    dense = _grid("rocchio", documents=(3, 10), weight=(0.5, 0.7, 0.9))
    sparse = _grid("rocchio", ", embedders=sparse", documents=(3, 10), weight=(0.5, 0.8))
    few = _grid("rm3", documents=(3, 10), terms=(10, 30), weight=(0.8,))
    found = {
        "rm3": {"bm25": rm3, "bm25+minilm": few},
        "rocchio": {
            "bm25": sparse,
            "minilm": dense,
            "bm25+minilm": _grid("rocchio", documents=(3,), weight=(0.7, 0.9)),
        },
        "mmr": {system: _grid("mmr", weight=CUTS) for system in SYSTEMS},
        "collapse": {system: ["collapse"] for system in ("bm25", "minilm")},
    }
    if words is not None:
        expand = _grid(
            "expand", f", embedder='{words}'", similarity=(0.6, 0.8), weight=(0.1, 0.3), terms=(3,)
        )
        found["expand"] = {"bm25": expand}
    return found


@dataclass
class Measured:
    """One system with one spec on one collection."""

    ndcg: list[float]
    """Of each query."""
    recall: float
    alike: float
    """Mean cosine of the vectors of two of the first ten hits."""
    dropped: float
    """Hits that those of the first ten stand for, a query."""
    milliseconds: float
    """Of processor time a query, the first list included."""

    @property
    def mean(self) -> float:
        """nDCG@10 over all queries."""
        return float(np.mean(self.ndcg))


def measured(
    ranking: Ranking, spec: str, queries: dict[str, str], qrels: dict[str, dict[str, int]]
) -> Measured:
    """What the ranking's list is worth after the steps of `spec`."""
    ranking.steps = SearchOptions(steps=spec).make_steps()
    started = time.process_time()
    ranked = ranking.best(range(len(queries)), K)
    took = time.process_time() - started
    places = ranking.catalog.places(sorted({hit.row for hits in ranked for hit in hits}))
    run = {
        query: {places[hit.row][0]: hit.score for hit in hits}
        for query, hits in zip(queries, ranked, strict=True)
    }
    scores = evaluate(qrels, run, ["nDCG@10", "R@100"])
    return Measured(
        [scores.per_query["nDCG@10"][query] for query in qrels],
        scores.means["R@100"],
        _alikeness(ranking, ranked),
        float(np.mean([sum(len(hit.stands_for) for hit in hits[:10]) for hits in ranked])),
        1000 * took / len(queries),
    )


_VECTORS: dict[str, Ranking] = {}
"""Where the vectors lie by which hits are compared, of the collection that is measured."""


def _alikeness(ranking: Ranking, ranked: Sequence[Sequence[Fused]]) -> float:
    means = []
    for hits in ranked:
        if len(hits) > 1:
            found = cosines(_VECTORS["all"], hits[:10])
            means.append(float(found[np.triu_indices(len(found), 1)].mean()))
    return float(np.mean(means))


def only(ranking: Ranking, sides: Sequence[int]) -> Ranking:
    """The ranking by some of its sides."""
    found = copy.copy(ranking)
    found.sides = [ranking.sides[number] for number in sides]
    found.encoded = [ranking.encoded[number] for number in sides]
    found.about = [ranking.about[number] for number in sides] if len(sides) > 1 else []
    return found


def measure(
    folder: Path, name: str, specs: dict[str, dict[str, list[str]]]
) -> dict[tuple[str, str], Measured]:
    """Everything on one collection, by system and spec; what is in the folder already is not made again."""
    dataset = load(SHARED / name)
    queries = {query: dataset.queries[query] for query in dataset.qrels}
    place = folder / name
    if not place.exists():
        with Pipeline.create(place, "bm25+minilm", "whole") as pipeline:
            pipeline.add(dataset.documents)
    kept = folder / f"{name}.json"
    known = json.loads(kept.read_text()) if kept.exists() else []
    found = {(system, spec): Measured(**values) for system, spec, values in known}
    with Pipeline.open(place) as pipeline:
        pipeline.search("warm up")
        searcher = pipeline._search()
        with searcher._state() as (catalog, view):
            whole = Ranking(catalog, view, list(queries.values()), None, SearchOptions())
            _VECTORS["all"] = whole
            for system, sides in SYSTEMS.items():
                ranking = only(whole, sides)
                wanted = [spec for by_system in specs.values() for spec in by_system.get(system, [])]
                for spec in ["none", *wanted]:
                    if (system, spec) not in found:
                        found[system, spec] = measured(ranking, spec, queries, dataset.qrels)
                        known = [(*key, asdict(values)) for key, values in found.items()]
                        kept.write_text(json.dumps(known))
                print(f"{name}, {system}: {len(wanted)} specs", flush=True)
    return found


def chosen(
    results: dict[str, dict[tuple[str, str], Measured]], held: str, system: str, specs: Sequence[str]
) -> str:
    """The spec with the best mean nDCG@10 over the collections other than `held`."""

    def mean(spec: str) -> float:
        return float(np.mean([results[name][system, spec].mean for name in results if name != held]))

    return max(specs, key=mean)


def report(
    results: dict[str, dict[tuple[str, str], Measured]], specs: dict[str, dict[str, list[str]]]
) -> None:
    """Print the tables."""
    names = list(results)
    rows: list[list[object]] = []
    for step in ("rm3", "rocchio", "expand"):
        for system, tried in specs.get(step, {}).items():
            row: list[object] = [step, system]
            gains, recalls, picks = [], [], []
            for name in names:
                pick = chosen(results, name, system, tried)
                before, after = results[name][system, "none"], results[name][system, pick]
                gain = 100 * (np.array(after.ndcg) - np.array(before.ndcg))
                p = float(paired_randomization(gain))
                gains.append(float(gain.mean()))
                recalls.append(100 * (after.recall - before.recall))
                picks.append(pick)
                row.append(f"{gains[-1]:+.1f} (p {p:.2g}), R {recalls[-1]:+.1f}")
            worth = float(
                np.mean(
                    [
                        results[name][system, pick].milliseconds
                        for name, pick in zip(names, picks, strict=True)
                    ]
                )
            )
            plain = float(np.mean([results[name][system, "none"].milliseconds for name in names]))
            row += [f"{np.mean(gains):+.1f}, R {np.mean(recalls):+.1f}", f"{worth - plain:+.1f}"]
            rows.append(row)
            print(f"{step}, {system}: " + "; ".join(f"{n}: {p}" for n, p in zip(names, picks, strict=True)))
            best = chosen(results, "", system, tried)
            print(f"  best over all five: {best}")
    if rows:
        table(["step", "list", *names, "mean", "ms a query"], rows)
    rows = [
        [
            system,
            *(
                f"{results[name][system, 'none'].mean:.3f}, {results[name][system, 'none'].recall:.3f}"
                for name in names
            ),
        ]
        for system in SYSTEMS
    ]
    table(["list", *names], rows)
    if "mmr" in specs:
        rows = []
        for system in SYSTEMS:
            for spec in ["none", *specs["mmr"][system]]:
                ndcg = [results[name][system, spec].mean for name in names]
                alike = [results[name][system, spec].alike for name in names]
                rows.append(
                    [
                        system,
                        spec,
                        *(f"{n:.3f}, {a:.3f}" for n, a in zip(ndcg, alike, strict=True)),
                        f"{np.mean(ndcg):.3f}, {np.mean(alike):.3f}",
                    ]
                )
        table(["list", "mmr", *names, "mean"], rows)
    if "collapse" in specs:
        rows = []
        for system in specs["collapse"]:
            rows.append(
                [
                    system,
                    *(
                        f"{100 * (results[name][system, 'collapse'].mean - results[name][system, 'none'].mean):+.2f},"
                        f" {results[name][system, 'collapse'].dropped:.3f}"
                        for name in names
                    ),
                ]
            )
        table(["list", *names], rows)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, default=Path("build/steps"))
    parser.add_argument("--words")
    parser.add_argument("--only", help="steps, with commas between them")
    parser.add_argument("--collections", default=",".join(COLLECTIONS))
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    print(machine("numpy", "ragembed"))
    specs = grids(asked.words)
    if asked.only:
        specs = {name: specs[name] for name in asked.only.split(",")}
    results = {name: measure(asked.folder, name, specs) for name in asked.collections.split(",")}
    report(results, specs)


if __name__ == "__main__":
    main()
