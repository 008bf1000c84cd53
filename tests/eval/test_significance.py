"""Comparing systems over one dataset and over several: each field by hand or against its function; bad input."""

from __future__ import annotations

import json
import math
import subprocess
import sys

import numpy as np
import pytest
from scipy import stats

from ragembed.errors import DatasetError, QueryError
from ragembed.eval import significance
from ragembed.eval.significance import (
    bootstrap_intervals,
    compare_over_datasets,
    compare_systems,
    minimal_detectable_difference,
    paired_randomization,
    queries_needed,
)

GOOD = {"q1": 1.0, "q2": 0.5, "q3": 0.75, "q4": 1.0, "q5": 0.5, "q6": 0.25}
FAIR = {"q1": 0.5, "q2": 0.5, "q3": 0.5, "q4": 0.75, "q5": 0.25, "q6": 0.5}
NONE = dict.fromkeys(GOOD, 0.0)
SCORES = {"good": GOOD, "fair": FAIR, "none": NONE}
DIFFERENCES = [0.5, 0.0, 0.25, 0.25, 0.25, -0.25]
"""good less fair"""


def random_scores(seed: int, queries: int, means: dict[str, float]) -> dict[str, dict[str, float]]:
    generator = np.random.default_rng(seed)
    hardness = generator.normal(0, 0.2, queries)
    return {
        name: {f"q{n}": float(v) for n, v in enumerate(mean + hardness + generator.normal(0, 0.1, queries))}
        for name, mean in means.items()
    }


def test_one_dataset_by_hand() -> None:
    found = compare_systems(SCORES)
    assert found.systems == ("good", "fair", "none")
    assert found.queries == 6
    assert found.confidence == 0.95
    assert found.means == pytest.approx((4 / 6, 3 / 6, 0))
    assert [(pair.a, pair.b) for pair in found.pairs] == [
        ("good", "fair"),
        ("good", "none"),
        ("fair", "none"),
    ]
    first, second, third = found.pairs
    assert first.difference == pytest.approx(1 / 6)
    assert (first.wins, first.ties, first.losses) == (4, 1, 1)
    # of the 32 signs of (2, 1, 1, 1, -1) those with a sum of 4 or more: 4 with one 1 taken off, 1 with none; twice
    assert first.p == 10 / 32
    # of six differences of one sign, those observed and their mirror image
    assert second.p == third.p == 2 / 64
    assert (first.p_holm, second.p_holm, third.p_holm) == (10 / 32, 3 * 2 / 64, 3 * 2 / 64)
    assert not any(pair.significant for pair in found.pairs)
    assert found.groups == ("a", "a", "a")
    assert first.effect == pytest.approx(np.mean(DIFFERENCES) / np.std(DIFFERENCES, ddof=1))
    assert first.detectable == pytest.approx(minimal_detectable_difference(DIFFERENCES))
    assert first.detectable_adjusted == pytest.approx(
        minimal_detectable_difference(DIFFERENCES, alpha=0.05 / 3)
    )
    assert first.needed == queries_needed(1 / 6, float(np.std(DIFFERENCES, ddof=1)))
    assert found.detectable == sorted(pair.detectable for pair in found.pairs)[1]


def test_intervals_are_those_of_the_bootstrap() -> None:
    found = compare_systems(SCORES, confidence=0.9, seed=3)
    assert found.intervals[0] == pytest.approx(
        bootstrap_intervals(list(GOOD.values()), confidence=0.9, seed=3), abs=1e-12
    )
    assert found.intervals[2] == (0, 0)
    first = found.pairs[0]
    assert (first.low, first.high) == pytest.approx(
        bootstrap_intervals(DIFFERENCES, confidence=0.9, seed=3), abs=1e-12
    )


