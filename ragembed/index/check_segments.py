"""Checks of the segments of an index: every file, which rows it holds, and that these are the rows of the chunks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ragembed.config import EmbedderRecord
from ragembed.errors import CorruptError
from ragembed.index.catalog import Catalog
from ragembed.index.check_catalog import LARGEST_ROW
from ragembed.index.problems import DAMAGE, READ_AGAIN, REPAIR, Problem, some, unreadable
from ragembed.index.records import SegmentRecord, is_plain_name
from ragembed.index.runs import Rows, decode_runs
from ragembed.index.schema import ACCELERATORS
from ragembed.index.store import Store
from ragembed.index.tokens import KIND as TOKENS

_TYPES = (str, int, str, int, bytes, int, str)
"""Of a segment's record, in order."""


@dataclass(slots=True)
class Held:
    """The segments of one embedder: those that are as they were written, and what they lack."""

    kept: list[tuple[SegmentRecord, Rows]] = field(default_factory=list)
    """Sound segments with their rows, each beginning after the one before has ended."""
    missing: Rows = field(default_factory=lambda: np.zeros(0, np.int64))
    """Rows of the chunks that are in none of them, ascending; none lies between two rows of one segment."""
    problems: list[Problem] = field(default_factory=list)

    @property
    def rows(self) -> Rows:
        """All rows that the kept segments hold, ascending."""
        return np.concatenate([np.zeros(0, np.int64), *(rows for _, rows in self.kept)])


def records_of(catalog: Catalog) -> tuple[list[SegmentRecord], list[Any]]:
    """The records of all segments, and the names of those whose record cannot be one of ours."""
    good: list[SegmentRecord] = []
    bad: list[Any] = []
    for row in catalog.db.execute("SELECT name, embedder, kind, rows, runs, bytes, sha256 FROM segments"):
        if all(type(value) is kind for value, kind in zip(row, _TYPES, strict=True)) and is_plain_name(
            row[0]
        ):
            good.append(SegmentRecord(*row))
        else:
            bad.append(row[0])
    return good, bad


def held_by(store: Store, records: Sequence[SegmentRecord], embedder: EmbedderRecord, chunks: Rows) -> Held:
    """What is left of the segments of one embedder, given the rows of all chunks, ascending."""
    held = Held()
    sound: list[tuple[SegmentRecord, Rows]] = []
    for record in sorted(records, key=lambda record: record.first_row):
        try:
            sound.append((record, _checked(store, record, embedder)))
        except DAMAGE as error:
            held.problems.append(unreadable(record.name, error, REPAIR))
    apart = [pair for pair, overlaps in zip(sound, _overlapping(sound), strict=True) if not overlaps]
    if len(apart) < len(sound):
        count = len(sound) - len(apart)
        held.problems.append(Problem(f"{count} segments of {embedder.spec} hold rows of one another", REPAIR))
    held.kept = apart
    held.missing = _lacking(held, chunks)
    if len(held.missing):
        if not held.problems:  # else that is why
            row = int(held.missing[0])
            what = f"{len(held.missing)} chunks are in no segment of {embedder.spec}, the first in row {row}"
            held.problems.append(Problem(what, REPAIR))
        # what is made anew may not lie between two rows of a segment, so such a segment is made anew too
        held.kept = [
            (record, rows)
            for record, rows in apart
            if np.searchsorted(held.missing, rows[0]) == np.searchsorted(held.missing, rows[-1])
        ]
        held.missing = _lacking(held, chunks)
    return held


def rows_of(catalog: Catalog, table: str) -> Rows:
    """The rows in `chunks` or `dead`, ascending."""
    rows = catalog.db.execute(f"SELECT row FROM {table} ORDER BY row")
    return np.fromiter((row for (row,) in rows), np.int64)


