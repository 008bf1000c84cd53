"""Every weight of the grid scores what a search with that weight would score."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragembed.errors import SpecError
from ragembed.eval.measures import evaluate
from ragembed.eval.names import parse_measure
from ragembed.eval.tune.candidates import FAMILIES, MOST_WEIGHTS, families, family, simplex, tunable, weighted
from ragembed.eval.tune.gather import Gathered, Labelled
from ragembed.retrieve.fusion import FUSIONS, Scores

ABOUT = (Scores(0.0, True), Scores(-1.0))
NDCG = parse_measure("nDCG@5")


def test_weights_of_two_lists_go_from_one_to_the_other() -> None:
    grid = simplex(2)
    assert grid[:, 0] == pytest.approx(np.linspace(0, 1, 51))
    assert grid.sum(axis=1) == pytest.approx(np.ones(51))


@pytest.mark.parametrize("lists", [1, 2, 3, 4, 5, 6])
def test_the_grid_covers_the_simplex(lists: int) -> None:
    grid = simplex(lists)
    assert len(grid) <= MOST_WEIGHTS
    assert grid.sum(axis=1) == pytest.approx(np.ones(len(grid)))
    assert len(np.unique(grid, axis=0)) == len(grid)
    for corner in np.eye(lists):
        assert (np.abs(grid - corner).sum(axis=1) < 1e-12).any()


def collected(lists: list[list[list[tuple[int, float]]]], gains: list[dict[str, int]], per: int) -> Gathered:
    """Queries over rows, `per` of which make a document."""
    return Gathered(
        ("one", "two"),
        ABOUT,
        {row: f"d{row // per}" for row in range(40)},
        tuple(
            Labelled(f"q{number}", tuple(both), (1.0, 1.0), judged)
            for number, (both, judged) in enumerate(zip(lists, gains, strict=True))
        ),
        40,
    )


def ranked(scores: dict[int, float]) -> list[tuple[int, float]]:
    return sorted(scores.items(), key=lambda pair: (-pair[1], pair[0]))


SCORES = st.dictionaries(st.integers(0, 15), st.integers(1, 9).map(lambda x: x / 10), max_size=10).map(ranked)
GAINS = st.dictionaries(st.integers(0, 15).map(lambda x: f"d{x}"), st.integers(0, 3), max_size=5)


@given(
    st.lists(st.tuples(st.tuples(SCORES, SCORES).map(list), GAINS), min_size=1, max_size=3),
    st.sampled_from([*FAMILIES, "combmnz", "combsum(scale=distribution)"]),
    st.sampled_from([1, 3]),
    st.integers(0, 50),
)
def test_values_are_those_of_the_real_fusion(
    queries: list[tuple[list[list[tuple[int, float]]], dict[str, int]]], plain: str, per: int, at: int
) -> None:
    gathered = collected([both for both, _ in queries], [gains for _, gains in queries], per)
    tried = family(gathered, plain, NDCG)
    fusion = FUSIONS.create(tried.spec(tried.grid[at].tolist()))
    run = {}
    for query in gathered.queries:
        best: dict[str, float] = {}
        for hit in gathered.fused(query, fusion):
            best.setdefault(gathered.documents[hit.row], hit.score)
        run[query.id] = best
    scored = evaluate({query.id: dict(query.gains) for query in gathered.queries}, run, NDCG)
    expected = list(scored.per_query[str(NDCG)].values())
    assert gathered.values(fusion, NDCG) == pytest.approx(expected)
    # sums of floats in another order may tell ties apart: there the two orders are equally right
    if all(len({round(v, 6) for v in best.values()}) == len(best) for best in run.values()):
        assert tried.values[at] == pytest.approx(expected)


def test_a_family_is_tried_once_however_it_is_written() -> None:
    gathered = collected([[[(1, 1.0)], [(2, 1.0)]]], [{"d1": 1}], 1)
    found = list(families(gathered, ["rrf", "rrf(k=60)", "rrf(weights=auto)"], NDCG))
    assert [each.plain for each in found] == ["rrf"]


@pytest.mark.parametrize("written", ["rrf(weights=0.3:0.7)", "nonsense", "rrf(k=-1)"])
def test_what_cannot_be_learnt_is_refused(written: str) -> None:
    with pytest.raises(SpecError):
        tunable(written)


def test_a_spec_is_written_with_its_weights() -> None:
    assert weighted("convex(scale=zscore)", (0.3, 0.7)) == "convex(scale=zscore, weights=0.3:0.7)"
