"""The randomised SVD against LAPACK's exact one and ARPACK's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.sparse import csr_array, random_array
from scipy.sparse.linalg import svds

from ragembed.embed import svd
from ragembed.embed.svd import truncated_svd

Matrix = NDArray[np.float64]


def decaying(n: int, m: int, rank: int, seed: int = 0) -> Matrix:
    """A matrix with the singular values 1, 1/2, 1/4 ..., `rank` of them."""
    rng = np.random.default_rng(seed)
    left, _ = np.linalg.qr(rng.standard_normal((n, rank)))
    right, _ = np.linalg.qr(rng.standard_normal((m, rank)))
    return np.asarray((left * 0.5 ** np.arange(rank)) @ right.T)


@pytest.mark.parametrize("shape", [(300, 200), (200, 300)])
def test_values_and_vectors_are_lapacks(shape: tuple[int, int]) -> None:
    matrix = decaying(*shape, rank=30)
    values, vectors = truncated_svd(csr_array(matrix), 10)
    _, exact_values, exact_vectors = np.linalg.svd(matrix, full_matrices=False)
    np.testing.assert_allclose(values, exact_values[:10], rtol=1e-12)
    cosines = np.abs((vectors * exact_vectors[:10]).sum(axis=1))
    np.testing.assert_allclose(cosines, 1, atol=1e-10)


@pytest.mark.parametrize("shape", [(800, 1500), (1500, 800)])
def test_keeps_what_arpack_keeps(shape: tuple[int, int]) -> None:
    # no structure at all, the hardest case: single vectors mix, what they hold together must be near the best
    matrix = random_array(shape, density=0.02, format="csr", rng=np.random.default_rng(1))
    values, vectors = truncated_svd(matrix, 50)
    kept = np.sum((matrix @ vectors.T) ** 2)
    best = np.sum(svds(matrix, 50, v0=np.ones(800))[1] ** 2)
    assert 0.98 * best < kept <= best * (1 + 1e-12)
    assert 0.98 * kept < np.sum(values**2) <= kept * (1 + 1e-12)
    np.testing.assert_allclose(vectors @ vectors.T, np.eye(50), atol=1e-12)


def test_lower_rank_gives_fewer_vectors() -> None:
    values, vectors = truncated_svd(csr_array(decaying(100, 80, rank=20)), 40)
    assert (len(values), vectors.shape) == (20, (20, 80))
    np.testing.assert_allclose(values, 0.5 ** np.arange(20), rtol=1e-8)


def test_by_hand() -> None:
    # documents "a a", "b", "c c c" in three terms: the axes are the directions, the counts the values
    values, vectors = truncated_svd(csr_array(np.diag([2.0, 1.0, 3.0])), 2)
    np.testing.assert_allclose(values, [3, 2])
    np.testing.assert_allclose(vectors, [[0, 0, 1], [1, 0, 0]], atol=1e-12)


@pytest.mark.parametrize("shape", [(100, 60), (60, 100)])
def test_blocks_of_rows_change_nothing(shape: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    matrix = csr_array(decaying(*shape, rank=10))
    whole = truncated_svd(matrix, 5)
    monkeypatch.setattr(svd, "_ROWS", 7)
    for expected, actual in zip(whole, truncated_svd(matrix, 5), strict=True):
        np.testing.assert_allclose(actual, expected, atol=1e-12)


def test_float32_stays_float32() -> None:
    matrix = csr_array(decaying(100, 60, rank=10).astype(np.float32))
    values, vectors = truncated_svd(matrix, 5)
    assert values.dtype == vectors.dtype == np.float32
    np.testing.assert_allclose(values, 0.5 ** np.arange(5), rtol=1e-5)


@pytest.mark.parametrize("shape", [(0, 5), (5, 0), (4, 3)])
def test_nothing_in_it(shape: tuple[int, int]) -> None:
    values, vectors = truncated_svd(csr_array(shape, dtype=np.float64), 2)
    assert (values.shape, vectors.shape) == ((0,), (0, shape[1]))


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 30), st.integers(1, 30), st.integers(1, 12), st.integers(0, 1000))
def test_laws(n: int, m: int, rank: int, seed: int) -> None:
    matrix = csr_array(np.random.default_rng(seed).poisson(0.4, (n, m)).astype(float))
    values, vectors = truncated_svd(matrix, rank)
    assert len(values) <= min(rank, n, m)
    assert (np.diff(values) <= 1e-12).all()  # falling
    np.testing.assert_allclose(vectors @ vectors.T, np.eye(len(vectors)), atol=1e-10)  # orthonormal
    for vector in vectors:
        assert vector[np.abs(vector).argmax()] > 0  # sign
    for first, second in zip(truncated_svd(matrix, rank), (values, vectors), strict=True):
        np.testing.assert_array_equal(first, second)  # deterministic
    exact = np.linalg.svd(matrix.toarray(), compute_uv=False)[: len(values)]
    np.testing.assert_allclose(values, exact, atol=1e-8)  # the sketch spans the whole space at this size
