"""The randomisation test against scipy's, its laws, and how often it is wrong."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from ragembed.errors import DatasetError, QueryError
from ragembed.eval.randomization import paired_randomization

whole = st.lists(st.integers(-5, 5), min_size=2, max_size=11)
"""Differences without rounding, with many ties; few enough for the exact test."""


def by_scipy(differences: list[int] | NDArray[np.float64], resamples: float = math.inf) -> float:
    values = np.asarray(differences, dtype=np.float64)
    found = stats.permutation_test(
        (values,), np.sum, permutation_type="samples", vectorized=True, n_resamples=resamples, rng=1
    )
    return float(found.pvalue)


def test_by_hand() -> None:
    # 8 signs of (1, 2, 3): the sums 6 and -6 are as extreme as the observed 6
    assert paired_randomization([1, 2, 3]) == 2 / 8
    # of (1, 1, -1): all but none; every sum is 1 or 3 from 0
    assert paired_randomization([1, 1, -1]) == 1


@given(whole)
def test_exact_equals_scipy(differences: list[int]) -> None:
    assert paired_randomization(differences) == pytest.approx(by_scipy(differences), abs=1e-12)


def test_sampled_agrees_with_scipy() -> None:
    differences = np.random.default_rng(3).normal(0.1, 0.3, (40, 5))
    ours = paired_randomization(differences, rounds=20_000)
    for p, column in zip(ours, differences.T, strict=True):
        theirs = by_scipy(column, 20_000)
        assert abs(p - theirs) < 4 * math.sqrt(2 * theirs * (1 - theirs) / 20_000)  # 4 standard errors


def test_sampled_agrees_with_exact() -> None:
    differences = np.random.default_rng(4).normal(0.1, 0.3, 16)
    exact = paired_randomization(differences, rounds=2**16)
    sampled = paired_randomization(differences, rounds=2**16 - 1)
    assert exact != sampled
    assert sampled == pytest.approx(exact, abs=4 * math.sqrt(exact * (1 - exact) / 2**16))


def test_p_is_never_0() -> None:
    assert paired_randomization(np.arange(1, 61), rounds=999) == 1 / 1000
    assert paired_randomization(np.arange(1, 6)) == 2 / 2**5


def test_no_difference_at_all() -> None:
    assert paired_randomization(np.zeros(500)) == 1


def test_equal_queries_change_nothing() -> None:
    some = [3, -1, 2, 5, 4]
    assert paired_randomization(some + [0] * 500) == paired_randomization(some) == by_scipy(some)


@given(whole)
def test_rounding_does_not_break_ties(differences: list[int]) -> None:
    # 0.1 + 0.2 is not 0.3: tenths would come out too significant if equal sums had to be equal to the last bit
    tenths = np.array(differences) / 10
    assert paired_randomization(tenths) == paired_randomization(differences)


def test_rounding_does_not_break_ties_when_sampled() -> None:
    many = np.tile([1, 2, -3, 1, 1], 10)
    assert paired_randomization(many / 10) == paired_randomization(many)


@given(st.lists(st.floats(-1, 1), min_size=2, max_size=9), st.randoms(use_true_random=False))
def test_laws_of_the_exact_test(differences: list[float], draw: object) -> None:
    values = np.array(differences)
    p = paired_randomization(values)
    assert 0 < p <= 1
    assert paired_randomization(-values) == p
    assert paired_randomization(values * 1024) == p  # a power of two does not round
    shuffled = values[np.random.default_rng(5).permutation(len(values))]
    assert paired_randomization(shuffled) == p


def test_laws_of_the_sampled_test() -> None:
    values = np.random.default_rng(6).normal(0.05, 0.3, 80)
    p = paired_randomization(values, seed=9)
    assert paired_randomization(values, seed=9) == p
    assert paired_randomization(-values, seed=9) == p
    assert paired_randomization(values * 1e-9, seed=9) == p
    assert paired_randomization(values, seed=10) != p


def test_a_pair_does_not_depend_on_the_others() -> None:
    # with more pairs the blocks of signs are smaller
    values = np.random.default_rng(7).normal(0.02, 0.3, (90, 700))
    together = paired_randomization(values, rounds=6_000)
    assert together.shape == (700,)
    assert paired_randomization(values[:, 13], rounds=6_000) == together[13]


def test_weights_stand_for_repeated_terms() -> None:
    # the weighted mean of (1, 2, 3) with weights 1, 2, 3 is that of the terms 1, 4, 9
    assert paired_randomization([1, 2, -3], weights=[1, 2, 3]) == paired_randomization([1, 4, -9])
    assert paired_randomization([1, 2, -3], weights=[5, 5, 5]) == paired_randomization([1, 2, -3])


def test_false_positives() -> None:
    # differences as nDCG has them: many ties, skewed sizes; the signs are chance
    generator = np.random.default_rng(8)
    sizes = generator.beta(1, 3, (100, 3_000)) * (generator.random((100, 3_000)) < 0.6)
    p = paired_randomization(sizes * generator.choice([-1, 1], sizes.shape), rounds=2_000)
    assert 0.04 < np.mean(p <= 0.05) < 0.06
    assert 0.006 < np.mean(p <= 0.01) < 0.014


def test_refused() -> None:
    with pytest.raises(
        DatasetError, match="1 judged queries are too few for statistics, 2 are needed; judge"
    ):
        paired_randomization([0.5])
    with pytest.raises(DatasetError, match=r"query 1 \(from 0\) in column 0 is nan; score every query"):
        paired_randomization([0.5, math.nan, 0.1])
    with pytest.raises(QueryError, match="rounds is 0"):
        paired_randomization([0.5, 0.1], rounds=0)
    with pytest.raises(QueryError, match=r"weights have the shape \(3,\), there are 2 queries"):
        paired_randomization([0.5, 0.1], weights=[1, 1, 1])
    with pytest.raises(QueryError, match="not all 0"):
        paired_randomization([0.5, 0.1], weights=[0, 0])
    with pytest.raises(QueryError, match="3 dimensions"):
        paired_randomization(np.zeros((2, 2, 2)))
