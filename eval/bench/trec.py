"""Our measures and files against the programs that others score with: ir_measures, pytrec_eval, trec_eval itself.

Real runs (each embedder over each collection, 1,000 documents a query) are scored by us and by them, query by query;
the largest difference of each measure is printed. With `--trec-eval` the runs and judgements are also written as
files and given to that program, whose `all_trec` measures have four digits.

    python -m ragembed.eval.bench.trec [--collection cranfield ...] [--embedder bm25 ...] [--trec-eval PATH]
"""

from __future__ import annotations

import argparse
import random
import subprocess
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from operator import itemgetter
from pathlib import Path

from ragembed.datasets import Dataset, load, write_qrels
from ragembed.eval.bench.harness import SHARED, machine, table
from ragembed.eval.measures import evaluate
from ragembed.eval.runs import write_run
from ragembed.pipeline import Pipeline
from ragembed.types import Qrels, Run

COLLECTIONS = ("primer", "cranfield", "cisi", "med", "scifact", "cosqa", "qmsum")
EMBEDDERS = ("onehot", "tfidf", "bm25", "lsa")
DEPTH = 1000
CUTOFFS = (1, 3, 5, 10, 20, 100, 1000)
PER_QUERY = dict[str, dict[str, float]]

OURS = [
    "nDCG",
    "AP",
    "RR",
    *(f"{name}@{k}" for name in ("nDCG", "R", "P", "AP", "Success") for k in CUTOFFS),
    *(f"{name}(rel={rel}){at}" for rel in (2, 3) for name, at in
      (("AP", ""), ("RR", ""), ("AP", "@10"), ("P", "@5"), ("R", "@100"), ("Success", "@10"))),
]  # fmt: skip
"""Computed by ragembed itself. RR@k is checked apart: ir_measures asks another program for it, with other ties."""
THEIRS = [
    "Rprec", "Bpref", "infAP", "SetP", "SetR", "SetF", "SetAP", "IPrec@0.1", "IPrec@0.5", "NumRet", "NumRel",
    "NumRet(rel=1)", "Judged@10", "Accuracy@10", "Compat", "ERR@20",
    "nDCG(dcg='exp-log2')@10", "P(judged_only=True)@10",
    "SetP(relative=True)",
]  # fmt: skip
"""Computed by ir_measures, which we call with other ids than it is called here."""

TREC_EVAL = {
    "map": "AP", "recip_rank": "RR", "ndcg": "nDCG", "Rprec": "Rprec", "bpref": "Bpref", "infAP": "infAP",
    "set_P": "SetP", "set_recall": "SetR", "set_F": "SetF", "set_map": "SetAP", "set_relative_P": "SetP(relative=true)",
    "num_ret": "NumRet", "num_rel_ret": "NumRet(rel=1)",
    **{f"{theirs}_{k}": f"{ours}@{k}" for theirs, ours in
       (("ndcg_cut", "nDCG"), ("recall", "R"), ("P", "P"), ("map_cut", "AP"))
       for k in (5, 10, 15, 20, 30, 100, 200, 500, 1000)},
    **{f"success_{k}": f"Success@{k}" for k in (1, 5, 10)},
    **{f"iprec_at_recall_{tenth / 10:.2f}": f"IPrec@{tenth / 10}" for tenth in range(11)},
}  # fmt: skip
"""trec_eval's name for each measure of `all_trec` that has one of ours. ``num_rel`` is left out: ir_measures counts
only queries that are answered. From version 10 on ``iprec_at_recall`` rounds where pytrec_eval, of version 9, cuts
off."""


def answers(dataset: Dataset, embedder: str, depth: int = DEPTH) -> Run:
    """The run of `embedder` over whole documents, as `ragembed eval` makes it."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Pipeline.create(Path(folder) / "index", embedder, "whole") as pipeline,
    ):
        pipeline.add(dataset.documents)
        return dict(
            zip(
                dataset.queries,
                pipeline.search_documents(list(dataset.queries.values()), depth),
                strict=True,
            )
        )


def harder(qrels: Qrels, run: Run) -> Iterator[tuple[str, Qrels, Run]]:
    """The run as it is, and with what real runs and judgements have too seldom to rely on."""
    draw = random.Random(0)
    yield "as it is", qrels, run
    yield (
        "rounded scores",
        qrels,
        {q: {d: float(round(s)) for d, s in found.items()} for q, found in run.items()},
    )
    yield (
        "gains from -2 to 3",
        {
            q: {d: draw.randint(-2, 3) for d in [*judged, *list(run.get(q, {}))[:5]]}
            for q, judged in qrels.items()
        },
        run,
    )
    kept = [query for query in run if draw.random() < 0.7] or list(run)[:1]
    yield "three of ten queries missing", qrels, {query: run[query] for query in kept}


def by_ir_measures(qrels: Qrels, run: Run) -> PER_QUERY:
    """``{measure: {query: value}}`` by ir_measures, and RR@k by pytrec_eval's RR."""
    import ir_measures

    answered = {query: dict(found) for query, found in run.items() if found}
    values: PER_QUERY = {}
    for names in (OURS, *([name] for name in THEIRS)):
        if names[0].startswith(("ERR", "nDCG(dcg")) and not all(query.isdigit() for query in qrels):
            continue  # gdeval fails
        measures = {ir_measures.parse_measure(name): name for name in names}
        try:
            found = list(ir_measures.iter_calc(list(measures), _zeros(qrels), answered))
        except ZeroDivisionError:  # Accuracy, where all that is looked at is relevant
            continue
        for measure, name in measures.items():
            values[name] = dict.fromkeys(qrels, float(measure.DEFAULT))
        for metric in found:
            values[measures[metric.measure]][metric.query_id] = metric.value
    values |= {
        f"RR@{k}": {q: value if value >= 1 / k else 0.0 for q, value in values["RR"].items()} for k in CUTOFFS
    }
    return values


