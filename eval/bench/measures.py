"""Scoring a run: ours against ir_measures (pytrec_eval), in turns within one process.

Run: ``python -m ragembed.eval.bench.measures [--queries 10000] [--hits 100] [--rounds 7]``. Prints medians and their
ratio, for scores without ties and for scores rounded until most are tied, after checking that both give the
same values.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from collections.abc import Callable

import ir_measures

from ragembed.eval.measures import evaluate
from ragembed.types import Qrels, Run

MEASURES = ("nDCG@10", "R@100", "P@5", "AP", "RR", "Success@5")


def collection(queries: int, hits: int, digits: int) -> tuple[Qrels, Run]:
    """`queries` queries with `hits` scored documents each, best first, of which 1 to 20 are judged."""
    draw = random.Random(0)
    qrels: Qrels = {}
    run: Run = {}
    for number in range(queries):
        documents = [f"doc{draw.randrange(10_000_000)}" for _ in range(hits)]
        scores = sorted((round(draw.random() * 30, digits) for _ in documents), reverse=True)
        run[f"q{number}"] = dict(zip(documents, scores, strict=True))
        judged = draw.sample(documents, min(draw.randint(1, 20), hits)) + [f"missed{n}" for n in range(3)]
        qrels[f"q{number}"] = {document: draw.randint(0, 3) for document in judged}
    return qrels, run


def seconds(work: Callable[[], object]) -> float:
    """Wall-clock time of one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--queries", type=int, default=10_000)
    parser.add_argument("--hits", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    theirs = [ir_measures.parse_measure(name) for name in MEASURES]
    for label, digits in (("no ties", 12), ("ties", 0)):
        qrels, run = collection(options.queries, options.hits, digits)
        expected = {
            str(measure): value for measure, value in ir_measures.calc_aggregate(theirs, qrels, run).items()
        }
        means = evaluate(qrels, run, MEASURES).means
        assert all(abs(means[name] - expected[name]) < 1e-9 for name in MEASURES), (means, expected)
        times: tuple[list[float], list[float]] = ([], [])
        for _ in range(options.rounds):
            times[0].append(seconds(lambda: evaluate(qrels, run, MEASURES)))
            times[1].append(seconds(lambda: ir_measures.calc(theirs, qrels, run)))
        ours, peer = map(statistics.median, times)
        shape = f"{options.queries} queries x {options.hits} hits, {len(MEASURES)} measures, {label}"
        print(f"{shape}: ours {ours:.3f} s, ir_measures {peer:.3f} s, ratio {peer / ours:.2f}")


if __name__ == "__main__":
    main()
