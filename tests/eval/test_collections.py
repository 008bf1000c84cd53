"""Every measure on real collections with real runs: ours against ir_measures, and our files against trec_eval."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from ragembed.datasets import Dataset, load
from ragembed.eval.bench import trec
from ragembed.eval.measures import evaluate
from ragembed.types import Qrels, Run

DEPTH = 100
CASES = [
    ("primer", "onehot"),
    ("primer", "bm25"),
    ("med", "onehot"),
    ("med", "lsa"),
    ("cisi", "tfidf"),
    ("cranfield", "bm25"),
]


def loaded(name: str, shared_data: Path) -> Dataset:
    return load(name if name == "primer" else shared_data / name)


def some(dataset: Dataset, embedder: str) -> Iterator[tuple[Qrels, Run]]:
    """The run of 40 queries: as it is, with ties, with negative gains, with missing queries."""
    run = dict(list(trec.answers(dataset, embedder, DEPTH).items())[:40])
    for _, qrels, changed in trec.harder({query: dataset.qrels[query] for query in run}, run):
        yield qrels, changed


@pytest.mark.parametrize(("name", "embedder"), CASES)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_every_measure_equals_ir_measures(shared_data: Path, name: str, embedder: str) -> None:
    pytest.importorskip("ir_measures")
    for qrels, run in some(loaded(name, shared_data), embedder):
        theirs = trec.by_ir_measures(qrels, run)
        assert len(theirs) >= 65
        names = trec.canonical(theirs)
        ours = evaluate(qrels, run, list(names.values()))
        for their_name, values in theirs.items():
            assert ours.per_query[names[their_name]] == pytest.approx(values, abs=1e-9), their_name
            if not their_name.startswith("Num"):  # counts are summed
                mean = sum(values.values()) / len(qrels)
                assert ours.means[names[their_name]] == pytest.approx(mean, abs=1e-9), their_name


def test_some_of_the_runs_have_ties_at_the_ranks_that_count(shared_data: Path) -> None:
    run = trec.answers(loaded("med", shared_data), "onehot", DEPTH)
    tied = sum(len({*found.values()}) < len(found) for found in run.values())
    assert tied >= len(run) / 2


@pytest.fixture(scope="session")
def trec_eval() -> Path:
    """The program, from the PATH or from the variable TREC_EVAL."""
    program = os.environ.get("TREC_EVAL") or shutil.which("trec_eval")
    if program is None:
        pytest.skip("needs NIST's trec_eval on the PATH, or its place in TREC_EVAL")
    return Path(program)


@pytest.mark.parametrize(("name", "embedder"), CASES)
def test_our_files_give_the_same_values_in_trec_eval(
    shared_data: Path, trec_eval: Path, name: str, embedder: str
) -> None:
    pytest.importorskip("ir_measures")
    for qrels, run in some(loaded(name, shared_data), embedder):
        printed = trec.by_trec_eval(trec_eval, qrels, run, complete=True)
        assert len(printed) >= 60
        ours = evaluate(qrels, run, list(printed))
        for measure, values in printed.items():
            if measure.startswith("IPrec"):  # version 10 rounds otherwise than ir_measures
                continue
            assert values["all"] == pytest.approx(ours.means[measure], abs=5.1e-5), measure
            for query in values.keys() - {"all"}:
                assert values[query] == pytest.approx(ours.per_query[measure][query], abs=5.1e-5), measure


def test_odd_ids_and_scores_in_trec_eval(trec_eval: Path) -> None:
    pytest.importorskip("ir_measures")
    qrels: Qrels = {
        "Frage-ä": {"d:1": 1, "日本": 2, "z": 0, "no": -1},
        "none": {"z": 0},
        "unanswered": {"z": 1},
    }
    run: Run = {
        "Frage-ä": {
            "d:1": -1e30,
            "日本": -1e30,
            "z": 1e38,
            "no": 1e-40,
            "é": 0.0,
            "big": 1e300,
            "inf": float("inf"),
        },
        "none": {"z": 1.0},
    }
    printed = trec.by_trec_eval(trec_eval, qrels, run, complete=True)
    ours = evaluate(qrels, run, list(printed))
    for measure, values in printed.items():
        assert values["all"] == pytest.approx(ours.means[measure], abs=5.1e-5), measure
    # the two with the lowest score are tied: the id that is larger in UTF-8 comes first, at rank 6 of 7
    assert ours.per_query["RR"]["Frage-ä"] == pytest.approx(1 / 6)


def test_scores_closer_than_float32_are_tied_for_every_version_of_trec_eval(trec_eval: Path) -> None:
    qrels: Qrels = {"q": {"a": 1, "b": 0}}
    run: Run = {"q": {"a": 1 + 1e-12, "b": 1.0}}
    assert trec.by_trec_eval(trec_eval, qrels, run, complete=True)["RR"]["q"] == 0.5
    assert evaluate(qrels, run, "RR").means == {"RR": 0.5}


def test_an_empty_run_is_refused_by_trec_eval_too(
    trec_eval: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert trec.by_trec_eval(trec_eval, {"q": {"a": 1}}, {}, complete=True) == {}
    assert "Cannot read results file" in capsys.readouterr().out