def _zeros(qrels: Qrels) -> Qrels:
    """Gains of 0 where a query has only negative ones, at which pytrec_eval crashes."""
    return {q: j if max(j.values()) >= 0 else dict.fromkeys(j, 0) for q, j in qrels.items()}


def by_trec_eval(program: Path, qrels: Qrels, run: Run, complete: bool) -> PER_QUERY:
    """What trec_eval prints, the means under the query ``all``; `complete` is its ``-c``.

    Empty where it refuses: version 10 stops at the first query that the run lacks, unless it is told ``-c``.
    """
    with tempfile.TemporaryDirectory() as folder:
        judgements, answered = Path(folder) / "qrels.txt", Path(folder) / "run.trec"
        write_qrels(judgements, qrels)
        write_run(answered, run)
        options = ["-q", *(["-c"] if complete else []), "-m", "all_trec"]
        done = subprocess.run([program, *options, judgements, answered], capture_output=True, text=True)
    if done.returncode:
        print(done.stderr.strip())
        return {}
    values: PER_QUERY = defaultdict(dict)
    for line in done.stdout.splitlines():
        name, query, value = line.split("\t")
        if ours := TREC_EVAL.get(name.strip()):
            values[ours][query] = float(value)
    return values


def differences(ours: Mapping[str, Mapping[str, float]], theirs: PER_QUERY) -> Iterator[tuple[str, float]]:
    """Measure and largest difference over the queries that both have."""
    for name, values in theirs.items():
        yield (
            name,
            max(abs(ours[name][query] - value) for query, value in values.items() if query in ours[name]),
        )


def canonical(names: Iterable[str]) -> dict[str, str]:
    """Our name for each of `names`."""
    from ragembed.eval.names import parse_measure

    return {name: str(parse_measure(name)) for name in names}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--collection", nargs="*", default=COLLECTIONS)
    parser.add_argument("--embedder", nargs="*", default=EMBEDDERS)
    parser.add_argument("--trec-eval", type=Path, help="the trec_eval program")
    options = parser.parse_args()
    print(machine("ir_measures", "pytrec_eval-terrier"))
    worst: dict[str, dict[str, float]] = {"ir_measures": defaultdict(float), "trec_eval": defaultdict(float)}
    scored = 0
    for collection in options.collection:
        dataset = load(SHARED / collection if (SHARED / collection).is_dir() else collection)
        for embedder in options.embedder:
            for _, qrels, run in harder(dataset.qrels, answers(dataset, embedder)):
                scored += 1
                for program, name, difference in _compared(qrels, run, options.trec_eval):
                    worst[program][name] = max(worst[program][name], difference)
        print(f"{collection}: {len(dataset.documents)} documents, {len(dataset.queries)} queries", flush=True)
    for program, found in worst.items():
        if found:
            print(f"\n{scored} runs, query by query, against {program}: largest difference of each measure\n")
            ordered = sorted(found.items(), key=itemgetter(1), reverse=True)
            table(["measure", "difference"], ordered)


def _compared(qrels: Qrels, run: Run, program: Path | None) -> Iterator[tuple[str, str, float]]:
    theirs = by_ir_measures(qrels, run)
    names = canonical(theirs)
    ours = evaluate(qrels, run, list(names.values())).per_query
    for name, difference in differences(ours, {names[name]: values for name, values in theirs.items()}):
        yield "ir_measures", name, difference
    if program is None:
        return
    for complete in (True, False):
        printed = by_trec_eval(program, qrels, run, complete)
        if not printed:
            continue
        scores = evaluate(qrels, run, list(printed))
        answered = [query for query in qrels if run.get(query)]
        for name, values in scores.per_query.items():
            total = sum(values[query] for query in (qrels if complete else answered))
            count = name.startswith("Num")
            mean = total if count else total / len(qrels if complete else answered)
            values = dict(values) | {"all": mean}
            for query, value in printed[name].items():
                yield "trec_eval", name, abs(values[query] - value)


if __name__ == "__main__":
    main()
