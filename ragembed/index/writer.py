"""Writing to an index whose lock is held.

Order of a write: segment files first (temporary name, fsync, rename), then one SQLite transaction that names them.
Before it nothing has happened, after it everything has; a crash leaves files that nothing names, which the next
writer sweeps away.
"""

from __future__ import annotations

import contextlib
import secrets
import shutil
from collections import defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ragembed.embed.base import Dense
from ragembed.errors import StoreError
from ragembed.index.arrays import encode_arrays
from ragembed.index.catalog import Catalog
from ragembed.index.content import Passage
from ragembed.index.files import EMBEDDERS, SEGMENTS, durable_file, unwritable
from ragembed.index.merge import merge_postings, neighbours_to_rewrite, tail_to_merge
from ragembed.index.postings import Postings
from ragembed.index.records import FileRecord, SegmentRecord
from ragembed.index.runs import Rows, contiguous, encode_runs
from ragembed.index.tokens import KIND as TOKENS
from ragembed.index.tokens import Tokens, write_tokens
from ragembed.types import Chunk, Document

if TYPE_CHECKING:
    from ragembed.index.ann.accelerator import Accelerator
    from ragembed.index.store import Store

Vectors = Postings | Dense | Tokens

_LARGEST_FLAT = 1 << 32
"""Bytes of vectors up to which they are merged, so that disks need not hold more than that twice."""
_PATIENCE_MS = 5_000
"""How long `Writer.shrink` waits for readers; a search is over in less."""
_ATTEMPT_MS = 200
"""How long one attempt of it waits."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A document to store with its chunks and their digests; `file` is the absolute path that it was read from."""

    document: Document
    chunks: Sequence[Chunk]
    hashes: Sequence[bytes]
    digest: str
    file: str | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """A batch of documents to store and of ids to delete. `rows` has, for each chunk of each entry, the row of a
    vector that is in the index already, or None.
    """

    entries: Sequence[Entry]
    delete: Sequence[str]
    rows: Sequence[Sequence[int | None]]

    @property
    def fresh(self) -> list[Chunk]:
        """The chunks that have no vector yet, in order."""
        return [
            chunk
            for entry, rows in zip(self.entries, self.rows, strict=True)
            for chunk, row in zip(entry.chunks, rows, strict=True)
            if row is None
        ]


