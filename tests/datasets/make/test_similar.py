"""idf, overlap, neighbours and near-duplicates."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ragembed.analysis import Analyzer
from ragembed.datasets.make.similar import Space, say_the_same

TEXTS = ["cat cat dog", "cat bird", "dog fish", "fish fish bird", "cat dog"]


@pytest.fixture
def space() -> Space:
    return Space(TEXTS, Analyzer("none"))


def test_information(space: Space) -> None:
    assert space.worth("cat") == pytest.approx(math.log(5 / 3))
    assert space.worth("unknown") == space.needed == pytest.approx(math.log(5))
    assert space.information(["cat", "cat", "bird"]) == pytest.approx(math.log(5 / 3) + math.log(5 / 2))


def test_holders(space: Space) -> None:
    assert space.holders(["cat"]) == 3
    assert space.holders(["cat", "dog"]) == 2
    assert space.holders(["cat", "dog", "fish"]) == space.holders(["unknown"]) == space.holders([]) == 0


def test_overlap(space: Space) -> None:
    # of the query's ln(5/3) + ln(5/2), the answer holds the first
    assert space.overlap(["cat", "bird"], ["cat", "x"]) == pytest.approx(
        math.log(5 / 3) / (math.log(5 / 3) + math.log(5 / 2))
    )
    assert space.overlap([], ["cat"]) == 0


def test_neighbours_are_those_by_cosine(space: Space) -> None:
    counts = {
        "cat": [2, 1, 0, 0, 1],
        "dog": [1, 0, 1, 0, 1],
        "bird": [0, 1, 0, 1, 0],
        "fish": [0, 0, 1, 2, 0],
    }
    plain = np.array([
        [(1 + math.log(n)) * math.log(5 / sum(map(bool, row))) if n else 0 for n in row] for row in counts.values()
    ]).T  # fmt: skip
    plain /= np.linalg.norm(plain, axis=1, keepdims=True)
    cosines = plain @ plain.T
    for row, near in enumerate(space.neighbours(range(5), 2)):
        expected = [other for other in np.argsort(-cosines[row], kind="stable") if other != row][:2]
        assert [other.row for other in near] == [other for other in expected if cosines[row, other] > 0]
        assert [other.cosine for other in near] == pytest.approx(
            cosines[row, [o.row for o in near]], abs=1e-4
        )


def test_near_duplicates_share_most_of_their_shingles() -> None:
    text = [
        "the",
        "signing",
        "key",
        "is",
        "rotated",
        "every",
        "ninety",
        "days",
        "by",
        "the",
        "operator",
        "on",
        "duty",
    ]
    assert say_the_same(text, text)
    assert say_the_same(text, [*text[:-1], "call"])  # 10 of 12 shingles
    assert not say_the_same(text, sorted(text))  # the same words, but another text
    assert not say_the_same(text, ["other"])
