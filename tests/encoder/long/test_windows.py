from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragembed.encoder.long.windows import Window, owned, truncated, windows
from ragembed.errors import EmbeddingError


def spans(found: list[Window]) -> list[tuple[int, int, int]]:
    return [(each.start, each.stop, each.fresh) for each in found]


def test_an_example() -> None:
    assert spans(windows(10, 4, 1)) == [(0, 4, 4), (3, 7, 3), (6, 10, 3)]
    assert spans(windows(11, 4, 1)) == [(0, 4, 4), (3, 7, 3), (6, 10, 3), (9, 11, 1)]
    assert spans(windows(11, 10, 1)) == [(0, 10, 10), (9, 11, 1)]  # not twice ten
    assert spans(windows(4, 4, 1)) == [(0, 4, 4)]
    assert spans(windows(5, 4, 1)) == [(0, 4, 4), (3, 5, 1)]
    assert spans(windows(0, 4, 1)) == [(0, 0, 0)]
    assert spans(truncated(5, 4)) == [(0, 4, 4)]
    assert spans(truncated(3, 4)) == [(0, 3, 3)]
    assert spans(truncated(3, -1)) == [(0, 0, 0)]


@given(st.integers(0, 3000), st.integers(1, 300), st.data())
def test_laws(length: int, room: int, data: st.DataObject) -> None:
    overlap = data.draw(st.one_of(st.none(), st.integers(0, room - 1)))
    found = windows(length, room, overlap)
    asked = min(32, room // 4) if overlap is None else overlap
    assert {at for each in found for at in range(each.start, each.stop)} == set(range(length))
    assert sum(each.fresh for each in found) == length
    assert found[0].start == 0
    assert found[-1].stop == length
    assert all(each.stop - each.start == min(room, length) for each in found[:-1])
    assert sum(each.stop - each.start for each in found) == length + (len(found) - 1) * asked
    assert all(b.start > a.start and a.stop - b.start == asked for a, b in itertools.pairwise(found))
    least = 1 if length <= room else 1 + -(-(length - room) // (room - asked))
    assert len(found) == least


@given(st.integers(1, 2000), st.integers(1, 200), st.data())
def test_every_token_is_owned_by_the_window_in_which_it_is_farthest_from_a_border(
    length: int, room: int, data: st.DataObject
) -> None:
    found = windows(length, room, data.draw(st.integers(0, room - 1)))
    parts = owned(found)
    assert [at for start, stop in parts for at in range(start, stop)] == list(range(length))
    for (start, stop), own in zip(parts, found, strict=True):
        for at in {start, (start + stop) // 2, stop - 1} & set(range(start, stop)):
            assert own.start <= at < own.stop
            best = max(min(at - each.start, each.stop - at) for each in found if each.start <= at < each.stop)
            assert min(at - own.start, own.stop - at) >= best - 1  # a tie may go to either


@pytest.mark.parametrize("overlap", [-1, 4, 5])
def test_an_overlap_that_no_window_has_room_for(overlap: int) -> None:
    with pytest.raises(EmbeddingError, match=f"windows of 4 tokens are to share {overlap}.*from 0 to 3"):
        windows(5, 4, overlap)


@pytest.mark.parametrize("room", [0, -3])
def test_no_room_at_all(room: int) -> None:
    with pytest.raises(EmbeddingError, match="leave no room"):
        windows(5, room, 0)
