"""Which rows of the catalog a segment holds: ascending numbers, kept as runs without a gap."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ragembed.errors import CorruptError

Rows = NDArray[np.int64]
_LARGEST = 1 << 62
"""Above any row; sums of two such numbers still fit."""


def encode_runs(rows: Rows) -> bytes:
    """Ascending `rows` as pairs (first row, how many) of little-endian int64, one for each run."""
    if not len(rows):
        return b""
    starts = np.flatnonzero(np.diff(rows, prepend=rows[0] - 2) != 1)
    lengths = np.diff(starts, append=len(rows))
    return np.stack((rows[starts], lengths), axis=1).astype("<i8").tobytes()


def contiguous(first: int, count: int) -> bytes:
    """`encode_runs` of `count` rows from `first` on."""
    return np.array([first, count], "<i8").tobytes() if count else b""


def decode_runs(runs: object, count: int, name: str) -> Rows:
    """The `count` rows, ascending; `CorruptError` where segment `name` has runs that cannot be those."""
    if isinstance(runs, bytes) and len(runs) % 16 == 0:
        pairs = np.frombuffer(runs, "<i8").reshape(-1, 2)
        first, lengths = pairs[:, 0], pairs[:, 1]
        if (
            bool((first >= 0).all() and (lengths > 0).all() and (pairs < _LARGEST).all())
            and sum(lengths.tolist()) == count
            and bool((first[1:] > first[:-1] + lengths[:-1]).all())
        ):
            before = np.cumsum(lengths) - lengths
            return np.repeat(first - before, lengths) + np.arange(count)
    raise CorruptError(
        f"the catalog's list of the rows of {name} is damaged", "run: ragembed verify INDEX --repair"
    )
