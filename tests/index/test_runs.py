from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragembed.errors import CorruptError
from ragembed.index.runs import contiguous, decode_runs, encode_runs


def pairs(*numbers: int) -> bytes:
    return struct.pack(f"<{len(numbers)}q", *numbers)


def test_rows_are_kept_as_runs() -> None:
    assert encode_runs(np.array([3, 4, 5, 9, 11, 12])) == pairs(3, 3, 9, 1, 11, 2)
    assert encode_runs(np.zeros(0, np.int64)) == contiguous(5, 0) == b""
    assert contiguous(7, 2) == pairs(7, 2) == encode_runs(np.array([7, 8]))


@given(st.sets(st.integers(0, 200) | st.integers(0, 1 << 40)))
def test_decoding_is_the_opposite_of_encoding(numbers: set[int]) -> None:
    rows = np.array(sorted(numbers), np.int64)
    decoded = decode_runs(encode_runs(rows), len(rows), "x")
    assert decoded.dtype == np.int64
    assert decoded.tolist() == rows.tolist()


@pytest.mark.parametrize(
    ("runs", "count"),
    [
        (b"1234567", 1),
        (pairs(1, 2), 3),
        (pairs(1, 2), -2),
        (pairs(-1, 2), 2),
        (pairs(1, 0), 0),
        (pairs(1, -1, 5, 1), 0),
        (pairs(1, 2, 2, 1), 3),  # overlapping
        (pairs(5, 1, 1, 1), 2),  # descending
        (pairs(1, 1, 2, 1), 2),  # one run, told as two
        (pairs(1 << 62, 1), 1),
        (pairs((1 << 63) - 1, (1 << 63) - 1), (1 << 63) - 1),
        ("text", 1),
        (None, 0),
    ],
)
def test_runs_that_cannot_be_are_refused(runs: object, count: int) -> None:
    with pytest.raises(
        CorruptError, match=r"list of the rows of name is damaged; run: ragembed verify INDEX --repair"
    ):
        decode_runs(runs, count, "name")
