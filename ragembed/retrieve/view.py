"""One state of an index in memory: what a search looks at from its beginning to its end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from ragembed.embed.base import Embedder
from ragembed.errors import CorruptError
from ragembed.index.catalog import Catalog
from ragembed.index.records import SegmentRecord
from ragembed.index.runs import Rows
from ragembed.index.sparse import SparseIndex, SparseSegment
from ragembed.index.store import Store
from ragembed.retrieve.learnt import Learnt
from ragembed.retrieve.sides import DenseSide, Side, SparseSide

if TYPE_CHECKING:
    from ragembed.embed.lexical import Lexical
    from ragembed.embed.token_vectors import MultiVector
    from ragembed.filters.conditions import Condition
    from ragembed.index.selection import Selection

_SELECTIONS = 64
"""Filters whose rows are remembered."""

Loaded = dict[str, tuple[Any, Rows]]
"""Content and rows of each segment by its name."""


@dataclass(slots=True)
class View:
    """One state of the index, loaded. Searches that began with it end with it, whatever is loaded meanwhile."""

    generation: int
    loaded: Loaded
    sides: list[Side]
    """One for each embedder."""
    learnt: Learnt | None = None
    """What labelled queries have taught the index."""
    _selections: dict[tuple[Condition | None, bool], Selection] = field(default_factory=dict)

    def selection(
        self, catalog: Catalog, condition: Condition | None, first_only: bool = False
    ) -> Selection | None:
        """The rows that may be found: those that meet the condition, and with `first_only` begin a document."""
        if condition is None and not first_only:
            return None
        from ragembed.index.selection import Selection

        known = self._selections.get((condition, first_only))
        if known is None:
            rows = [catalog.first_rows()] if first_only else []
            rows += [catalog.rows_where(condition)] if condition is not None else []
            known = Selection(np.array(sorted(set(rows[0]).intersection(*rows[1:])), np.int64))
            if len(self._selections) >= _SELECTIONS:
                self._selections.clear()
            self._selections[condition, first_only] = known
        return known


def load(
    store: Store,
    embedders: Sequence[Embedder],
    catalog: Catalog,
    generation: int,
    known: Mapping[str, tuple[Any, Rows]],
) -> View:
    """The state of the catalog, with those segments of it that are `known` already taken from there."""
    records = catalog.segments()
    dead = np.array(catalog.dead_rows(), np.int64)
    _complain_of_gaps(store, embedders, catalog, records, len(dead))
    loaded = {record.name: known[record.name] for record in records if record.name in known}
    sides = []
    for number, embedder in enumerate(embedders):
        own = [record for record in records if record.embedder == number and not record.accelerates]
        sides.append(_side(store, embedder, own, dead, loaded))
    if any(record.accelerates for record in records):
        _accelerate(store, catalog, sides, dead, loaded)
    return View(generation, loaded, sides, Learnt.of(catalog))


def _complain_of_gaps(
    store: Store,
    embedders: Sequence[Embedder],
    catalog: Catalog,
    records: Sequence[SegmentRecord],
    dead: int,
) -> None:
    """Raise `CorruptError` where an embedder's segments cannot hold all chunks: it would miss some silently."""
    chunks = catalog.chunk_count()
    for number, embedder in enumerate(embedders):
        held = sum(r.rows for r in records if r.embedder == number and not r.accelerates)
        if held < chunks or held > chunks + dead:
            raise CorruptError(
                f"the segments of {embedder.spec} hold {held} rows, for {chunks} chunks and {dead} deleted ones",
                f"run: ragembed verify {store.folder} --repair",
            )


def _accelerate(
    store: Store,
    catalog: Catalog,
    sides: Sequence[Side],
    dead: Rows,
    loaded: Loaded,
) -> None:
    """Have those dense sides search through their accelerators that have one."""
    from ragembed.accelerate import records as accelerators
    from ragembed.index.ann.search import AcceleratedIndex

    for number, record in accelerators(catalog).items():
        side = sides[number] if number < len(sides) else None
        if not isinstance(side, DenseSide) or side.index is None:
            continue
        if record.segment not in loaded:
            accelerator = store.load_accelerator(catalog, record)
            loaded[record.segment] = accelerator, accelerator.rows
        accelerator = loaded[record.segment][0]
        gone = np.flatnonzero(np.isin(accelerator.rows, dead, assume_unique=True))
        side.index = AcceleratedIndex(
            side.index.segments, side.index.dimension, accelerator.with_state(gone, record.settings)
        )


def _side(
    store: Store,
    embedder: Embedder,
    records: Sequence[SegmentRecord],
    dead: Rows,
    loaded: Loaded,
) -> Side:
    """The side of an embedder; its segments that are not `loaded` are, now."""
    for record in records:
        if record.name not in loaded:
            content: Any
            if embedder.kind == "sparse":
                content = store.load_postings(record)
            elif embedder.kind == "multi":
                content = store.load_tokens(record)
            else:
                content = store.load_flat(record, embedder.dimension)
            loaded[record.name] = content, store.rows_of(record)
    held = [loaded[record.name] for record in records]
    gone = [np.isin(rows, dead, assume_unique=True) if len(dead) else None for _, rows in held]
    if embedder.kind == "sparse":
        postings = [
            SparseSegment(content, rows, mask if mask is not None and mask.any() else None)
            for (content, rows), mask in zip(held, gone, strict=True)
        ]
        return SparseSide(embedder, SparseIndex(postings, cast("Lexical", embedder).weighting))
    nothing = np.zeros(0, np.int64)
    if embedder.kind == "multi":
        from ragembed.index.multi import MultiIndex, MultiSegment
        from ragembed.retrieve.multi_side import MultiSide

        tokens = [
            MultiSegment(content, rows, nothing if mask is None else np.flatnonzero(mask))
            for (content, rows), mask in zip(held, gone, strict=True)
        ]
        codec = cast("MultiVector", embedder).codec if tokens else None
        return MultiSide(embedder, MultiIndex(tokens, codec, embedder.dimension) if codec else None)
    from ragembed.index.dense import DenseIndex, DenseSegment

    vectors = [
        DenseSegment(content, rows, nothing if mask is None else np.flatnonzero(mask))
        for (content, rows), mask in zip(held, gone, strict=True)
    ]
    return DenseSide(embedder, DenseIndex(vectors, embedder.dimension) if vectors else None)
