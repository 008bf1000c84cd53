"""Correlations against scipy and against their definition."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragembed.errors import DatasetError
from ragembed.eval.quality import reference
from ragembed.eval.quality.correlation import average_ranks, pearson, spearman, spearman_interval

few = st.integers(-3, 3).map(float)  # many ties
many = st.floats(-1e6, 1e6, allow_nan=False).map(lambda value: round(value, 6))
columns = st.lists(st.tuples(few | many, few | many), min_size=2, max_size=40)


def test_ties_share_their_mean_rank() -> None:
    assert average_ranks([10, 20, 20, 5, 20]).tolist() == [2, 4, 4, 1, 4]  # 20 has the ranks 3, 4, 5


@given(columns)
def test_as_scipy_and_as_defined(pairs: list[tuple[float, float]]) -> None:
    from scipy.stats import pearsonr, spearmanr

    x, y = (list(side) for side in zip(*pairs, strict=True))
    if min(x) == max(x) or min(y) == max(y):
        with pytest.raises(DatasetError, match="no correlation is defined"):
            spearman(x, y)
        return
    assert spearman(x, y) == pytest.approx(spearmanr(x, y).statistic, abs=1e-12)
    assert spearman(x, y) == pytest.approx(reference.spearman(x, y), abs=1e-12)
    if min(np.std(x), np.std(y)) > 1e-3:  # else scipy warns that it loses digits
        assert pearson(x, y) == pytest.approx(pearsonr(x, y).statistic, abs=1e-9)


def test_one_pair_has_no_correlation() -> None:
    with pytest.raises(DatasetError, match="1 pairs can be compared"):
        spearman([1], [2])


@pytest.mark.parametrize("ties", [False, True])
def test_interval_resamples_pairs_and_ranks_anew(ties: bool) -> None:
    generator = np.random.default_rng(1)
    x = generator.normal(size=30)
    y = x + generator.normal(size=30)
    if ties:
        x, y = np.round(x), np.round(y)
    drawn = np.random.default_rng(7).integers(30, size=(1, 30))[0]
    expected = spearman(x[drawn], y[drawn])
    assert spearman_interval(x, y, rounds=1, seed=7) == pytest.approx((expected, expected), abs=1e-12)


def test_interval_holds_the_estimate_and_narrows() -> None:
    generator = np.random.default_rng(0)
    x = generator.normal(size=2_000)
    y = x + generator.normal(size=2_000)
    few_low, few_high = spearman_interval(x[:50], y[:50])
    low, high = spearman_interval(x, y)
    assert few_low < low < spearman(x, y) < high < few_high
    # Bonett & Wright 2000: the standard error is sqrt((1 + rho**2 / 2) / (n - 3))
    rho = spearman(x, y)
    half = 1.96 * np.sqrt((1 + rho**2 / 2) / (2_000 - 3))
    assert np.arctanh(high) - np.arctanh(rho) == pytest.approx(half, rel=0.15)
    assert spearman_interval(x, y) == (low, high)  # one seed, one answer


def test_interval_of_pairs_that_seldom_vary() -> None:
    assert spearman_interval([0, 0], [0, 1]) == (-1, 1)
