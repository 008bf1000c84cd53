"""Exact search by cosine: what plain float64 would answer, to the last tie."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array

from ragembed.embed.words.explore import nearest as module
from ragembed.embed.words.explore.nearest import METHODS, Nearest, cos_mul

ONE = np.ones(1)


def unit(*values: float) -> Any:
    return np.array([values]) / np.linalg.norm(values)


def test_best_first_by_cosine_whatever_the_lengths() -> None:
    vectors = np.array([[0, 5], [3, 4], [9, 0], [4, 3]], np.float32)
    rows, scores = Nearest(vectors).best(unit(1, 0), ONE, METHODS["3cosadd"], [], 3)
    assert rows.tolist() == [2, 3, 1]
    assert scores == pytest.approx([1, 0.8, 0.6])  # 4/5 and 3/5


def test_barred_rows_and_fewer_than_asked_for() -> None:
    vectors = np.array([[1, 0], [0, 1], [1, 1]], np.float32)
    rows, _ = Nearest(vectors).best(unit(1, 0), ONE, METHODS["3cosadd"], [0], 10)
    assert rows.tolist() == [2, 1]
    assert len(Nearest(vectors).best(unit(1, 0), ONE, METHODS["3cosadd"], [0, 1, 2], 1)[0]) == 0


def test_equal_rows_come_in_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    vectors = np.repeat(rng.standard_normal((1, 50)).astype(np.float32), 1000, axis=0)
    vectors[500] *= 0.5  # a product by a power of two, so that the cosine is the same to the last bit
    monkeypatch.setattr(module, "_BLOCK", 50 * 37)
    rows, scores = Nearest(vectors).best(unit(*vectors[3]), ONE, METHODS["3cosadd"], [3], 600)
    assert rows.tolist() == [row for row in range(601) if row != 3]
    assert len(set(scores.tolist())) == 1


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 0.0, 3e38])
def test_rows_without_a_cosine_are_never_found(bad: float) -> None:
    vectors = np.array([[bad, bad], [-1, 0.5], [bad, 0 if bad == 0 else 1], [-1, 0]], np.float32)
    rows, scores = Nearest(vectors).best(unit(1, 0), ONE, METHODS["3cosadd"], [], 4)
    assert rows.tolist() == [1, 3]
    assert np.isfinite(scores).all()


def test_sparse_rows_that_share_nothing_are_not_near() -> None:
    vectors = csr_array(np.array([[1, 0, 0], [0, 1, 0], [1, 1, 0], [0, 0, 0], [0, 0, 2]], np.float32))
    rows, scores = Nearest(vectors).best(unit(1, 0, 0), ONE, METHODS["3cosadd"], [0], 10)
    assert rows.tolist() == [2]
    assert scores == pytest.approx([np.sqrt(0.5)], abs=1e-6)
    units, signs = np.eye(3)[:2], np.array([1.0, -1.0])  # near to the first dimension, far from the second
    assert Nearest(vectors).best(units, signs, METHODS["3cosmul"], [0], 10)[0].tolist() == [2]


VECTORS = st.lists(st.lists(st.integers(-3, 3), min_size=3, max_size=3), min_size=1, max_size=40)


@given(
    VECTORS, st.lists(st.sampled_from([(1, 2, 0), (0, 1, -1), (3, 1, 1)]), min_size=1, max_size=3), st.data()
)
def test_same_as_plain(rows: list[list[int]], asked: list[tuple[int, ...]], data: st.DataObject) -> None:
    vectors = np.array(rows, np.float32)
    units = np.concatenate([unit(*one) for one in asked])
    signs = np.array(
        data.draw(st.lists(st.sampled_from([1.0, -1.0]), min_size=len(units), max_size=len(units)))
    )
    k = data.draw(st.integers(1, 10))
    found, scores = Nearest(vectors).best(units, signs, METHODS["3cosmul"], [], k)
    lengths = np.linalg.norm(vectors.astype(float), axis=1)
    with np.errstate(invalid="ignore"):
        plain = np.array(
            [cos_mul(units @ v[:, np.newaxis] / n, signs)[0] for v, n in zip(vectors, lengths, strict=True)]
        )
    known = np.flatnonzero(lengths)
    assert scores == pytest.approx(sorted(plain[known], reverse=True)[:k])
    assert plain[found] == pytest.approx(scores)
    assert all(a < b for a, b, s, t in zip(found, found[1:], scores, scores[1:], strict=False) if s == t)


@pytest.mark.parametrize("method", METHODS)
def test_sparse_as_dense(method: str) -> None:
    rng = np.random.default_rng(1)
    dense = np.where(rng.random((300, 20)) < 0.5, rng.integers(1, 4, (300, 20)), 0).astype(np.float32)
    units = unit(*dense[0]) if method == "3cosadd" else np.concatenate([unit(*dense[0]), unit(*dense[1])])
    signs = np.ones(len(units))
    rows, scores = Nearest(dense).best(units, signs, METHODS[method], [0], 20)
    same, rounded = Nearest(csr_array(dense)).best(units, signs, METHODS[method], [0], 20)
    assert rounded == pytest.approx(scores, abs=1e-5)
    assert set(same.tolist()) == set(rows.tolist())


def test_a_map_of_a_file_is_not_copied(tmp_path: Any) -> None:
    rng = np.random.default_rng(2)
    np.save(tmp_path / "v.npy", rng.standard_normal((5000, 64)).astype(np.float32))
    mapped = np.load(tmp_path / "v.npy", mmap_mode="r")
    search = Nearest(mapped)
    assert np.shares_memory(search.vectors, mapped)
    plain = np.asarray(mapped, np.float64)
    cosines = plain @ plain[7] / np.linalg.norm(plain, axis=1) / np.linalg.norm(plain[7])
    cosines[7] = -2
    assert (
        search.best(unit(*plain[7]), ONE, METHODS["3cosadd"], [7], 5)[0].tolist()
        == np.argsort(-cosines)[:5].tolist()
    )
