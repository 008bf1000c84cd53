"""Which words are put on a map."""

from __future__ import annotations

import numpy as np
import pytest

from ragembed.embed.words import WordVectors
from ragembed.errors import QueryError
from ragembed.eval.map.points import points_of_words


def test_the_most_frequent(vectors: WordVectors) -> None:
    points = points_of_words(vectors, "x", most=3)
    assert list(points.names) == ["cat", "dog", "horse"]
    assert (points.total, points.left_out, points.groups.by) == (8, 0, None)
    assert len(points_of_words(vectors, "x", most=500).names) == 8


def test_named_words_and_their_neighbours(vectors: WordVectors) -> None:
    points = points_of_words(vectors, "x", named=["cat", "lily", "cat"], near=2)
    assert points.groups.names == ("cat", "lily")
    found = {name: points.groups.names[of] for name, of in zip(points.names, points.groups.of, strict=True)}
    assert found == {
        "cat": "cat",
        "dog": "cat",
        "horse": "cat",
        "lily": "lily",
        "rose": "lily",
        "oak": "lily",
    }
    assert [points.names[place] for place in points.asked] == ["cat", "lily"]


def test_a_word_near_to_two_goes_with_the_nearer(vectors: WordVectors) -> None:
    points = points_of_words(vectors, "x", named=["cat", "oak"], near=7)
    assert len(points.names) == 8
    found = {name: points.groups.names[of] for name, of in zip(points.names, points.groups.of, strict=True)}
    assert found["dog"] == "cat"
    assert found["lily"] == "oak"
    assert found["two"] == "oak"  # 102 degrees away, from cat 152


def test_a_sum_of_words(vectors: WordVectors) -> None:
    points = points_of_words(vectors, "x", named=["cat + horse"], near=2)
    assert points.groups.names == ("cat + horse",)
    assert list(points.names) == ["cat", "horse", "dog", "rose"]
    assert list(points.asked) == [0, 1]


def test_words_without_a_vector_are_counted() -> None:
    vectors = np.array([[1, 0], [0, 0], [np.nan, 1], [0, 1]], np.float32)
    points = points_of_words(WordVectors(["a", "b", "c", "d"], vectors), "x")
    assert list(points.names) == ["a", "d"]
    assert points.left_out == 2


@pytest.mark.parametrize("most", [1, 20_001])
def test_numbers_that_make_no_map(vectors: WordVectors, most: int) -> None:
    with pytest.raises(QueryError, match="from 2 to 20,000"):
        points_of_words(vectors, "x", most=most)


def test_an_unknown_word(vectors: WordVectors) -> None:
    with pytest.raises(QueryError, match="there are: horse"):
        points_of_words(vectors, "x", named=["hors"])