def test_real_differences_are_found() -> None:
    found = compare_systems(random_scores(1, 200, {"bad": 0.3, "twin": 0.5, "best": 0.505, "middle": 0.4}))
    assert found.groups == ("c", "a", "a", "b")
    worst = found.pairs[1]
    assert (worst.a, worst.b, worst.significant) == ("bad", "best", True)
    assert worst.p == 1 / 10_001
    assert worst.p_holm == pytest.approx(6 / 10_001)
    assert worst.low < worst.difference < worst.high < 0
    twins = found.pairs[3]
    assert not twins.significant
    assert twins.low < 0 < twins.high
    assert twins.needed is not None
    assert twins.needed > 200
    # what the classical test says of the same differences
    scores = random_scores(1, 200, {"bad": 0.3, "twin": 0.5, "best": 0.505, "middle": 0.4})
    classical = stats.ttest_rel(list(scores["twin"].values()), list(scores["best"].values()))
    assert twins.p == pytest.approx(classical.pvalue, abs=0.02)


def test_order_and_company_do_not_matter() -> None:
    scores = random_scores(2, 60, {"x": 0.5, "y": 0.52, "z": 0.6})
    found = compare_systems(scores)
    backwards = {name: dict(reversed(values.items())) for name, values in scores.items()}
    assert compare_systems(backwards) == found
    alone = compare_systems({"x": scores["x"], "y": scores["y"]}).pairs[0]
    together = found.pairs[0]
    assert alone.p == together.p
    for field in ("difference", "low", "high", "effect", "detectable"):
        assert getattr(alone, field) == pytest.approx(getattr(together, field), abs=1e-12)
    assert alone.p_holm == alone.p
    other = compare_systems({"y": scores["y"], "x": scores["x"]}).pairs[0]
    assert other.difference == -alone.difference
    assert other.p == alone.p
    assert compare_systems(scores, seed=1).pairs[0].p != together.p


def test_rounding_is_no_difference() -> None:
    # 0.1 + 0.2 > 0.3 in floating point, on all of 40 queries
    left = {f"q{n}": 0.1 + 0.2 for n in range(40)}
    right = {f"q{n}": 0.3 for n in range(40)}
    found = compare_systems({"left": left, "right": right})
    pair = found.pairs[0]
    assert (pair.difference, pair.p, pair.effect, pair.ties, pair.needed) == (0, 1, 0, 40, None)
    assert (pair.low, pair.high, pair.detectable) == (0, 0, 0)
    assert found.detectable is None
    assert found.groups == ("a", "a")


def test_opposite_differences_have_mean_0() -> None:
    found = compare_systems({"a": {"q1": 0.1, "q2": 0.8, "q3": 0.3}, "b": {"q1": 0.8, "q2": 0.1, "q3": 0.3}})
    assert found.pairs[0].difference == 0
    assert found.pairs[0].needed is None
    assert found.pairs[0].p == 1


def test_few_systems() -> None:
    alone = compare_systems({"only": GOOD})
    assert alone.pairs == ()
    assert alone.groups == ("a",)
    assert alone.detectable is None


def test_many_systems_can_be_told_apart() -> None:
    # 435 pairs: with 10,000 rounds the smallest p after Holm would be 0.043, and others near it lost
    found = compare_systems(random_scores(3, 25, {f"s{n}": n / 2 for n in range(30)}))
    assert all(pair.significant for pair in found.pairs)
    assert max(pair.p_holm for pair in found.pairs) < 0.01
    assert len(set(found.groups)) == 30


def test_json() -> None:
    found = compare_systems({"x": {"q1": 0.75, "q2": 0.5}, "y": {"q1": 0.25, "q2": 0.0}})
    assert found.pairs[0].effect == math.inf
    record = json.loads(json.dumps(found.pairs[0].to_json({"x": 4, "y": 7}), allow_nan=False))
    assert record["a"] == 4
    assert record["b"] == 7
    assert record["effect"] is None
    assert record["difference"] == 0.5
    assert set(record) >= {"low", "high", "p", "p_holm", "wins", "ties", "losses"}


