"""The measures: by hand, against trec_eval on random input, and on the judgements of real collections."""

from __future__ import annotations

import random
import re
import sys
from collections import Counter
from math import log2, nan
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ragembed.datasets import Dataset, load
from ragembed.errors import DatasetError, MissingExtraError
from ragembed.eval.measures import evaluate
from ragembed.types import Qrels, Run

OURS = ["nDCG", "nDCG@1", "nDCG@3", "nDCG@10", "R@1", "R@5", "R@100", "P@1", "P@5", "AP", "AP@3", "AP@100"]
OURS += [
    "RR",
    "Success@1",
    "Success@5",
    "AP(rel=2)",
    "P(rel=2)@3",
    "R(rel=2)@3",
    "RR(rel=2)",
    "Success(rel=3)@2",
]

# d1 at rank 1, d2 (not relevant) at 2, d3 at 3; d4 is relevant and not found
QRELS: Qrels = {"q": {"d1": 1, "d2": 0, "d3": 2, "d4": 1}}
RUN: Run = {"q": {"d1": 3.0, "d2": 2.0, "d3": 1.0}}


@pytest.mark.parametrize(
    ("measure", "expected"),
    [
        ("nDCG", (1 + 2 / log2(4)) / (2 + 1 / log2(3) + 1 / log2(4))),
        ("nDCG@2", 1 / (2 + 1 / log2(3))),
        ("R@1", 1 / 3),
        ("R@100", 2 / 3),
        ("P@3", 2 / 3),
        ("P@10", 2 / 10),
        ("AP", (1 / 1 + 2 / 3) / 3),
        ("AP@2", (1 / 1) / 3),
        ("RR", 1.0),
        ("RR(rel=2)", 1 / 3),
        ("RR(rel=2)@2", 0.0),
        ("AP(rel=2)", 1 / 3),
        ("Success@1", 1.0),
        ("Success(rel=2)@2", 0.0),
    ],
)
def test_by_hand(measure: str, expected: float) -> None:
    assert evaluate(QRELS, RUN, measure).means == {measure: pytest.approx(expected, abs=1e-12)}


def test_who_counts_in_a_mean() -> None:
    qrels: Qrels = {
        "answered": {"d": 1},
        "unanswered": {"d": 1},
        "empty": {"d": 1},
        "nothing relevant": {"d": 0},
    }
    run: Run = {"answered": {"d": 1.0}, "empty": {}, "nothing relevant": {"d": 1.0}, "unjudged": {"d": 1.0}}
    scores = evaluate(qrels, run, "RR, nDCG@10")
    assert scores.means == {"RR": 0.25, "nDCG@10": 0.25}
    assert scores.per_query["RR"] == {
        "answered": 1.0,
        "unanswered": 0.0,
        "empty": 0.0,
        "nothing relevant": 0.0,
    }
    assert scores.unanswered == ("unanswered", "empty")
    assert scores.without_relevant == ("nothing relevant",)
    assert scores.unjudged == ("unjudged",)


def test_input_that_cannot_be_scored() -> None:
    with pytest.raises(DatasetError, match="no judgements to score by"):
        evaluate({}, RUN, "AP")
    with pytest.raises(
        DatasetError, match=r"none of the 1 judged queries: it has 'other', the judgements have 'q'"
    ):
        evaluate(QRELS, {"other": {"d1": 1.0}}, "AP")
    with pytest.raises(DatasetError, match="document 'd1' of query 'q' has the score NaN"):
        evaluate(QRELS, {"q": {"d1": nan}}, "AP")
    assert evaluate(QRELS, {}, "AP").means == {"AP": 0.0}


def test_input_is_left_as_it_was() -> None:
    qrels, run = {"q": dict(QRELS["q"])}, {"q": dict(RUN["q"])}
    evaluate(qrels, run, "AP,nDCG@10")
    assert (qrels, list(run["q"].items())) == (QRELS, list(RUN["q"].items()))


def test_our_measures_work_without_ir_measures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ir_measures", None)
    monkeypatch.setitem(sys.modules, "pytrec_eval", None)
    assert len(evaluate(QRELS, RUN, OURS).means) == len(OURS)
    with pytest.raises(MissingExtraError, match=r"ragembed\[eval\]"):
        evaluate(QRELS, RUN, "AP, ERR@10")