def segments(store: Store, catalog: Catalog, embedders: Sequence[EmbedderRecord]) -> Iterator[Problem]:
    """All that is wrong with the segments, with the list of dead rows, and with the number of the next row."""
    everything, bad = records_of(catalog)
    records = [record for record in everything if not record.accelerates]
    if bad:
        yield Problem(some(len(bad), "segments have a record that is not one of ours", bad[0]), REPAIR)
    strange = [record.name for record in records if record.embedder not in range(len(embedders))]
    if strange:
        yield Problem(some(len(strange), "segments are of no embedder of this index", strange[0]), REPAIR)
    chunks, dead = rows_of(catalog, "chunks"), rows_of(catalog, "dead")
    if len(chunks) and not embedders:
        yield Problem(f"there are {len(chunks)} chunks, but no embedder that made vectors of them")
    found = accelerators(store, catalog, embedders)
    yield from found.problems
    everywhere = np.concatenate([np.zeros(0, np.int64), *(rows for _, rows in found.kept)])
    whole = not bad and not found.problems
    for number, embedder in enumerate(embedders):
        held = held_by(store, [r for r in records if r.embedder == number], embedder, chunks)
        yield from held.problems
        everywhere = np.union1d(everywhere, held.rows)
        whole = whole and not held.problems
    if len(both := np.intersect1d(chunks, dead, assume_unique=True)):
        yield Problem(some(len(both), "chunks are listed as deleted", int(both[0])), REPAIR)
    if whole:  # else it is the segments that are wrong
        unknown = np.setdiff1d(everywhere, np.union1d(chunks, dead), assume_unique=True)
        if len(unknown):
            yield Problem(
                f"segments hold {len(unknown)} rows that are neither chunks nor deleted ones", READ_AGAIN
            )
        if len(np.setdiff1d(dead, everywhere, assume_unique=True)):
            yield Problem("rows are listed as deleted that no segment holds", REPAIR)
    last = max((int(rows[-1]) for rows in (chunks, dead, everywhere) if len(rows)), default=0)
    if not last < next_row(catalog) < LARGEST_ROW:
        yield Problem(f"the next chunk would get a row that was used before: {last} was the last", REPAIR)


def accelerators(store: Store, catalog: Catalog, embedders: Sequence[EmbedderRecord]) -> Held:
    """The accelerators of all embedders: those that can be used, and what is wrong with the others."""
    from ragembed.accelerate import records as recorded

    held = Held()
    there = {record.name: record for record in records_of(catalog)[0] if record.accelerates}
    try:
        known = recorded(catalog)
    except DAMAGE as error:
        held.problems.append(unreadable(f"the setting {ACCELERATORS}", error, REPAIR))
        known = {}
    for number, one in known.items():
        segment = there.pop(one.segment, None)
        try:
            if number not in range(len(embedders)) or embedders[number].dimension != one.dimension:
                raise CorruptError(f"{one.segment} accelerates no embedder of this index")
            if segment is None or segment.embedder != number:
                raise CorruptError(f"the accelerator {one.segment} is missing")
            rows = store.load_accelerator(catalog, one).rows
            if one.probes:
                store.load_probes(one)
            held.kept.append((segment, rows))
        except DAMAGE as error:
            held.problems.append(unreadable(one.segment, error, REPAIR))
    if there and not held.problems:
        name = min(there)
        held.problems.append(
            Problem(f"the accelerator {name} is of no use: nothing is recorded of it", REPAIR)
        )
    return held


def next_row(catalog: Catalog) -> int:
    """The row that the catalog would give to the next chunk, 0 where it cannot tell."""
    try:
        return catalog.next_row()
    except DAMAGE:
        return 0


def _checked(store: Store, record: SegmentRecord, embedder: EmbedderRecord) -> Rows:
    """The rows of a segment whose file is as it was written; raises an error where it is not."""
    kind = {"sparse": "postings", "multi": TOKENS}.get(embedder.kind, "flat")
    if record.kind != kind:
        raise CorruptError(f"{record.name} holds {record.kind} by the catalog, {embedder.spec} makes {kind}")
    if embedder.dimension is None:
        store.load_postings(record)
    elif kind == TOKENS:
        store.load_tokens(record)
    else:
        store.load_flat(record, embedder.dimension)
    rows = decode_runs(
        record.runs, record.rows, record.name
    )  # after the file, which bounds how many there are
    if not len(rows):
        raise CorruptError(f"{record.name} holds no rows")
    return rows


def _overlapping(sound: Sequence[tuple[SegmentRecord, Rows]]) -> list[bool]:
    """Which segments, in order of their first rows, have rows at or between those of another one."""
    overlaps = [False] * len(sound)
    last, widest = -1, -1
    for number, (_, rows) in enumerate(sound):
        if rows[0] <= last:
            overlaps[number] = overlaps[widest] = True
        if rows[-1] > last:
            last, widest = int(rows[-1]), number
    return overlaps


def _lacking(held: Held, chunks: Rows) -> Rows:
    return np.setdiff1d(chunks, held.rows, assume_unique=True)
