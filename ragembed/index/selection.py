"""The rows that a filter lets through, and where they lie in each segment."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]
Mask = NDArray[np.bool_]


class Selection:
    """Rows of the catalog, ascending and without dead ones, that a search may return.

    Made once for a filter and a state of the index, used for many searches, also from several threads at once. What
    it finds out about a segment it remembers under that segment's array of rows.
    """

    def __init__(self, rows: Rows) -> None:
        self.rows = rows
        self._positions: dict[int, tuple[Rows, Rows]] = {}
        self._masks: dict[int, tuple[Rows, Mask]] = {}

    def __len__(self) -> int:
        return len(self.rows)

    def positions(self, segment_rows: Rows) -> Rows:
        """Where in `segment_rows`, ascending, the selected ones stand: ascending positions."""
        known = self._positions.get(id(segment_rows))
        if known is None:  # the array is kept beside the answer, so that no other gets its id
            known = segment_rows, _positions(self.rows, segment_rows)
            self._positions[id(segment_rows)] = known
        return known[1]

    def mask(self, segment_rows: Rows) -> Mask:
        """Which of `segment_rows` are selected."""
        known = self._masks.get(id(segment_rows))
        if known is None:
            mask = np.zeros(len(segment_rows), np.bool_)
            mask[self.positions(segment_rows)] = True
            known = segment_rows, mask
            self._masks[id(segment_rows)] = known
        return known[1]


def _positions(selected: Rows, segment: Rows) -> Rows:
    if not len(segment):
        return np.zeros(0, np.int64)
    first, last = np.searchsorted(selected, (segment[0], segment[-1] + 1))
    inside = selected[first:last]
    if segment[-1] - segment[0] == len(segment) - 1:  # no gap: a difference says where
        positions: Rows = inside - segment[0]
    else:
        at = np.searchsorted(segment, inside)
        positions = at[segment[at] == inside]
    return positions
