from __future__ import annotations

import itertools
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragembed import Pipeline
from ragembed.retrieve.fusion import Fused
from ragembed.retrieve.steps.base import followed, scaled
from ragembed.retrieve.steps.mmr import marginal_order
from ragembed.retrieve.steps.similarity import cosines

Make = Callable[..., Pipeline]


def ids(pipeline: Pipeline, query: str, k: int, steps: str) -> list[str]:
    """The documents of the hits, best first."""
    return [hit.chunk.document_id for hit in pipeline.search(query, k, steps=steps)]


UNIT = st.floats(0, 1)


@given(st.lists(st.tuples(UNIT, UNIT, UNIT), min_size=1, max_size=8), UNIT)
def test_the_order_is_that_of_the_definition(rows: list[tuple[float, float, float]], weight: float) -> None:
    """Carbonell & Goldstein's argmax, written out; similarities are inner products of two numbers each."""
    relevance = [row[0] for row in rows]
    points = np.array([row[1:] for row in rows])
    similarity = points @ points.T
    order, values = marginal_order(relevance, similarity, weight)
    taken: list[int] = []
    for at, value in zip(order, values, strict=True):
        worth = {
            d: weight * relevance[d] - (1 - weight) * max([0.0, *(similarity[d, e] for e in taken)])
            for d in range(len(rows))
            if d not in taken
        }
        assert worth[at] == pytest.approx(value)
        assert value >= max(worth.values()) - 1e-12
        taken.append(at)
    assert sorted(order) == list(range(len(rows)))
    assert all(a >= b - 1e-12 for a, b in itertools.pairwise(values))


def test_equal_worth_keeps_the_order() -> None:
    assert marginal_order([1, 1, 1], np.zeros((3, 3)), 0.5)[0] == [0, 1, 2]


def test_what_points_elsewhere_comes_second(make: Make, compass: str) -> None:
    """Cosines with the query north east east: d0 0.95, d1 0.89, d2 0.45; d1 is like d0, d2 is not."""
    pipeline = make(["north east east east", "east", "north", "west south"], compass)
    assert ids(pipeline, "north east east", 4, "none") == ["d0", "d1", "d2", "d3"]
    assert ids(pipeline, "north east east", 4, "mmr(weight=0.4)") == ["d0", "d2", "d3", "d1"]
    assert ids(pipeline, "north east east", 4, "mmr(weight=1.0)") == ["d0", "d1", "d2", "d3"]
    assert ids(pipeline, "north east east", 4, "mmr(weight=0.4, depth=2)") == ["d0", "d1", "d2", "d3"]


def test_without_vectors_words_tell(make: Make) -> None:
    pipeline = make(["fox hill hill", "fox hill", "fox river stone night moon cloud", *["bee"] * 5])
    assert ids(pipeline, "fox", 3, "none") == ["d1", "d0", "d2"]
    assert ids(pipeline, "fox", 3, "mmr(weight=0.3)")[:2] == ["d1", "d2"]


def hits(*scores: float) -> list[Fused]:
    return [Fused(row, score, {}) for row, score in enumerate(scores)]


def test_scaled() -> None:
    assert scaled(hits(9.0, 6.0, 3.0)) == [1.0, 0.5, 0.0]
    assert scaled(hits(-1.0, -1.0)) == [1.0, 1.0]
    assert scaled([]) == []


@given(st.lists(st.floats(-100, 100), max_size=5), st.lists(st.floats(-100, 100), max_size=5))
def test_what_follows_lies_below_also_in_float32(top: list[float], rest: list[float]) -> None:
    first, last = sorted(top, reverse=True), sorted(rest, reverse=True)
    joined = [hit.score for hit in followed(hits(*first), hits(*last))]
    assert joined == sorted(joined, reverse=True)
    if first and last:
        assert np.float32(joined[len(first)]) < np.float32(joined[len(first) - 1])
        assert joined[len(first)] - joined[-1] == pytest.approx(last[0] - last[-1], abs=1e-9)


def test_without_vectors_and_terms_texts_are_compared_by_their_words() -> None:
    texts = ["a b c d e", "a b c d e", "v w x y z"]  # as with colbert: alone, whose side has neither
    ranking: Any = SimpleNamespace(
        sides=[], chunks=lambda rows: {row: SimpleNamespace(text=texts[row]) for row in rows}
    )
    hits = [Fused(row, 1.0, {}) for row in range(3)]
    assert cosines(ranking, hits).tolist() == [[1, 1, 0], [1, 1, 0], [0, 0, 1]]
