"""Ranks, or scaled scores, of several lists become one list."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragembed import Document, Pipeline
from ragembed.errors import SpecError
from ragembed.retrieve.fusion import DEFAULT, FUSIONS
from ragembed.retrieve.fusion.ranks import ReciprocalRank
from ragembed.retrieve.fusion.sums import CombSum

LISTS = st.lists(
    st.lists(st.integers(0, 8), unique=True, max_size=8).map(lambda rows: [(row, 1.0) for row in rows]),
    max_size=3,
)


def test_by_hand() -> None:
    first = [(10, 9.0), (11, 8.0), (12, 7.0)]
    second = [(11, 0.9), (13, 0.8)]
    fused = ReciprocalRank().fuse([first, second])
    assert [hit.row for hit in fused] == [11, 10, 13, 12]
    assert [hit.score for hit in fused] == pytest.approx([1 / 62 + 1 / 61, 1 / 61, 1 / 62, 1 / 63])
    assert fused[0].parts == {0: (2, 8.0), 1: (1, 0.9)}
    assert fused[2].parts == {1: (2, 0.8)}


def test_equal_scores_come_by_row() -> None:
    fused = ReciprocalRank().fuse([[(7, 1.0), (2, 0.5)], [(2, 1.0), (7, 0.5)], [(5, 1.0)]])
    assert [hit.row for hit in fused] == [2, 7, 5]
    assert [hit.row for hit in ReciprocalRank().fuse([[(9, 1.0)], [(3, 1.0)]])] == [3, 9]


def test_the_constant_weighs_the_ranks() -> None:
    lists = [[(1, 1.0), (2, 1.0)], [(3, 1.0), (2, 1.0)]]
    assert ReciprocalRank(0).fuse(lists)[0].row == 1  # 1 / 1 beats, by row, 1 / 2 + 1 / 2
    assert ReciprocalRank(60).fuse(lists)[0].row == 2


def test_nothing_to_fuse() -> None:
    assert ReciprocalRank().fuse([]) == []
    assert ReciprocalRank().fuse([[], []]) == []


@given(LISTS)
def test_the_fused_scores_are_the_sums(lists: list[list[tuple[int, float]]]) -> None:
    sums: dict[int, float] = {}
    for hits in lists:
        for rank, (row, _) in enumerate(hits, 1):
            sums[row] = sums.get(row, 0.0) + 1 / (60 + rank)
    expected = sorted(sums.items(), key=lambda item: (-item[1], item[0]))
    assert [(hit.row, hit.score) for hit in ReciprocalRank().fuse(lists)] == expected


@given(LISTS)
def test_the_order_of_the_lists_does_not_matter(lists: list[list[tuple[int, float]]]) -> None:
    rows = [hit.row for hit in ReciprocalRank().fuse(lists)]
    scores = [hit.score for hit in ReciprocalRank().fuse(lists)]
    again = ReciprocalRank().fuse(lists[::-1])
    assert {hit.row for hit in again} == set(rows)
    assert [hit.score for hit in again] == pytest.approx(scores)


def test_scores_are_scaled_and_summed() -> None:
    # the first list runs from 10 to 0, the second from 3 to 2: row 7 has half of the first, row 8 all of the second
    found = CombSum().fuse([[(6, 10.0), (7, 5.0), (8, 0.0)], [(8, 3.0), (9, 2.0)]])
    assert [(fused.row, fused.score) for fused in found] == [(6, 1.0), (8, 1.0), (7, 0.5), (9, 0.0)]


def test_a_list_of_equal_scores_counts_as_all_best() -> None:
    assert [fused.score for fused in CombSum().fuse([[(1, 2.0), (2, 2.0)]])] == [1.0, 1.0]


SCORED = st.lists(
    st.dictionaries(st.integers(0, 30), st.integers(-50, 50), max_size=12).map(
        lambda scores: sorted(((row, score / 10) for row, score in scores.items()), key=lambda hit: -hit[1])
    ),
    max_size=3,
)


@pytest.mark.parametrize("name", FUSIONS.names())
@given(lists=SCORED)
def test_laws(name: str, lists: list[list[tuple[int, float]]]) -> None:
    fusion = FUSIONS.create(name)
    assert FUSIONS.create(str(fusion.spec)) == fusion
    found = fusion.fuse(lists)
    assert {fused.row for fused in found} == {row for hits in lists for row, _ in hits}
    assert found == sorted(found, key=lambda fused: (-fused.score, fused.row))
    for fused in found:
        assert fused.parts == {
            number: (rank, score)
            for number, hits in enumerate(lists)
            for rank, (row, score) in enumerate(hits, 1)
            if row == fused.row
        }
    score_of = {fused.row: fused.score for fused in found}
    mirrored = fusion.fuse(lists[::-1])
    assert {fused.row: fused.score for fused in mirrored} == pytest.approx(score_of)
    if len(lists) == 1:  # one list keeps its order
        shares = [score_of[row] for row, _ in lists[0]]
        assert shares == sorted(shares, reverse=True)


def test_a_search_is_told_how_to_join(tmp_path: Path) -> None:
    with Pipeline.create(tmp_path / "i", "bm25(language=none)+tfidf(language=none)") as pipeline:
        pipeline.add([Document("a", "pear pear plum"), Document("b", "pear fig"), Document("c", "plum")])
        first = pipeline.search("pear", fusion="rrf(k=0)")[0]
        assert first.score == pytest.approx(sum(1 / rank for rank, _ in first.parts.values()))
        assert pipeline.search("pear") == pipeline.search("pear", fusion=DEFAULT)
        scores = [hit.score for hit in pipeline.search("pear", fusion="combsum")]
        assert 2 >= max(scores) > min(scores) >= 0
        documents = pipeline.search_documents(["pear"], fusion="combsum")[0]
        assert sorted(documents.values(), reverse=True) == scores
        with pytest.raises(SpecError, match=r"unknown fusion 'best'.*rrf"):
            pipeline.search("pear", fusion="best")


def test_a_negative_constant_is_refused() -> None:
    with pytest.raises(SpecError, match="k=-1"):
        FUSIONS.create("rrf(k=-1)")
