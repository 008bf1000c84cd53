from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragembed.retrieve.fusion import reciprocal_rank_fusion

LISTS = st.lists(
    st.lists(st.integers(0, 8), unique=True, max_size=8).map(lambda rows: [(row, 1.0) for row in rows]),
    max_size=3,
)


def test_by_hand() -> None:
    first = [(10, 9.0), (11, 8.0), (12, 7.0)]
    second = [(11, 0.9), (13, 0.8)]
    fused = reciprocal_rank_fusion([first, second])
    assert [hit.row for hit in fused] == [11, 10, 13, 12]
    assert [hit.score for hit in fused] == pytest.approx([1 / 62 + 1 / 61, 1 / 61, 1 / 62, 1 / 63])
    assert fused[0].parts == {0: (2, 8.0), 1: (1, 0.9)}
    assert fused[2].parts == {1: (2, 0.8)}


def test_equal_scores_come_by_row() -> None:
    fused = reciprocal_rank_fusion([[(7, 1.0), (2, 0.5)], [(2, 1.0), (7, 0.5)], [(5, 1.0)]])
    assert [hit.row for hit in fused] == [2, 7, 5]
    assert [hit.row for hit in reciprocal_rank_fusion([[(9, 1.0)], [(3, 1.0)]])] == [3, 9]


def test_the_constant_weighs_the_ranks() -> None:
    lists = [[(1, 1.0), (2, 1.0)], [(3, 1.0), (2, 1.0)]]
    assert reciprocal_rank_fusion(lists, constant=0)[0].row == 1  # 1 / 1 beats, by row, 1 / 2 + 1 / 2
    assert reciprocal_rank_fusion(lists, constant=60)[0].row == 2


def test_nothing_to_fuse() -> None:
    assert reciprocal_rank_fusion([]) == []
    assert reciprocal_rank_fusion([[], []]) == []


@given(LISTS)
def test_the_fused_scores_are_the_sums(lists: list[list[tuple[int, float]]]) -> None:
    sums: dict[int, float] = {}
    for hits in lists:
        for rank, (row, _) in enumerate(hits, 1):
            sums[row] = sums.get(row, 0.0) + 1 / (60 + rank)
    expected = sorted(sums.items(), key=lambda item: (-item[1], item[0]))
    assert [(hit.row, hit.score) for hit in reciprocal_rank_fusion(lists)] == expected


@given(LISTS)
def test_the_order_of_the_lists_does_not_matter(lists: list[list[tuple[int, float]]]) -> None:
    rows = [hit.row for hit in reciprocal_rank_fusion(lists)]
    scores = [hit.score for hit in reciprocal_rank_fusion(lists)]
    again = reciprocal_rank_fusion(lists[::-1])
    assert {hit.row for hit in again} == set(rows)
    assert [hit.score for hit in again] == pytest.approx(scores)
