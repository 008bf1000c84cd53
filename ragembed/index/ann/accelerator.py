"""An accelerator in memory: it names candidates among the rows that it was built over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ragembed.embed.base import Dense
from ragembed.index.ann.base import AnnType, Setting
from ragembed.index.ann.space import Space
from ragembed.index.selection import Selection

Rows = NDArray[np.int64]
Mask = NDArray[np.bool_]

DEPTHS = (10, 200)
"""Numbers of hits for which a setting is measured: what a user reads, and what a fusion of lists asks for."""
_BEYOND = {10: 20, 200: 256}
"""Up to how many hits each of these settings serves; with more, effort grows in proportion."""
_FEW_SELECTED = 4096
_SHARE_SELECTED = 16
"""A selection of so few rows, or of fewer than one row in so many, is searched exactly."""
_DEEPEST = 16
"""A search for more than one hit in so many rows is exact."""
_REMEMBERED = 64
_HARDEST = 32
"""How many times the measured effort is spent, at most, for rows that are passed over."""


@dataclass(slots=True, eq=False)
class Accelerator:
    """A FAISS structure over `rows`, entry i of it being the i-th of these. Threads may share it."""

    kind: AnnType
    space: Space
    index: Any
    rows: Rows
    """Ascending rows of the catalog."""
    settings: Mapping[int, Setting]
    """By how many hits are wanted, of `DEPTHS`."""
    dead: Rows = field(default_factory=lambda: np.zeros(0, np.int64))
    """Positions, ascending, of rows that are deleted."""
    _excluded: Any = None
    _asked: dict[tuple[int, int], Any] = field(default_factory=dict)

    @property
    def live(self) -> int:
        """How many of its rows are not deleted."""
        return len(self.rows) - len(self.dead)

    def with_state(self, dead: Rows, settings: Mapping[int, Setting]) -> Accelerator:
        """The same structure where other rows are deleted, or the search tries harder."""
        return Accelerator(self.kind, self.space, self.index, self.rows, settings, dead)

    def serves(self, k: int, selection: Selection | None) -> bool:
        """Whether it is worth asking; else the rows that are wanted are searched exactly."""
        if not self.live or k * _DEEPEST > self.live:
            return False
        if selection is None:
            return True
        chosen = len(selection.positions(self.rows))
        return chosen > _FEW_SELECTED and chosen * _SHARE_SELECTED > len(self.rows)

    def setting(self, k: int, share: float = 1.0) -> Setting:
        """How hard to try for k hits where that share of the rows may be found."""
        depth = next((depth for depth in DEPTHS if k <= _BEYOND[depth]), DEPTHS[-1])
        base = self.settings[depth]
        if share == 1 and k <= _BEYOND[depth]:
            return base
        harder = min(_HARDEST, max(1.0, k / _BEYOND[depth]) / max(share, 1e-9))
        return Setting(int(np.ceil(base.effort * harder)), base.refine)

    def candidates(self, queries: Dense, k: int, selection: Selection | None = None) -> NDArray[np.int64]:
        """Positions ``(n, width)`` of candidates for the k best of each query, in any order; -1 where there is none.

        None of them is deleted, nor outside of the selection.
        """
        chosen = self.live if selection is None else len(selection.positions(self.rows))
        share = chosen / len(self.rows)
        setting = self.setting(k, share if share < 0.99 else 1.0)
        width = min(chosen, setting.refine * k)
        asked = self.space.queries(queries)
        if chosen == len(self.rows):
            return self._ask(asked, width, setting.effort, None)
        if self.kind.selects:
            return self._ask(asked, width, setting.effort, self._selector(selection))
        return self._sifted(asked, width, setting.effort, self._allowed(selection), min(k, chosen))

    def _ask(self, asked: Dense, width: int, effort: int, selector: Any) -> NDArray[np.int64]:
        import faiss

        library: Any = faiss
        parameters = self._parameters(effort, width, selector)
        scores = np.empty((len(asked), width), np.float32)
        found = np.empty((len(asked), width), np.int64)
        pointer = library.swig_ptr
        self.index.search_c(len(asked), pointer(asked), width, pointer(scores), pointer(found), parameters)
        return found

    def _parameters(self, effort: int, width: int, selector: Any) -> Any:
        if selector is not None and selector is not self._excluded:
            return self.kind.parameters(effort, width, selector)
        known = self._asked.get((effort, width))
        if known is None:  # they are made again and again for the same few widths
            known = self.kind.parameters(effort, width, selector), selector
            if len(self._asked) >= _REMEMBERED:
                self._asked.clear()
            self._asked[effort, width] = known
        return known[0]

    def _sifted(self, asked: Dense, width: int, effort: int, allowed: Mask, least: int) -> NDArray[np.int64]:
        """As `_ask`, for a structure that cannot pass over rows: more are asked for until enough are left."""
        wide = width
        share = allowed.sum() / len(allowed)
        wide = min(len(self.rows), int(width / share) + width)
        while True:
            found = self._ask(asked, wide, effort, None)
            good = (found >= 0) & allowed[found]
            if wide == len(self.rows) or (good.sum(axis=1) >= least).all():
                break
            wide = min(len(self.rows), 4 * wide)
            effort *= 4
        found = np.where(good, found, -1)
        order = np.argsort(~good, axis=1, kind="stable")[
            :, : max(width, least)
        ]  # the good ones first, as they come
        return np.take_along_axis(found, order, 1)

    def _allowed(self, selection: Selection | None) -> Mask:
        if selection is not None:
            return selection.mask(self.rows)
        allowed = np.ones(len(self.rows), np.bool_)
        allowed[self.dead] = False
        return allowed

    def _selector(self, selection: Selection | None) -> Any:
        import faiss

        library: Any = faiss
        if selection is None and self._excluded is not None:
            return self._excluded
        bits = np.packbits(self._allowed(selection), bitorder="little")
        selector = library.IDSelectorBitmap(bits)
        if selection is None:
            self._asked.clear()
            self._excluded = selector
        return selector
