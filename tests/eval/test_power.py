"""Effect sizes by hand, detectable differences by simulation and by published tables."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from ragembed.errors import QueryError
from ragembed.eval.power import (
    detectable_difference,
    detection_power,
    deviations,
    effect_size,
    minimal_detectable_difference,
    queries_needed,
)


def test_effect_by_hand() -> None:
    # mean 2, standard deviation 1
    assert effect_size([1, 2, 3]) == 2
    assert effect_size([-1, -2, -3]) == -2
    assert effect_size([0, 0, 0]) == 0
    assert effect_size([1, -1, 2, -2]) == 0
    assert effect_size(np.full(7, 0.1)) == math.inf  # though its mean is not 0.1 to the last bit
    assert effect_size(np.full(7, -0.1)) == -math.inf
    assert effect_size([[1, 3], [2, 3], [3, 0]]).tolist() == pytest.approx([2, 2 / math.sqrt(3)])


def test_effect_over_datasets_uses_the_deviation_within_them() -> None:
    # both datasets have variance 1 around their means 2 and 12, whose mean is 7
    assert effect_size([1, 2, 3, 11, 12, 13], strata=[0, 0, 0, 1, 1, 1]) == pytest.approx(7)
    assert effect_size([1, 2, 3, 11, 12, 13]) < 1.5


@pytest.mark.parametrize("queries", [10, 40])
def test_the_t_test_finds_the_detectable_difference_four_times_in_five(queries: int) -> None:
    generator = np.random.default_rng(1)
    deviation = 0.25
    true = detectable_difference(deviation, queries)
    samples = generator.normal(true, deviation, (20_000, queries))
    found = stats.ttest_rel(samples, np.zeros_like(samples), axis=1).pvalue <= 0.05
    assert np.mean(found) == pytest.approx(0.8, abs=0.01)


@pytest.mark.parametrize(
    ("effect", "queries"), [(0.2, 199), (0.5, 34), (0.8, 15)]
)  # paired t test, two-sided 0.05, power 0.8, as in Cohen 1988 and G*Power
def test_published_sample_sizes(effect: float, queries: int) -> None:
    assert queries_needed(effect, 1.0) == queries
    assert queries_needed(-effect / 10, 0.1) == queries


def test_from_differences() -> None:
    differences = np.random.default_rng(2).normal(0.1, 0.3, (50, 2))
    expected = [detectable_difference(sd, 50) for sd in differences.std(axis=0, ddof=1)]
    assert minimal_detectable_difference(differences).tolist() == pytest.approx(expected)
    assert minimal_detectable_difference(differences[:, 1]) == pytest.approx(expected[1])
    assert minimal_detectable_difference([0.5, 0.5, 0.5]) == 0


def test_over_datasets_the_standard_error_is_that_of_the_macro_mean() -> None:
    values = np.random.default_rng(3).normal(0, [1] * 20 + [3] * 60)
    strata = np.repeat([0, 1], [20, 60])
    weights = np.repeat([1 / 40, 1 / 120], [20, 60])
    error = math.sqrt(values[:20].var(ddof=1) / 20 + values[20:].var(ddof=1) / 60) / 2
    assert deviations(values, strata=strata, weights=weights) / math.sqrt(80) == pytest.approx(error)
    assert deviations(values) == pytest.approx(values.std(ddof=1))


@given(st.floats(0.001, 5), st.floats(0.001, 5), st.floats(0.001, 0.2), st.floats(0.3, 0.99))
def test_queries_needed_is_the_smallest_number(
    difference: float, sd: float, alpha: float, power: float
) -> None:
    needed = queries_needed(difference, sd, alpha, power)
    assert detection_power(difference, sd, needed, alpha) >= power
    assert needed == 2 or detection_power(difference, sd, needed - 1, alpha) < power
    assert detectable_difference(sd, needed, alpha, power) <= difference * (1 + 1e-9)


@given(st.integers(2, 2_000), st.sampled_from([0.05, 0.01, 0.05 / 1_225]))
def test_detectable_differences_have_their_power(queries: int, alpha: float) -> None:
    least = detectable_difference(2.0, queries, alpha)
    assert detection_power(least, 2.0, queries, alpha) == pytest.approx(0.8, abs=1e-6)
    assert detection_power(3 * least, 2.0, queries, alpha) > 0.99


def test_extremes() -> None:
    assert detection_power(1.0, 0.0, 2) == 1
    assert detection_power(0.0, 0.0, 2) == 0
    assert detection_power(0.0, 1.0, 30) == pytest.approx(0.025)  # the upper tail
    assert detection_power(36.3 / math.sqrt(52), 1.0, 52, 1e-5) == 1  # scipy's function gives NaN here
    assert queries_needed(0.1, 0.0) == 2
    assert queries_needed(1e-9, 0.3) > 10**17


def test_refused() -> None:
    with pytest.raises(QueryError, match="no number of queries finds a difference of 0"):
        queries_needed(0, 1)
    with pytest.raises(QueryError, match="number of queries is 1; give 2"):
        detectable_difference(1, 1)
    with pytest.raises(QueryError, match="alpha is 0; give a number between 0 and 1"):
        detection_power(1, 1, 10, alpha=0)
    for power in (0.01, 1):
        with pytest.raises(QueryError, match=f"power is {power:g}; give a number between alpha, 0.05, and 1"):
            detectable_difference(1, 10, power=power)
        with pytest.raises(QueryError, match=f"power is {power:g}; give a number between alpha, 0.05, and 1"):
            queries_needed(1, 10, power=power)
