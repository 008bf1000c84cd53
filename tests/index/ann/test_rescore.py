"""The best of some candidates: compiled code and numpy agree to the last bit, and with exact search."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ragembed.errors import CorruptError
from ragembed.index import kernels
from ragembed.index.ann.rescore import rescored, worth_compiling
from ragembed.index.dense import DenseIndex, DenseSegment
from ragembed.index.flat import flat_index

NONE = np.zeros(0, np.int64)


def segments_of(vectors: np.ndarray, rows: np.ndarray, pieces: int) -> list[DenseSegment]:
    return [
        DenseSegment(flat_index(vectors[some]), rows[some], NONE)
        for some in np.array_split(np.arange(len(rows)), pieces)
    ]


@given(
    st.integers(1, 300), st.integers(1, 40), st.integers(1, 60), st.integers(1, 3), st.integers(0, 2**32 - 1)
)
@settings(deadline=None)
def test_it_is_exact_search_among_the_candidates(
    dimension: int, k: int, width: int, pieces: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(90, dimension)).astype(np.float32)
    vectors[30:40] = vectors[0]  # equal scores
    rows = np.sort(rng.choice(200, 90, replace=False)).astype(np.int64) + 5
    if seed % 2:
        rows = np.arange(90, dtype=np.int64) + 5
    segments = segments_of(vectors, rows, pieces)
    queries = rng.normal(size=(3, dimension)).astype(np.float32)
    candidates = np.stack([rng.permutation(rows)[:width] for _ in queries])
    missing = rng.random(candidates.shape) < 0.2
    candidates[missing] = -1
    plain = rescored(segments, queries, candidates, k, compiled=False)
    compiled = rescored(segments, queries, candidates, k, compiled=True)
    for one, other in zip(plain, compiled, strict=True):
        assert one.shape == (3, min(k, width))
        assert np.array_equal(one, other)
    truth = DenseIndex(segments, dimension).search_many(queries, 90)
    for number, (all_rows, all_scores) in enumerate(truth):
        among = np.isin(all_rows, candidates[number])
        count = min(k, int(among.sum()))
        assert np.array_equal(plain[0][number][:count], all_rows[among][:count])
        assert np.array_equal(plain[1][number][:count], all_scores[among][:count])
        assert (plain[0][number][count:] == -1).all()
        assert np.isneginf(plain[1][number][count:]).all()


@pytest.mark.parametrize("dimension", [7, 8, 128, 129, 384, 1023, 1536])
def test_products_are_summed_as_numpy_sums_them(dimension: int) -> None:
    """Wide numbers, whose sum depends on its order in more than the last bits."""
    rng = np.random.default_rng(dimension)
    vectors = (rng.normal(size=(400, dimension)) * 10 ** rng.uniform(-8, 8, (400, dimension))).astype(
        np.float32
    )
    segment = DenseSegment(flat_index(vectors), np.arange(400, dtype=np.int64), NONE)
    queries = rng.normal(size=(2, dimension)).astype(np.float32)
    candidates = np.tile(segment.rows, (2, 1))
    plain = rescored([segment], queries, candidates, 400, compiled=False)
    compiled = rescored([segment], queries, candidates, 400, compiled=True)
    assert np.array_equal(plain[0], compiled[0])
    assert np.array_equal(plain[1], compiled[1])


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("row", [4, 95, 2**40])
def test_rows_that_no_segment_holds_are_told(row: int, compiled: bool) -> None:
    vectors = np.eye(90, dtype=np.float32)
    segments = segments_of(vectors, np.arange(5, 95, dtype=np.int64), 2)
    candidates = np.array([[5, row, 60]])
    with pytest.raises(CorruptError, match="names rows that no segment holds"):
        rescored(segments, vectors[:1], candidates, 2, compiled=compiled)


def test_it_is_compiled_once_that_repays_its_loading(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "ragembed.index.ann.rescore_compiled", raising=False)
    assert not worth_compiling(1)
    with monkeypatch.context() as without:
        without.setattr(kernels, "available", lambda: False)
        assert not worth_compiling(100_000)
    assert worth_compiling(100_000)