def test_over_datasets_by_hand() -> None:
    scores = {
        "small": {"x": {"q1": 1.0, "q2": 0.5}, "y": {"q1": 0.5, "q2": 0.25}},
        "large": {"x": {f"q{n}": 0.25 for n in range(6)}, "y": {f"q{n}": n / 10 for n in range(6)}},
    }
    found = compare_over_datasets(scores)
    assert found.queries == 8
    assert found.means == pytest.approx(((0.75 + 0.25) / 2, (0.375 + 0.25) / 2))
    pair = found.pairs[0]
    assert pair.difference == pytest.approx((0.375 + 0) / 2)
    assert (pair.wins, pair.ties, pair.losses) == (2 + 3, 0, 3)
    differences = [0.5, 0.25] + [0.25 - n / 10 for n in range(6)]
    weights = [1 / 4] * 2 + [1 / 12] * 6
    assert pair.p == paired_randomization(differences, weights=weights)
    heavy = compare_over_datasets(scores, weights={"small": 3, "large": 1})
    assert heavy.means == pytest.approx((0.75 * 0.75 + 0.25 * 0.25, 0.75 * 0.375 + 0.25 * 0.25))


def test_a_small_dataset_counts_as_much_as_a_large_one() -> None:
    # x is better on 20 queries of one dataset, y on 400 of the other; the macro mean does not see the numbers
    generator = np.random.default_rng(4)

    def dataset(queries: int, better: str) -> dict[str, dict[str, float]]:
        noise = generator.normal(0, 0.05, (2, queries))
        return {
            name: {f"q{n}": float(value + (name == better) / 2) for n, value in enumerate(noise[row])}
            for row, name in enumerate("xy")
        }

    pair = compare_over_datasets({"few": dataset(20, "x"), "many": dataset(400, "y")}).pairs[0]
    assert pair.difference == pytest.approx(0, abs=0.03)
    assert pair.low < 0 < pair.high
    assert pair.high - pair.low < 0.1  # resampled within datasets: their opposite means do not make it wide
    assert not pair.significant


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        ({}, "there are no systems to compare; give the scores of 2 or more"),
        ({"x": {"q1": 1.0}}, "the dataset has too few judged queries for statistics: 1, 2 are needed"),
        ({"x": {}, "y": {}}, "too few judged queries for statistics: 0"),
        (
            {"x": {"q1": 1, "q2": 1}, "y": {"q1": 1, "q3": 1}},
            "different queries of the dataset: 'q2' is in 'x', not 'y'",
        ),
        (
            {"x": {"q1": 1, "q2": 1}, "y": {"q1": 1, "q2": 1, "a": 1}},
            "'a' is in 'y', not 'x'; score all on the same",
        ),
        (
            {"x": {"q1": 1, "q2": 1}, "y": {"q1": 1, "q2": math.nan}},
            "'y' scores nan on query 'q2' of the dataset",
        ),
        ({"x": {"q1": 1, "q2": math.inf}}, "'x' scores inf on query 'q2'"),
    ],
)
def test_bad_scores(scores: dict[str, dict[str, float]], message: str) -> None:
    with pytest.raises(DatasetError, match=message) as raised:
        compare_systems(scores)
    assert raised.value.remedy
    assert "\n" not in str(raised.value)


def test_bad_options() -> None:
    with pytest.raises(QueryError, match="confidence is 1; give"):
        compare_systems(SCORES, confidence=1)
    with pytest.raises(QueryError, match="rounds is 0"):
        compare_systems(SCORES, rounds=0)
    two = {"one": SCORES, "two": SCORES}
    with pytest.raises(QueryError, match="weights are given for one, the datasets are one, two"):
        compare_over_datasets(two, weights={"one": 1})
    for wrong in (0, -1, math.nan, math.inf):
        with pytest.raises(QueryError, match="must be above 0 and finite"):
            compare_over_datasets(two, weights={"one": 1, "two": wrong})
    with pytest.raises(DatasetError, match="'none' has scores on some datasets only: two differs from one"):
        compare_over_datasets({"one": SCORES, "two": {"good": GOOD, "fair": FAIR}})
    with pytest.raises(DatasetError, match="'none' has scores on some datasets only"):
        compare_over_datasets({"one": {"good": GOOD, "fair": FAIR}, "two": SCORES})


def test_public_names() -> None:
    assert all(hasattr(significance, name) for name in significance.__all__)
    assert significance.__all__ == sorted(significance.__all__)


def test_import_is_light() -> None:
    code = (
        "import sys, ragembed.eval.significance; print([n for n in ('scipy', 'faiss') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"
