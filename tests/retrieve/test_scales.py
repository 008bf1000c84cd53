"""Scores of different embedders on one scale, and sums of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ragembed.errors import SpecError
from ragembed.retrieve.fusion import FUSIONS, Scores
from ragembed.retrieve.fusion.scales import SCALES

COSINE = Scores(least=-1.0)
LISTS = st.lists(st.integers(-80, 80), min_size=1, max_size=12).map(
    lambda scores: np.array(sorted(scores, reverse=True)) / 10
)


def test_by_hand() -> None:
    scores = np.array([0.9, 0.5, 0.1])
    assert SCALES["minmax"](scores, COSINE) == pytest.approx([1, 0.5, 0])
    assert SCALES["theoretical"](scores, COSINE) == pytest.approx([1, 1.5 / 1.9, 1.1 / 1.9])
    deviation = 0.4 * np.sqrt(2 / 3)
    assert SCALES["zscore"](scores, COSINE) == pytest.approx([0.8 / deviation, 0.4 / deviation, 0])
    assert SCALES["distribution"](scores, COSINE) == pytest.approx(
        [0.5 + 0.4 / (6 * deviation), 0.5, 0.5 - 0.4 / (6 * deviation)]
    )


def test_the_least_of_an_embedder_is_the_zero_of_the_theoretical_scale() -> None:
    assert SCALES["theoretical"](np.array([4.0, 1.0]), Scores(least=0.0)) == pytest.approx([1, 0.25])
    unknown = np.array([4.0, 1.0])
    assert SCALES["theoretical"](unknown, Scores()) == pytest.approx(SCALES["minmax"](unknown, Scores()))


@pytest.mark.parametrize("name", SCALES)
@given(scores=LISTS, factor=st.integers(1, 50))
@example(scores=np.full(3, 0.1), factor=1)  # their mean is not 0.1, so that their computed deviation is not 0
def test_laws(name: str, scores: np.ndarray, factor: int) -> None:
    scaled = SCALES[name](scores, Scores())
    assert np.isfinite(scaled).all()
    assert (scaled >= 0).all()
    assert (np.diff(scaled) <= 1e-12).all()  # the order stays
    # in which unit an embedder measures does not matter
    assert SCALES[name](scores * factor + 3, Scores()) == pytest.approx(scaled, abs=1e-9)


def test_weights() -> None:
    lists = [[(1, 10.0), (2, 0.0)], [(2, 1.0), (1, 0.0)]]
    by_row = {hit.row: hit.score for hit in FUSIONS.create("combsum(weights=3:1)").fuse(lists)}
    assert by_row == {1: 3.0, 2: 1.0}
    by_row = {hit.row: hit.score for hit in FUSIONS.create("convex(weights=3:1)").fuse(lists)}
    assert by_row == {1: 0.75, 2: 0.25}
    by_row = {hit.row: hit.score for hit in FUSIONS.create("rrf(k=0, weights=3:1)").fuse(lists)}
    assert by_row == {1: 3.5, 2: 2.5}


def test_found_twice_counts_double() -> None:
    lists = [[(1, 10.0), (2, 5.0), (3, 0.0)], [(2, 1.0), (4, 0.0)]]
    by_row = {hit.row: hit.score for hit in FUSIONS.create("combmnz").fuse(lists)}
    assert by_row == {1: 1.0, 2: 3.0, 3: 0.0, 4: 0.0}


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("convex(weights=a:b)", "has no weights"),
        ("convex(weights=0:0)", "has no weights"),
        ("rrf(weights=-1:2)", "has no weights"),
        ("combsum(weights=nan:1)", "has no weights"),
        ("combsum(scale=log)", "unknown scale 'log'"),
        ("rrf(k=-1)", "below 0"),
    ],
)
def test_wrong_parameters(spec: str, said: str) -> None:
    with pytest.raises(SpecError, match=said):
        FUSIONS.create(spec)


def test_as_many_weights_as_lists() -> None:
    with pytest.raises(SpecError, match="3 weights for 2 embedders"):
        FUSIONS.create("convex(weights=1:2:3)").fuse([[(1, 1.0)], [(1, 1.0)]])
