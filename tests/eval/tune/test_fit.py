"""Probabilities are the best of their kind, and every figure of them is of queries that they have not seen."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize

from ragembed.eval.tune.fit import (
    FIRST,
    Samples,
    auroc,
    calibrate,
    calibration_error,
    fit,
    out_of_fold,
    samples,
)
from ragembed.eval.tune.gather import Gathered, Labelled
from ragembed.retrieve.calibration import feature_names
from ragembed.retrieve.fusion import FUSIONS, Scores

RRF = FUSIONS.create("rrf")


def test_the_fit_is_the_minimum_that_scipy_finds() -> None:
    generator = np.random.default_rng(0)
    table = generator.normal(3, 2, (80, 3))
    labels = generator.random(80) < 1 / (1 + np.exp(3 - table[:, 0]))
    weights = generator.random(80) + 0.1
    model = fit(table, labels, weights, penalty=2.0)
    standard = (table - model.centre) / model.scale

    def loss(solution: np.ndarray) -> float:
        value = standard @ solution[:3] + solution[3]
        penalty = solution[:3] @ solution[:3] + 0.5e-6 * solution[3] ** 2
        return float(weights @ (np.logaddexp(0, value) - labels * value) + penalty)

    theirs = minimize(loss, np.zeros(4), method="BFGS", options={"gtol": 1e-9})
    assert np.append(model.weights, model.bias) == pytest.approx(theirs.x, abs=1e-5)
    assert model.predict(table) == pytest.approx(
        1 / (1 + np.exp(-standard @ theirs.x[:3] - theirs.x[3])), abs=1e-5
    )


def test_what_separates_perfectly_stays_finite() -> None:
    model = fit(np.arange(10.0)[:, None], np.arange(10) > 4, np.ones(10), penalty=1e-3)
    assert np.isfinite(model.weights).all()
    assert (model.predict(np.arange(10.0)[:, None]) > 0.5).tolist() == [False] * 5 + [True] * 5


def test_a_feature_that_never_changes_has_no_weight() -> None:
    table = np.column_stack((np.arange(10.0), np.full(10, 7.0)))
    assert fit(table, np.arange(10) > 4, np.ones(10)).weights[1] == pytest.approx(0)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5)), max_size=20))
def test_auroc_is_the_share_of_pairs_in_order(pairs: list[tuple[bool, int]]) -> None:
    labels = np.array([label for label, _ in pairs], bool)
    scores = np.array([score for _, score in pairs], np.float64)
    compared = [
        1.0 if high > low else 0.5 if high == low else 0.0
        for high in scores[labels]
        for low in scores[~labels]
    ]
    found = auroc(labels, scores)
    assert found == (pytest.approx(np.mean(compared)) if compared else None)


def test_calibration_error_by_hand() -> None:
    labels = np.array([True, False, True, True])
    predicted = np.array([0.15, 0.15, 0.95, 1.0])
    # bin 0.1-0.2: half are relevant, 0.15 was said, of 2 hits; bin 0.9-1: all are, 0.975 was said, of 2 hits
    assert calibration_error(labels, predicted) == pytest.approx((2 * 0.35 + 2 * 0.025) / 4)
    assert calibration_error(labels[:0], predicted[:0]) == 0


def world(queries: int = 40, seed: int = 0) -> Gathered:
    """Two lists of 30 rows each, whose scores are higher for the one relevant document."""
    generator = np.random.default_rng(seed)
    found = []
    for number in range(queries):
        lists = []
        for _ in range(2):
            scores = generator.random(30) * 0.5
            scores[3] += generator.random()
            lists.append([(int(row), float(scores[row])) for row in np.argsort(-scores)])
        found.append(Labelled(f"q{number}", tuple(lists), (2.0, 1.0), {"d3": 1, "d4": 0}))
    return Gathered(
        ("a", "b"), (Scores(0.0), Scores(0.0)), {row: f"d{row}" for row in range(30)}, tuple(found), 30
    )


def test_samples_hold_each_query_with_and_without_its_documents() -> None:
    found = samples(world(3), RRF)
    assert found.table.shape == (2 * 3 * FIRST, len(feature_names(("a", "b"))))
    assert found.answerable.sum() == 3 * FIRST
    assert not (found.relevant & ~found.answerable).any()
    assert found.relevant.sum() <= 3
    assert found.weights(0.25)[0] == 1.5
    assert found.weights(0.25)[-1] == 0.5


def test_no_probability_is_told_by_a_model_that_saw_the_query() -> None:
    gathered = world()
    ids = [query.id for query in gathered.queries]
    found = samples(gathered, RRF)
    before = out_of_fold(found, ids, 0.25)
    turned = Samples(
        found.table,
        np.where(found.query == 5, ~found.relevant, found.relevant),
        found.query,
        found.answerable,
    )
    after = out_of_fold(turned, ids, 0.25)
    assert after[found.query == 5].tolist() == before[found.query == 5].tolist()
    assert after.tolist() != before.tolist()


def test_levels_say_what_was_kept() -> None:
    found = calibrate(world(), RRF)
    assert found is not None
    assert found.fusion == "rrf"
    first = found.levels[0]
    assert (first.probability, first.recall, first.answered, first.answered_wrongly) == (0, 1, 1, 1)
    assert first.hits == 40 * 2 * FIRST
    kept = [level.hits for level in found.levels]
    assert kept == sorted(kept, reverse=True)
    wrong = [level.answered_wrongly for level in found.levels]
    assert wrong == sorted(wrong, reverse=True)
    assert found.evidence["auroc"] > 0.9
    assert found.evidence["calibration_error"] < 0.1


def test_nothing_is_learnt_where_nothing_is_relevant() -> None:
    gathered = world(12)
    emptied = Gathered(
        gathered.embedders,
        gathered.about,
        dict.fromkeys(range(30), "other"),
        gathered.queries,
        30,
    )
    assert calibrate(emptied, RRF) is None
