from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ragembed.index.selection import Selection

ROWS = st.sets(st.integers(0, 30)).map(sorted)


@given(selected=ROWS, segment=ROWS)
def test_positions_and_mask_are_those_of_the_rows_in_both(selected: list[int], segment: list[int]) -> None:
    rows = np.array(segment, np.int64)
    selection = Selection(np.array(selected, np.int64))
    assert len(selection) == len(selected)
    expected = [at for at, row in enumerate(segment) if row in selected]
    assert selection.positions(rows).tolist() == expected
    assert selection.mask(rows).tolist() == [row in selected for row in segment]


@given(selected=ROWS, first=st.integers(0, 20), count=st.integers(1, 12))
def test_rows_without_a_gap(selected: list[int], first: int, count: int) -> None:
    positions = Selection(np.array(selected, np.int64)).positions(np.arange(first, first + count))
    assert positions.tolist() == [row - first for row in selected if first <= row < first + count]


def test_what_was_found_out_is_remembered_for_each_segment() -> None:
    selection = Selection(np.arange(0, 100, 3))
    one, other = np.arange(10), np.arange(10, 20)
    assert selection.positions(one) is selection.positions(one)
    assert selection.mask(other) is selection.mask(other)
    assert selection.positions(other).tolist() == [2, 5, 8]
    for start in range(50):  # arrays that are gone leave their ids to others
        assert selection.positions(np.arange(start, start + 3)).tolist() == [(-start) % 3]
