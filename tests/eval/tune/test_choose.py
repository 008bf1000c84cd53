"""Weights are learnt from many queries, hardly from few, and recommended only where they gain."""

from __future__ import annotations

import numpy as np
import pytest

from ragembed.eval.tune.candidates import Family, simplex
from ragembed.eval.tune.choose import cross_validated, folds, gain, learn, learn_weights

GRID = simplex(2)
IDS = [f"q{number}" for number in range(200)]


def peaked(at: float, queries: int, noise: float = 0.0, seed: int = 0) -> Family:
    """A fusion that is best with weight `at` of the first list, on every query but for noise."""
    generator = np.random.default_rng(seed)
    values = 0.5 - (GRID[:, :1] - at) ** 2 + noise * generator.standard_normal((len(GRID), queries))
    return Family("rrf", GRID, values)


def test_many_queries_teach_their_best_weights() -> None:
    assert GRID[learn_weights(peaked(0.9, 2000), np.arange(2000))][0] == pytest.approx(0.9, abs=0.02)


def test_few_queries_stay_near_equal_weights() -> None:
    family = peaked(0.9, 10)  # (10 * 0.9 + 20 * 0.5) / 30
    assert GRID[learn_weights(family, np.arange(10))][0] == pytest.approx(0.633, abs=0.02)


def test_the_better_fusion_is_taken() -> None:
    worse, better = peaked(0.5, 50), peaked(0.3, 50)
    better.values[:] += 0.1
    assert learn([worse, better], np.arange(50))[0] == 1


def test_folds_do_not_depend_on_the_order_of_queries() -> None:
    there = dict(zip(IDS, folds(IDS, 0).tolist(), strict=True))
    back = dict(zip(IDS[::-1], folds(IDS[::-1], 0).tolist(), strict=True))
    assert there == back
    assert sorted(np.bincount(folds(IDS, 0)).tolist()) == [40] * 5
    assert folds(IDS, 0).tolist() != folds(IDS, 1).tolist()


def test_a_query_is_scored_by_what_the_others_teach() -> None:
    """Whatever one query wishes, it is not asked about its own score."""
    family = peaked(0.8, 50)
    family.values[:, 7] = GRID[:, 0] < 0.1  # this one alone is best where no other is
    assert cross_validated([family], IDS[:50])[7] == 0


def test_a_real_gain_is_told_from_chance() -> None:
    family = peaked(0.9, 200, noise=0.01)
    default = family.values[family.nearest(np.array([0.5, 0.5]))]
    found = gain(cross_validated([family], IDS), default)
    assert found.real
    assert found.difference == pytest.approx(0.16, abs=0.02)
    assert found.low < found.difference < found.high


def test_noise_is_not_recommended() -> None:
    """Over 20 collections of pure noise, learnt weights are called real at most about one time in twenty."""
    real = 0
    for seed in range(20):
        values = np.random.default_rng(seed).random((len(GRID), 60))
        family = Family("rrf", GRID, values)
        real += gain(cross_validated([family], IDS[:60]), values[25]).real
    assert real <= 3


def test_the_default_itself_gains_nothing() -> None:
    values = np.random.default_rng(0).random(30)
    found = gain(values.copy(), values)
    assert (found.difference, found.low, found.high, found.p, found.real) == (0, 0, 0, 1, False)