def test_other_measures_are_those_of_ir_measures_in_the_order_asked_for() -> None:
    pytest.importorskip("ir_measures")
    scores = evaluate({**QRELS, "unanswered": {"d": 1}}, RUN, "Rprec, AP, Judged@3, NumRelRet")
    # R-precision: 3 relevant documents, of which 2 are in the first 3
    assert scores.means == pytest.approx(
        {"Rprec": 1 / 3, "AP": 5 / 18, "Judged@3": 0.5, "NumRet(rel=1)": 2.0}
    )
    assert list(scores.means) == list(scores.per_query) == ["Rprec", "AP", "Judged@3", "NumRet(rel=1)"]
    assert scores.per_query["Rprec"] == pytest.approx({"q": 2 / 3, "unanswered": 0.0})


def test_judgements_that_crash_trec_eval_do_not_reach_it() -> None:
    pytest.importorskip("ir_measures")
    qrels: Qrels = {"q": {"a": -2}, "r": {"a": 1}, "s": {}}
    scores = evaluate(qrels, {"q": {"a": 1.0, "b": 2.0}, "r": {}, "s": {"a": 1.0}}, "Rprec, Judged@2, AP")
    assert scores.means == pytest.approx({"Rprec": 0.0, "Judged@2": 0.5 / 3, "AP": 0.0})
    assert scores.per_query["Judged@2"] == {"q": 0.5, "r": 0.0, "s": 0.0}


def assert_equals_ir_measures(qrels: Qrels, run: Run) -> None:
    """Ours within 1e-9 of ir_measures', per query and in the mean.

    RR@k is held against trec_eval's RR: ir_measures asks another program for it, which breaks ties otherwise.
    """
    theirs = pytest.importorskip("ir_measures")
    measures = {theirs.parse_measure(name): name for name in OURS}
    result = theirs.calc(list(measures), without_negative_only(qrels), run)
    ours = evaluate(qrels, run, [*OURS, "RR@3"])
    for metric in result.per_query:
        mine = ours.per_query[measures[metric.measure]][metric.query_id]
        assert mine == pytest.approx(metric.value, abs=1e-9), (metric, qrels, run)
    for measure, name in measures.items():
        assert ours.means[name] == pytest.approx(result.aggregated[measure], abs=1e-9), (name, qrels, run)
    for query, value in ours.per_query["RR"].items():
        assert ours.per_query["RR@3"][query] == (value if value >= 1 / 3 else 0.0)


def without_negative_only(qrels: Qrels) -> Qrels:
    """Gains of 0 where a query has only negative ones: there pytrec_eval overruns its memory and crashes."""
    return {
        q: judged if max(judged.values(), default=0) >= 0 else dict.fromkeys(judged, 0)
        for q, judged in qrels.items()
    }


names = st.sampled_from(["a", "b", "c", "d1", "d10", "d2", "B", "é", "\U0001f600"])
queries = st.sampled_from(["1", "2", "3", "4"])
values = st.one_of(st.integers(-2, 2).map(float), st.floats(-1e6, 1e6), st.floats(0.9999999, 1.0000001))
some_qrels = st.dictionaries(queries, st.dictionaries(names, st.integers(-2, 4), max_size=9), min_size=1)
some_run = st.dictionaries(queries, st.dictionaries(names, values, max_size=9))


@settings(max_examples=300, deadline=None)
@given(some_qrels, some_run)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_equals_ir_measures_on_random_input(qrels: Qrels, run: Run) -> None:
    if run and qrels.keys().isdisjoint(run):
        run = {}  # which we refuse, and ir_measures scores as 0
    assert_equals_ir_measures(qrels, run)


def overlap_run(dataset: Dataset, depth: int) -> Run:
    """A weak system with many ties: the number of words that document and query share."""
    words = {document.id: set(re.findall(r"\w+", document.text.lower())) for document in dataset.documents}
    run: Run = {}
    for query, text in dataset.queries.items():
        asked = set(re.findall(r"\w+", text.lower()))
        shared = Counter({name: len(asked & its) for name, its in words.items()})
        run[query] = {name: float(score) for name, score in shared.most_common(depth)}
    return run


@pytest.mark.parametrize("name", ["cranfield", "cisi", "med"])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_equals_ir_measures_on_real_judgements(shared_data: Path, name: str) -> None:
    dataset = load(shared_data / name)
    run = overlap_run(dataset, depth=200)
    assert_equals_ir_measures(dataset.qrels, run)
    draw = random.Random(1)
    assert_equals_ir_measures(
        dataset.qrels, {q: {d: draw.random() for d in found} for q, found in run.items()}
    )