class Writer:
    """Writes to an index whose lock is held; in a `rehearsal` no files, and the caller rolls the catalog back."""

    def __init__(self, store: Store, catalog: Catalog, *, rehearsal: bool = False) -> None:
        self.store = store
        self.catalog = catalog
        self.rehearsal = rehearsal

    def sweep(self) -> None:
        """Remove files that the catalog does not name: what a crash left, and segments that were merged."""
        named = {record.name for record in self.catalog.segments()}
        with unwritable(self.store.folder):
            for path in (self.store.folder / SEGMENTS).iterdir():
                if path.name not in named:
                    _remove(path)
            learnt = self.store.folder / EMBEDDERS
            folders = _learnt_folders(self.catalog.setting("config"))
            if learnt.is_dir() and folders is not None:
                for path in learnt.iterdir():
                    if f"{EMBEDDERS}/{path.name}" not in folders:
                        _remove(path)

    def put_settings(self, settings: Mapping[str, Any]) -> None:
        """Change settings in a transaction of their own."""
        with self.transaction():
            for key, value in settings.items():
                self.catalog.put_setting(key, value)

    def plan(self, entries: Sequence[Entry], delete: Sequence[str] = (), fields: Sequence[str] = ()) -> Plan:
        """Find chunks of `entries` whose vectors are there, in documents that the batch replaces or deletes.

        `fields` are those of the metadata that are embedded besides the text, and must be the same too.
        """
        there: defaultdict[tuple[object, ...], deque[int]] = defaultdict(deque)
        held = self.catalog.chunk_rows(
            list(dict.fromkeys([*(entry.document.id for entry in entries), *delete]))
        )
        rows = [row for _, row in held]
        beside = self.catalog.field_texts(rows, fields) if fields else [()] * len(rows)
        for (digest, row), texts in zip(held, beside, strict=True):
            there[digest, *texts].append(row)
        return Plan(
            entries,
            delete,
            [
                [there[key].popleft() if there.get(key) else None for key in _keys(entry, fields)]
                for entry in entries
            ],
        )

    def commit(
        self,
        plan: Plan,
        vectors: Sequence[Vectors],
        files: Sequence[FileRecord] = (),
        forget: Sequence[str] = (),
    ) -> None:
        """Make one batch permanent.

        `vectors` holds for each embedder the postings or vectors of ``plan.fresh`` in that order; documents of the
        same ids are replaced. `forget` names files that are gone.
        """
        first_row = self.catalog.next_row()
        count = len(plan.fresh)
        records = []
        if count and not self.rehearsal:
            runs = contiguous(first_row, count)
            records = [self._write(number, part, count, runs) for number, part in enumerate(vectors)]
        with self.transaction():
            self.catalog.delete_documents([*plan.delete, *(entry.document.id for entry in plan.entries)])
            row = first_row
            scanned: set[str] = set()
            for entry, reused in zip(plan.entries, plan.rows, strict=True):
                rows = []
                for known in reused:
                    rows.append(row if known is None else known)
                    row += known is None
                chunks = zip(rows, entry.hashes, entry.chunks, strict=True)
                scanned |= self.catalog.put_document(entry.document, entry.file, entry.digest, chunks)
                self.catalog.forget_dead(known for known in reused if known is not None)
            self.catalog.add_scanned(scanned)
            for record in records:
                self.catalog.put_segment(record)
            for path in forget:
                self.catalog.delete_file(path)
            for file in files:
                self.catalog.put_file(file)

    def merge(self, dimensions: Sequence[int | None], most: int, fewest: int = 2) -> None:
        """Join the small segments at the end of each embedder's list, once there are `fewest` or they fill a large one.

        So their number stays logarithmic. Postings of `most` bytes, and vectors of gigabytes, which are joined without
        being held in memory, are not joined any more.
        """
        merged = False
        for number, dimension in enumerate(dimensions):
            limit = most if dimension is None else _LARGEST_FLAT
            tail = tail_to_merge(self._segments(number), limit)
            filling = 3 * sum(record.bytes for record in tail) > 2 * limit
            if len(tail) >= (2 if filling else fewest):
                self._rewrite(tail, dimension)
                merged = True
        if merged:
            self.sweep()

    def compact(self, dimensions: Sequence[int | None], most: int) -> None:
        """Rewrite all segments that hold dead rows, together with small neighbours, without those rows."""
        for number, dimension in enumerate(dimensions):
            dead = self._dead()
            records = self._segments(number)
            holding = [bool(np.isin(self.store.rows_of(record), dead).any()) for record in records]
            for group in neighbours_to_rewrite(
                records, holding, most if dimension is None else _LARGEST_FLAT
            ):
                self._rewrite(group, dimension)
        self.sweep()

    def shrink(self) -> None:
        """Have SQLite give free pages back and empty its log, so that nothing deleted is left in a file.

        SQLite waits until nobody holds a place among the readers that stood for an older state. Readers that begin
        meanwhile may take that place over for the newest state, one after the other without end, and it does not look
        at the state again as long as it waits: so it is asked often, and waits briefly.
        """
        db = self.catalog.db
        db.execute("VACUUM")
        (patience,) = db.execute("PRAGMA busy_timeout").fetchone()
        db.execute(f"PRAGMA busy_timeout = {_ATTEMPT_MS}")
        emptied = any(
            not db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
            for _ in range(_PATIENCE_MS // _ATTEMPT_MS)
        )
        db.execute(f"PRAGMA busy_timeout = {patience}")
        if not emptied:
            raise StoreError(
                f"{self.store.folder} is being read, by another process or by an iteration that is not at its end,"
                " so what was deleted stays in its log for now",
                "run vacuum again when that is done",
            )

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """All that is said to the catalog inside happens at once, or not at all."""
        db = self.catalog.db
        if self.rehearsal:
            yield
            return
        db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self.catalog.put_setting(
                "generation", self.catalog.generation() + 1
            )  # tells readers to look again
            db.execute("COMMIT")
        except BaseException:
            roll_back(self.catalog)
            raise

    def _segments(self, embedder: int) -> list[SegmentRecord]:
        return [r for r in self.catalog.segments() if r.embedder == embedder and not r.accelerates]

    def write_accelerator(
        self, embedder: int, accelerator: Accelerator, probes: Dense | None
    ) -> tuple[SegmentRecord, int]:
        """Write the file of an accelerator, with the queries that are kept beside it; its record, and FAISS's bytes.

        `replace_accelerator` then names it.
        """
        from ragembed.index.ann.file import write_index

        runs = encode_runs(accelerator.rows)
        name = _new_name(embedder, runs, ".faiss")
        with durable_file(self.store.folder / SEGMENTS / name) as file:
            write_index(accelerator.index, file.write)
            faiss_bytes = file.size
            if probes is not None:
                file.write(np.ascontiguousarray(probes, "<f4").tobytes())
        record = SegmentRecord(name, embedder, "ann", len(accelerator.rows), runs, file.size, file.sha256)
        return record, faiss_bytes

    def replace_accelerator(
        self, embedder: int | None, record: SegmentRecord | None, settings: Mapping[str, Any]
    ) -> None:
        """Forget the accelerators of an embedder (None: of all), name `record`, and change settings, all at once."""
        with self.transaction():
            for there in self.catalog.segments():
                if there.accelerates and embedder in (None, there.embedder):
                    self.catalog.delete_segment(there.name)
            if record is not None:
                self.catalog.put_segment(record)
            for key, value in settings.items():
                self.catalog.put_setting(key, value)
            self._bury()

    def _dead(self) -> Rows:
        return np.array(self.catalog.dead_rows(), np.int64)

    def _rewrite(self, records: Sequence[SegmentRecord], dimension: int | None) -> None:
        """Put one segment with the live rows of `records`, neighbours of one embedder, in their place."""
        embedder = records[0].embedder
        dead = self._dead()
        held = [self.store.rows_of(record) for record in records]
        kept = [~np.isin(rows, dead) for rows in held]
        rows = np.concatenate([numbers[keep] for numbers, keep in zip(held, kept, strict=True)])
        new = None
        if len(rows):
            runs = encode_runs(rows)
            if dimension is None:
                parts = [self.store.load_postings(record) for record in records]
                new = self._write_postings(embedder, merge_postings(parts, kept), runs)
            elif records[0].kind == TOKENS:
                held_tokens = [self.store.load_tokens(record) for record in records]
                places = [np.flatnonzero(keep) for keep in kept]
                new = self._write_tokens(
                    embedder, list(zip(held_tokens, places, strict=True)), len(rows), runs
                )
            else:
                new = self._write_merged(records, kept, len(rows), dimension, runs)
        with self.transaction():
            for record in records:
                self.catalog.delete_segment(record.name)
            if new is not None:
                self.catalog.put_segment(new)
            self._bury()

    def _bury(self) -> None:
        """Forget dead rows that no segment holds any more."""
        dead = self._dead()
        if not len(dead):
            return
        held = np.zeros(len(dead), np.bool_)
        for record in self.catalog.segments():
            held |= np.isin(dead, self.store.rows_of(record))
        self.catalog.forget_dead(dead[~held].tolist())

    def _write(self, embedder: int, vectors: Vectors, rows: int, runs: bytes) -> SegmentRecord:
        size = vectors.size if isinstance(vectors, Postings) else len(vectors)
        if size != rows:
            raise StoreError(
                f"embedder {embedder} gave {size} vectors for {rows} chunks", "the embedder is broken"
            )
        if isinstance(vectors, Postings):
            return self._write_postings(embedder, vectors, runs)
        if isinstance(vectors, Tokens):
            return self._write_tokens(embedder, [(vectors, None)], rows, runs)
        from ragembed.index.flat import flat_index, write_flat

        name = _new_name(embedder, runs, ".faiss")
        with durable_file(self.store.folder / SEGMENTS / name) as file:
            write_flat(flat_index(vectors), file.write)
        return SegmentRecord(name, embedder, "flat", rows, runs, file.size, file.sha256)

    def _write_postings(self, embedder: int, postings: Postings, runs: bytes) -> SegmentRecord:
        name = _new_name(embedder, runs, ".safetensors")
        with durable_file(self.store.folder / SEGMENTS / name) as file:
            file.write(encode_arrays(postings.to_arrays()))
        return SegmentRecord(name, embedder, "postings", postings.size, runs, file.size, file.sha256)

    def _write_tokens(
        self, embedder: int, parts: Sequence[tuple[Tokens, Rows | None]], rows: int, runs: bytes
    ) -> SegmentRecord:
        name = _new_name(embedder, runs, ".safetensors")
        with durable_file(self.store.folder / SEGMENTS / name) as file:
            write_tokens(parts, file.write)
        return SegmentRecord(name, embedder, TOKENS, rows, runs, file.size, file.sha256)

    def _write_merged(
        self,
        records: Sequence[SegmentRecord],
        kept: Sequence[np.ndarray],
        rows: int,
        dimension: int,
        runs: bytes,
    ) -> SegmentRecord:
        from ragembed.index.flat import write_merged_flat

        embedder = records[0].embedder
        parts = (
            (self.store.load_flat(record, dimension), np.flatnonzero(keep))
            for record, keep in zip(records, kept, strict=True)
        )
        name = _new_name(embedder, runs, ".faiss")
        with durable_file(self.store.folder / SEGMENTS / name) as file:
            write_merged_flat(parts, rows, dimension, file.write)
        return SegmentRecord(name, embedder, "flat", rows, runs, file.size, file.sha256)


def _keys(entry: Entry, fields: Sequence[str]) -> Iterator[tuple[object, ...]]:
    """For each chunk of a document all that is embedded of it."""
    for digest, chunk in zip(entry.hashes, entry.chunks, strict=True):
        passage = Passage.of(chunk, entry.document) if fields else None
        yield digest, *(passage.embedded(field) for field in fields if passage)


def roll_back(catalog: Catalog) -> None:
    """Undo the transaction that is open, if one is: some errors, such as a full disk, have SQLite do it."""
    if catalog.db.in_transaction:
        catalog.db.execute("ROLLBACK")


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _new_name(embedder: int, runs: bytes, suffix: str) -> str:
    first_row = int.from_bytes(runs[:8], "little")
    return f"{first_row:012d}-{embedder}-{secrets.token_hex(4)}{suffix}"


def _learnt_folders(config: Any) -> set[str] | None:
    """The folders in which, by the index's configuration, embedders keep what they learnt; None: it does not say."""
    try:
        return {str(record["folder"]) for record in config["embedders"]}
    except (TypeError, LookupError):
        return None
