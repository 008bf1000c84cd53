"""An index on disk: opened for reading as a snapshot, written by the one that holds its lock."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ragembed.errors import CorruptError, NotAnIndexError, SpecError, StoreError
from ragembed.index.arrays import map_arrays
from ragembed.index.catalog import CATALOG_NAME, Catalog, database_errors
from ragembed.index.files import EMBEDDERS, SEGMENTS, check_file, missing_is_corrupt, sync_folder
from ragembed.index.flat import Flat, read_flat
from ragembed.index.lock import LOCK_NAME, write_lock
from ragembed.index.postings import Postings
from ragembed.index.records import SegmentRecord
from ragembed.index.runs import Rows, decode_runs
from ragembed.index.tokens import Tokens, read_tokens
from ragembed.index.writer import Writer, roll_back

if TYPE_CHECKING:
    from ragembed.embed.base import Dense
    from ragembed.index.ann.accelerator import Accelerator
    from ragembed.index.ann.record import AnnRecord


class ChangedError(StoreError):
    """An index was written to while it was read without a lock."""

    def __init__(self, folder: Path) -> None:
        super().__init__(
            f"{folder} was written to while it was read, in a folder that this process may not lock",
            "try again, or give it write access to the folder",
        )


class Store:
    """The folder of one index. Threads may share it: each snapshot has a connection to the catalog of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.Lock()
        self._idle: list[Catalog] = []
        self._open = True
        with self.connection():  # it can be opened
            pass

    @classmethod
    def create(cls, folder: Path, settings: dict[str, Any]) -> Store:
        """Make a new index; the folder must be absent or empty, or left so by a `create` that was interrupted."""
        if (folder / CATALOG_NAME).exists():
            raise StoreError(f"{folder} is an index already", "open it, or name another folder")
        if folder.exists() and not _is_free(folder):
            raise NotAnIndexError(f"{folder} exists and is no index", "name a new or empty folder")
        missing = [path for path in (folder, *folder.parents) if not path.exists()]
        try:
            (folder / SEGMENTS).mkdir(parents=True, exist_ok=True)
            (folder / EMBEDDERS).mkdir(exist_ok=True)
            with write_lock(folder):
                if (folder / CATALOG_NAME).exists():  # made by another process a moment ago
                    raise StoreError(f"{folder} is an index already", "open it, or name another folder")
                Catalog.make(folder, settings)
        except OSError as error:
            raise StoreError(
                f"{folder} cannot be made ({error.strerror})", "name a folder you may write to"
            ) from error
        for made in missing:
            with contextlib.suppress(PermissionError):  # a folder may let us make names that it does not list
                sync_folder(made.parent)
        return cls(folder)

    @property
    def path(self) -> Path:
        """The catalog's file."""
        return self.folder / CATALOG_NAME

    def close(self) -> None:
        """Close the catalog; connections still in use close when they are given back."""
        with self._lock:
            self._open = False
            idle, self._idle = self._idle, []
        for catalog in idle:
            catalog.close()

    @contextlib.contextmanager
    def connection(self) -> Iterator[Catalog]:
        """A connection to the catalog that nobody else uses meanwhile."""
        with self._lock:
            if not self._open:
                raise StoreError(f"{self.folder} was closed", "open it again")
            catalog = self._idle.pop() if self._idle else None
        if catalog is None:
            catalog = Catalog(self.folder)
        try:
            yield catalog
        finally:
            with self._lock:
                keep = not catalog.unguarded and self._open
                if keep:
                    self._idle.append(catalog)
            if not keep:
                catalog.close()

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[Catalog]:
        """The catalog with one unchanging state of everything it says, for as long as the context lasts.

        Raises `ChangedError` at its end where the state may have changed all the same: in a folder that this process
        may not write to, SQLite cannot tell a writer that there is a reader.
        """
        with self.connection() as catalog:
            try:
                with database_errors(self.path):
                    catalog.db.execute("BEGIN")
                    try:
                        yield catalog
                    finally:
                        roll_back(catalog)
            except CorruptError as error:
                if catalog.has_changed():
                    raise ChangedError(self.folder) from error
                raise
            if catalog.has_changed():
                raise ChangedError(self.folder)

    @contextlib.contextmanager
    def locked(self) -> Iterator[Catalog]:
        """The catalog for the one process that writes, its folders in place; where another one does, `LockedError`."""
        try:
            for name in (SEGMENTS, EMBEDDERS):
                (self.folder / name).mkdir(exist_ok=True)
        except OSError as error:
            raise StoreError(
                f"{self.folder} cannot be written ({error.strerror})", "check its permissions"
            ) from error
        with self.connection() as catalog, database_errors(self.path), write_lock(self.folder):
            yield catalog

    @contextlib.contextmanager
    def writing(self) -> Iterator[Writer]:
        """The one writer of this index; where another one writes, `LockedError`."""
        with self.locked() as catalog:
            writer = Writer(self, catalog)
            writer.sweep()
            yield writer

    @contextlib.contextmanager
    def rehearsing(self) -> Iterator[Writer]:
        """A writer whose commits are all undone at the end, and that writes no segments."""
        with self.connection() as catalog, database_errors(self.path), write_lock(self.folder):
            catalog.db.execute("BEGIN IMMEDIATE")
            try:
                yield Writer(self, catalog, rehearsal=True)
            finally:
                roll_back(catalog)

    def rows_of(self, record: SegmentRecord) -> Rows:
        """The catalog's rows of a segment; not more than its file has room for, whatever the catalog says."""
        path = self.folder / SEGMENTS / record.name
        with missing_is_corrupt(path):
            room = path.lstat().st_size // 4
        if record.rows > room:
            raise CorruptError(
                f"{record.name} has {record.rows} rows by the catalog, and room for {room}",
                "run: ragembed verify INDEX --repair",
            )
        return decode_runs(record.runs, record.rows, record.name)

    def load_postings(self, record: SegmentRecord) -> Postings:
        """The postings of a segment, after its checksum."""
        path = self.folder / SEGMENTS / record.name
        check_file(path, record.bytes, record.sha256)
        with missing_is_corrupt(path):
            postings = Postings.from_arrays(map_arrays(path))
        if postings.size != record.rows:
            raise CorruptError(
                f"{path.name} holds {postings.size} documents, the catalog says {record.rows}",
                "run: ragembed verify INDEX --repair",
            )
        return postings

    def load_tokens(self, record: SegmentRecord) -> Tokens:
        """The token vectors of a segment, mapped, after its checksum."""
        path = self.folder / SEGMENTS / record.name
        check_file(path, record.bytes, record.sha256)
        with missing_is_corrupt(path):
            return read_tokens(path, record.rows)

    def load_flat(self, record: SegmentRecord, dimension: int) -> Flat:
        """The FAISS index of a segment, after its checksum."""
        path = self.folder / SEGMENTS / record.name
        check_file(path, record.bytes, record.sha256)
        with missing_is_corrupt(path):
            return read_flat(path, record.rows, dimension)

    def load_accelerator(self, catalog: Catalog, record: AnnRecord) -> Accelerator:
        """An accelerator of the index, after its checksum; none of its rows counts as deleted yet."""
        from ragembed.index.ann import ANN_TYPES
        from ragembed.index.ann.accelerator import Accelerator
        from ragembed.index.ann.file import read_index

        segment = next((s for s in catalog.segments() if s.name == record.segment), None)
        if segment is None or not segment.accelerates:
            raise CorruptError(
                f"the accelerator {record.segment} is missing", "run: ragembed verify INDEX --repair"
            )
        path = self.folder / SEGMENTS / segment.name
        check_file(path, segment.bytes, segment.sha256)
        try:
            kind = ANN_TYPES.create(record.spec)
            rows = decode_runs(segment.runs, segment.rows, segment.name)
            with missing_is_corrupt(path):
                index = read_index(path, record.faiss_bytes, kind, record.space, len(rows))
        except SpecError as error:
            raise CorruptError(
                f"{segment.name} is of a type that cannot be used ({error.fault})",
                "run: ragembed verify INDEX --repair",
            ) from error
        return Accelerator(kind, record.space, index, rows, record.settings)

    def load_probes(self, record: AnnRecord) -> Dense:
        """The queries (n, dimension) that an accelerator's recall is measured by."""
        from ragembed.index.ann.file import read_probes

        path = self.folder / SEGMENTS / record.segment
        with missing_is_corrupt(path):
            return read_probes(path, record.faiss_bytes, record.probes, record.dimension)


def _is_free(folder: Path) -> bool:
    """Whether `folder` holds nothing but, at most, what an interrupted `Store.create` left."""
    return folder.is_dir() and all(
        (path.name in (SEGMENTS, EMBEDDERS) and path.is_dir() and not any(path.iterdir()))
        or path.name == LOCK_NAME
        or path.name.startswith(f"{CATALOG_NAME}.tmp")
        for path in folder.iterdir()
    )
