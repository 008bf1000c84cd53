"""Keeping accelerators: saving one, looking at its recall after updates, building it anew, taking it away.

The file comes first, then one transaction that names it and says what was measured of it: a crash leaves the index as
it was, and a file that the next writer sweeps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ragembed.config import PipelineConfig
from ragembed.embed.base import Dense
from ragembed.errors import CorruptError, SpecError
from ragembed.index.ann import ANN_TYPES, AnnType
from ragembed.index.ann.accelerator import DEPTHS
from ragembed.index.ann.base import faiss_errors
from ragembed.index.ann.build import Progress, build
from ragembed.index.ann.measure import Probes, Tuned, latency, probes_of, tune
from ragembed.index.ann.record import AnnRecord, Measured, records_from_json
from ragembed.index.ann.search import AcceleratedIndex
from ragembed.index.dense import DenseIndex, DenseSegment, Rows
from ragembed.index.records import SegmentRecord
from ragembed.index.schema import ACCELERATORS

if TYPE_CHECKING:
    from ragembed.index.catalog import Catalog
    from ragembed.index.store import Store
    from ragembed.index.writer import Writer

TARGET = 0.95
"""Recall where none is asked for."""
PROBES = 400
"""Queries that recall is measured by, where users gave none: chunks that are left out of the accelerator."""
_PROBED_SHARE = 20
"""At most one chunk in so many is left out as a probe."""
LEAST_ROWS = 10_000
"""Chunks below which `index` builds no accelerator: exact search takes a millisecond or two then."""
_OUTGROWN = 4
"""An accelerator is built anew once the rows beside it and the deleted ones in it are one in so many of its own."""
_LOOK_AGAIN = 50
"""Recall is looked at again once one in so many of its rows has changed since."""
_MOST_LOOKED = 200
"""Probes that are used for that."""


@dataclass(slots=True)
class Kept:
    """One dense embedder's part of an index whose lock is held."""

    writer: Writer
    number: int
    dimension: int
    segments: list[DenseSegment] = field(init=False)
    dead: Rows = field(init=False)

    def __post_init__(self) -> None:
        self.dead = np.array(self.writer.catalog.dead_rows(), np.int64)
        self.segments = dense_segments(self.writer.store, self.writer.catalog, self.number, self.dimension)

    @property
    def exact(self) -> DenseIndex:
        """Exact search over all live rows."""
        return DenseIndex(self.segments, self.dimension)

    @property
    def live(self) -> Rows:
        """All live rows, ascending."""
        return self.exact.live

    def own_probes(self, known: Sequence[int] = ()) -> Rows:
        """Rows to leave out as queries: those of `known` that are left, filled up by a drawing of fixed seed."""
        live = self.live
        wanted = min(PROBES, len(live) // _PROBED_SHARE)
        kept = np.intersect1d(live, np.array(known, np.int64))
        others = np.setdiff1d(live, kept, assume_unique=True)
        more = max(0, wanted - len(kept))
        drawn = np.random.default_rng(0).choice(others, min(more, len(others)), replace=False)
        return np.sort(np.concatenate((kept, drawn))).astype(np.int64)

    def probes(self, vectors: Dense | None, own: Rows) -> Probes:
        """The probes with their exact answers: users' queries, or chunks by their rows."""
        if vectors is None:
            vectors = self.exact.vectors(own.tolist())
            mine = own
        else:
            mine = np.full(len(vectors), -1, np.int64)
        return probes_of(self.exact, vectors, mine)

    def built(
        self, kind: AnnType, own: Rows, probes: Probes, target: float, progress: Progress | None
    ) -> tuple[AcceleratedIndex, Tuned]:
        """An accelerator over all live rows but `own`, its search set to reach the target."""
        if not len(self.live):
            raise SpecError("the index has no chunks to build an accelerator over", "index something first")
        made = build(kind, self.segments, self.dimension, own, progress)
        with faiss_errors(f"{kind.spec} cannot be searched"):
            return tune(self.segments, made, probes, target)

    def save(
        self,
        index: AcceleratedIndex,
        tuned: Tuned,
        target: float,
        vectors: Dense | None,
        own: Rows,
        seconds: tuple[float | None, float | None] = (None, None),
        settings: dict[str, Any] | None = None,
    ) -> AnnRecord:
        """Write the accelerator's file, and put it in the place of the one that is there."""
        accelerator = index.accelerator
        segment, faiss_bytes = self.writer.write_accelerator(self.number, accelerator, vectors)
        record = AnnRecord(
            segment=segment.name,
            spec=str(accelerator.kind.spec),
            dimension=self.dimension,
            longest=accelerator.space.longest,
            faiss_bytes=faiss_bytes,
            settings=dict(tuned.settings),
            target=target,
            probes=0 if vectors is None else len(vectors),
            probe_rows=() if vectors is not None else tuple(own.tolist()),
            measured=Measured(
                dict(tuned.recall),
                self.writer.catalog.generation() + 1,
                accelerator.live,
                index.delta,
                *seconds,
            ),
        )
        self.put(segment, record, settings)
        return record

    def put(
        self, segment: SegmentRecord | None, record: AnnRecord | None, settings: dict[str, Any] | None = None
    ) -> None:
        """Name an accelerator, or none, in one transaction, and forget what was there."""
        known = records(self.writer.catalog)
        known.pop(self.number, None)
        if record is not None:
            known[self.number] = record
        self.writer.replace_accelerator(
            self.number,
            segment,
            {ACCELERATORS: {str(n): one.to_json() for n, one in known.items()}, **(settings or {})},
        )


def records(catalog: Catalog) -> dict[int, AnnRecord]:
    """The accelerators of an index, by number of the embedder."""
    return records_from_json(catalog.setting(ACCELERATORS))


def dense_segments(store: Store, catalog: Catalog, number: int, dimension: int) -> list[DenseSegment]:
    """The flat segments of an embedder."""
    dead = np.array(catalog.dead_rows(), np.int64)
    found = []
    for record in catalog.segments():
        if record.embedder == number and not record.accelerates:
            rows = store.rows_of(record)
            gone = np.flatnonzero(np.isin(rows, dead, assume_unique=True))
            found.append(DenseSegment(store.load_flat(record, dimension), rows, gone))
    return found


def after_update(writer: Writer, config: PipelineConfig, progress: Progress | None = None) -> list[str]:
    """Build what the index type asks for, once it is worth it; look at the recall of what is there, and set the search
    to reach its target. Returns what a user should know.
    """
    notes: list[str] = []
    if writer.rehearsal:
        return notes
    known = records(writer.catalog)
    wanted = ANN_TYPES.create(config.index_type)
    for number, embedder in enumerate(config.embedders):
        if embedder.kind != "dense" or embedder.dimension is None:
            continue
        record = known.get(number)
        if record is None:
            if wanted.exact:
                continue
            count = sum(
                s.rows for s in writer.catalog.segments() if s.embedder == number and not s.accelerates
            )
            if count - len(writer.catalog.dead_rows()) >= LEAST_ROWS:
                try:
                    _build(Kept(writer, number, embedder.dimension), wanted, None, progress)
                except SpecError as error:  # the documents are in the index all the same
                    notes.append(f"{embedder.spec} is searched exactly: {error}")
            continue
        covered, beside, gone = _shape(writer, record)
        if covered == gone or (_OUTGROWN * (beside + gone) > covered and beside + gone >= LEAST_ROWS):
            kept = Kept(writer, number, embedder.dimension)
            if len(kept.live) < LEAST_ROWS:
                kept.put(None, None)  # exact search is fast again
            else:
                notes += _rebuild(kept, record, embedder.spec, progress)
            continue
        changed = abs(record.measured.covered - (covered - gone)) + abs(record.measured.delta - beside)
        if changed * _LOOK_AGAIN >= covered:
            notes += _look_again(Kept(writer, number, embedder.dimension), record, embedder.spec)
        elif warning := warning_of(record, beside):
            notes.append(f"{embedder.spec}: {warning}")
    return notes


def purge(writer: Writer, config: PipelineConfig) -> None:
    """Build anew each accelerator that holds deleted rows, without them."""
    for number, record in records(writer.catalog).items():
        _, _, gone = _shape(writer, record)
        if not gone:
            continue
        dimension = config.embedders[number].dimension
        assert dimension is not None
        kept = Kept(writer, number, dimension)
        kind = ANN_TYPES.create(record.spec)
        if len(kept.live) <= max(1, kind.fewest(len(kept.live))):
            kept.put(None, None)
        else:
            _rebuild(kept, record, config.embedders[number].spec, None)


def drop_all(writer: Writer, index_type: str | None = None) -> None:
    """Take all accelerators away: every search is exact again."""
    settings: dict[str, Any] = {ACCELERATORS: {}}
    if index_type is not None:
        settings["config"] = {**writer.catalog.setting("config"), "index_type": index_type}
    writer.replace_accelerator(None, None, settings)
    writer.sweep()


def warning_of(record: AnnRecord, beside: int) -> str | None:
    """What is to be said of an accelerator, with what to do about it; None where all is well."""
    for depth, recall in sorted(record.measured.recall.items()):
        if recall < record.target:
            return (
                f"recall@{depth} of {record.spec} is {recall:.3f}, below its target of {record.target:g};"
                " run: ragembed optimize INDEX"
            )
    if beside >= LEAST_ROWS and _OUTGROWN * beside > record.measured.covered:
        return f"{beside:,} chunks lie beside {record.spec}, which makes searches slower; run: ragembed optimize INDEX"
    return None


def _shape(writer: Writer, record: AnnRecord) -> tuple[int, int, int]:
    """Rows in an accelerator, live rows beside it, deleted rows in it."""
    segment = next((s for s in writer.catalog.segments() if s.name == record.segment), None)
    if segment is None:
        raise CorruptError(
            f"the accelerator {record.segment} is missing", "run: ragembed verify INDEX --repair"
        )
    rows = writer.store.rows_of(segment)
    gone = int(np.isin(np.array(writer.catalog.dead_rows(), np.int64), rows).sum())
    return len(rows), writer.catalog.chunk_count() - (len(rows) - gone), gone


def _build(kept: Kept, kind: AnnType, record: AnnRecord | None, progress: Progress | None) -> None:
    """Build an accelerator by what is known of the one before."""
    vectors = None
    if record is not None and record.probes:
        vectors = kept.writer.store.load_probes(record)
    own = (
        np.zeros(0, np.int64) if vectors is not None else kept.own_probes(record.probe_rows if record else ())
    )
    target = record.target if record else TARGET
    probes = kept.probes(vectors, own)
    index, tuned = kept.built(kind, own, probes, target, progress)
    fast = latency(lambda query: index.search_many(query, DEPTHS[0] + 1), probes.vectors)
    slow = latency(lambda query: index.exactly(query, DEPTHS[0] + 1), probes.vectors[:10])
    kept.save(index, tuned, target, vectors, own, (fast, slow))
    kept.writer.sweep()


def _rebuild(kept: Kept, record: AnnRecord, spec: str, progress: Progress | None) -> list[str]:
    """Build an accelerator anew; where FAISS refuses, as with too few vectors to train, search exactly and say it."""
    try:
        _build(kept, ANN_TYPES.create(record.spec), record, progress)
    except SpecError as error:
        kept.put(None, None)
        return [f"{spec} is searched exactly: {error}"]
    return []


def _look_again(kept: Kept, record: AnnRecord, spec: str) -> list[str]:
    """Measure the recall after updates, and have the search try as hard as the target takes now."""
    accelerator = kept.writer.store.load_accelerator(kept.writer.catalog, record)
    accelerator.dead = np.flatnonzero(np.isin(accelerator.rows, kept.dead))
    if record.probes:
        probes = kept.probes(kept.writer.store.load_probes(record)[:_MOST_LOOKED], np.zeros(0, np.int64))
    else:
        own = np.intersect1d(np.array(record.probe_rows, np.int64), kept.live)[:_MOST_LOOKED]
        if (
            len(own) < min(_MOST_LOOKED, len(record.probe_rows)) // 2
        ):  # chunks that came since are beside it too
            covered = np.isin(kept.live, accelerator.rows)
            own = np.sort(
                np.concatenate((own, kept.live[~covered & ~np.isin(kept.live, own)][:_MOST_LOOKED]))
            )
        probes = kept.probes(None, own)
        record = replace(record, probe_rows=tuple(sorted({*record.probe_rows, *own.tolist()})))
    if not len(probes.vectors):
        return []
    index, tuned = tune(kept.segments, accelerator, probes, record.target)
    measured = Measured(
        dict(tuned.recall),
        kept.writer.catalog.generation() + 1,
        accelerator.live,
        index.delta,
        record.measured.seconds,
        record.measured.exact_seconds,
    )
    known = records(kept.writer.catalog)
    known[kept.number] = record.with_measured(tuned.settings, measured)
    kept.writer.put_settings({ACCELERATORS: {str(n): one.to_json() for n, one in known.items()}})
    warning = warning_of(known[kept.number], index.delta)
    if warning is None and tuned.strained:
        warning = (
            f"{record.spec} reaches its target of {record.target:g} only by trying as hard as it can;"
            " run: ragembed optimize INDEX"
        )
    return [f"{spec}: {warning}"] if warning else []
