"""WEAT and WEFAT against numbers that can be worked out, the plain twin, and chance."""

from __future__ import annotations

from math import sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from ragembed.eval.quality import reference
from ragembed.eval.quality.weat import weat, wefat

EAST, NORTH = np.array([[1.0, 0.0]], np.float32), np.array([[0.0, 1.0]], np.float32)


def test_a_test_that_can_be_worked_out() -> None:
    # s is 1, 1, -1, -1: the means differ by 2, the deviation (n - 1) is sqrt(4 / 3), so d is sqrt(3);
    # of the 6 ways to take 2 of 4 only the observed one reaches its sum
    found = weat(np.repeat(EAST, 2, axis=0), np.repeat(NORTH, 2, axis=0), EAST, NORTH)
    assert found.d == pytest.approx(sqrt(3))
    assert (found.p, found.partitions, found.exact) == (pytest.approx(1 / 6), 6, True)
    turned = weat(np.repeat(NORTH, 2, axis=0), np.repeat(EAST, 2, axis=0), EAST, NORTH)
    assert turned.d == pytest.approx(-sqrt(3))
    assert turned.p == 1


def test_no_difference_at_all() -> None:
    found = weat(EAST[[0, 0]], EAST[[0, 0]] * 3, EAST, NORTH)
    assert (found.d, found.p) == (0, 1)


def vectors(generator: np.random.Generator, rows: int) -> np.ndarray:
    return generator.normal(size=(rows, 5)).astype(np.float32)


sizes = st.integers(1, 5)


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1), sizes, sizes, sizes, sizes)
def test_as_the_plain_twin(seed: int, x: int, y: int, a: int, b: int) -> None:
    generator = np.random.default_rng(seed)
    lists = [vectors(generator, rows) for rows in (x, y + (x == y == 1), a, b)]
    d, p = reference.weat(*(list(one.astype(np.float64)) for one in lists))
    found = weat(*lists)
    assert found.exact
    assert found.d == pytest.approx(d, abs=1e-10)
    assert found.p == pytest.approx(p, abs=1e-12)
    sparse = weat(*map(csr_array, lists))
    assert (sparse.d, sparse.p) == (pytest.approx(d, abs=1e-10), found.p)


def test_d_of_one_against_one() -> None:
    # two values: their difference over their deviation is always sqrt(2)
    generator = np.random.default_rng(3)
    assert abs(weat(*(vectors(generator, rows) for rows in (1, 1, 4, 4))).d) == pytest.approx(sqrt(2))


def test_a_sample_of_partitions_comes_near_all_of_them() -> None:
    generator = np.random.default_rng(1)
    lists = [vectors(generator, 8) for _ in range(4)]
    lists[0] += 0.3 * lists[2].mean(axis=0)
    every = weat(*lists)
    some = weat(*lists, rounds=5_000)
    assert (every.partitions, every.exact) == (12_870, True)
    assert (some.partitions, some.exact) == (5_000, False)
    assert some.d == every.d
    assert some.p == pytest.approx(every.p, abs=0.03)
    assert weat(*lists, rounds=5_000) == some
    assert weat(*lists, rounds=5_000, seed=1) != some


def test_sampled_p_is_never_zero() -> None:
    generator = np.random.default_rng(0)
    noise = [0.01 * generator.normal(size=(20, 2)).astype(np.float32) for _ in range(2)]
    found = weat(EAST + noise[0], NORTH + noise[1], EAST, NORTH, rounds=999)
    assert found.p == pytest.approx(1 / 1_000)


def test_chance_is_significant_in_5_percent() -> None:
    generator = np.random.default_rng(0)
    attributes = vectors(generator, 6), vectors(generator, 6)
    ps = np.array([weat(vectors(generator, 4), vectors(generator, 4), *attributes).p for _ in range(1_000)])
    # p takes the values 1/70, 2/70 ...: of these 3/70 = 0.043 is the largest below 0.05
    assert np.mean(ps <= 0.05) == pytest.approx(3 / 70, abs=0.02)


def test_wefat() -> None:
    generator = np.random.default_rng(2)
    w, a, b = (vectors(generator, rows) for rows in (7, 4, 3))
    plain = [list(one.astype(np.float64)) for one in (w, a, b)]
    assert wefat(w, a, b) == pytest.approx(np.array([reference.wefat(word, *plain[1:]) for word in plain[0]]))
    # cosines 1, 1 and 0, 0: the means differ by 1, the deviation (n - 1) is sqrt(1 / 3)
    assert wefat(EAST, EAST[[0, 0]], NORTH[[0, 0]]) == pytest.approx([sqrt(3)])
    assert wefat(np.array([[1, 1]], np.float32), EAST, NORTH).tolist() == [0]
