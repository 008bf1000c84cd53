"""Bootstrap intervals against scipy's on the same resamples, within strata, and how often they hold the mean."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scipy import stats

from ragembed.errors import DatasetError, QueryError
from ragembed.eval.bootstrap import Method, bootstrap_intervals, resampled_means
from ragembed.eval.strata import Strata

METHODS: tuple[Method, ...] = ("expanded", "percentile", "bca")


@pytest.mark.parametrize(("method", "theirs"), [("percentile", "percentile"), ("bca", "BCa")])
@pytest.mark.parametrize("confidence", [0.9, 0.95])
def test_equals_scipy_on_the_same_resamples(method: Method, theirs: Any, confidence: float) -> None:
    values = np.random.default_rng(1).exponential(1.0, 25)
    means = resampled_means(values[:, None], Strata.of(25), rounds=3_000, seed=5)[:, 0]
    expected = stats.bootstrap(
        (values,),
        np.mean,
        n_resamples=0,
        bootstrap_result=SimpleNamespace(bootstrap_distribution=means),
        method=theirs,
        confidence_level=confidence,
    ).confidence_interval
    found = bootstrap_intervals(values, method=method, confidence=confidence, rounds=3_000, seed=5)
    assert found == pytest.approx(tuple(expected), abs=1e-12)


def test_agrees_with_scipy_on_other_resamples() -> None:
    values = np.random.default_rng(2).normal(0.4, 0.3, 200)
    expected = stats.bootstrap((values,), np.mean, n_resamples=20_000, method="percentile", rng=1)
    found = bootstrap_intervals(values, method="percentile", rounds=20_000)
    assert found == pytest.approx(tuple(expected.confidence_interval), abs=0.02 * 0.3)


def test_resamples_are_what_they_say() -> None:
    # of (0, 1) the four samples have the means 0, 0.5, 0.5 and 1
    means = resampled_means(np.array([[0.0], [1.0]]), Strata.of(2), rounds=40_000, seed=0)[:, 0]
    assert set(means) == {0, 0.5, 1}
    assert np.mean(means == 0.5) == pytest.approx(0.5, abs=0.01)
    assert np.mean(means) == pytest.approx(0.5, abs=0.01)


def test_expanded_equals_students_t_for_normal_values() -> None:
    values = stats.norm.ppf((np.arange(15) + 0.5) / 15)
    expected = stats.t.interval(0.95, 14, values.mean(), values.std(ddof=1) / np.sqrt(15))
    assert bootstrap_intervals(values, rounds=40_000) == pytest.approx(expected, rel=0.05)
    plain = bootstrap_intervals(values, rounds=40_000, method="percentile")
    assert plain[1] - plain[0] < 0.93 * (expected[1] - expected[0])


def test_coverage() -> None:
    values = np.random.default_rng(4).normal(0.0, 1.0, (15, 2_000))
    covered = {}
    for method in METHODS:
        low, high = bootstrap_intervals(values, method=method, rounds=1_000)
        covered[method] = np.mean((low <= 0) & (high >= 0))
    assert 0.94 < covered["expanded"] < 0.96
    assert covered["percentile"] < 0.935


def test_confidence_widens() -> None:
    values = np.random.default_rng(5).random(30)
    narrow, wide = (bootstrap_intervals(values, confidence=level) for level in (0.8, 0.99))
    assert wide[0] < narrow[0] < values.mean() < narrow[1] < wide[1]


@pytest.mark.parametrize("method", METHODS)
def test_columns_are_those_of_single_calls(method: Method) -> None:
    values = np.random.default_rng(6).random((40, 3))
    low, high = bootstrap_intervals(values, method=method, rounds=500)
    assert low.shape == high.shape == (3,)
    single = bootstrap_intervals(values[:, 1], method=method, rounds=500)
    assert single == pytest.approx((low[1], high[1]), abs=1e-12)


@pytest.mark.parametrize("method", METHODS)
def test_equal_values_have_an_interval_of_length_0(method: Method) -> None:
    values = np.column_stack((np.full(10, 0.1), np.zeros(10), np.arange(10.0)))
    low, high = bootstrap_intervals(values, method=method, rounds=200)
    assert low[:2] == pytest.approx([0.1, 0], abs=1e-15)
    assert (high[:2] == low[:2]).all()
    assert low[2] < high[2]


@pytest.mark.parametrize("method", METHODS)
def test_resampling_stays_within_strata(method: Method) -> None:
    # each dataset's values are equal, so that only a mix of datasets could move the mean
    strata = [0, 1, 0, 1, 1]
    low, high = bootstrap_intervals([0.2, 0.8, 0.2, 0.8, 0.8], strata=strata, rounds=200, method=method)
    assert low == high == pytest.approx((2 * 0.2 + 3 * 0.8) / 5)
    macro = [1 / 4, 1 / 6, 1 / 4, 1 / 6, 1 / 6]
    low, high = bootstrap_intervals(
        [0.2, 0.8, 0.2, 0.8, 0.8], strata=strata, weights=macro, rounds=200, method=method
    )
    assert low == high == pytest.approx(0.5)


def test_spread_of_the_macro_mean() -> None:
    values = np.random.default_rng(7).normal(0, [1] * 20 + [3] * 60)
    strata = np.repeat([0, 1], [20, 60])
    weights = np.repeat([1 / 40, 1 / 120], [20, 60])
    means = resampled_means(values[:, None], Strata.of(80, strata, weights), rounds=40_000, seed=0)
    expected = (values[:20].var() / 20 + values[20:].var() / 60) / 4  # two halves, each with its own n
    assert means.var() == pytest.approx(expected, rel=0.03)
    assert means.mean() == pytest.approx((values[:20].mean() + values[20:].mean()) / 2, abs=0.01)
    low, high = bootstrap_intervals(values, strata=strata, weights=weights)
    assert high - low == pytest.approx(2 * 1.99 * np.sqrt(expected), rel=0.05)


def test_refused() -> None:
    with pytest.raises(DatasetError, match="1 judged queries are too few"):
        bootstrap_intervals([1.0])
    with pytest.raises(DatasetError, match=r"dataset 1 \(from 0\) has 1 judged query"):
        bootstrap_intervals([1.0, 2.0, 3.0], strata=[0, 0, 7])
    with pytest.raises(QueryError, match=r"strata have the shape \(2,\), there are 3 queries"):
        bootstrap_intervals([1.0, 2.0, 3.0], strata=[0, 0])
    with pytest.raises(QueryError, match="weights differ between queries of one dataset; give 1 /"):
        bootstrap_intervals([1.0, 2.0], weights=[1, 2])
    with pytest.raises(QueryError, match="confidence is 95; give"):
        bootstrap_intervals([1.0, 2.0], confidence=95)
    with pytest.raises(QueryError, match="rounds is 0"):
        bootstrap_intervals([1.0, 2.0], rounds=0)
    with pytest.raises(QueryError, match="no interval named 'wald'; give one of expanded, percentile, bca"):
        bootstrap_intervals([1.0, 2.0], method="wald")  # type: ignore[arg-type]
