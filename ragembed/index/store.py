"""An index on disk: opened for reading as a snapshot, written in transactions that end in the catalog.

Order of a write: segment files first (temporary name, fsync, rename), then one SQLite transaction that names them.
Before it nothing has happened, after it everything has; a crash leaves files that nothing names, which the next
writer sweeps away.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ragembed.embed.base import Dense
from ragembed.errors import CorruptError, NotAnIndexError, StoreError
from ragembed.index.arrays import encode_arrays, map_arrays
from ragembed.index.catalog import CATALOG_NAME, Catalog, FileRecord, SegmentRecord, database_errors
from ragembed.index.files import check_file, durable_file, missing_is_corrupt, sync_folder
from ragembed.index.lock import write_lock
from ragembed.index.merge import merge_postings, tail_to_merge
from ragembed.index.postings import Postings
from ragembed.types import Chunk, Document

SEGMENTS = "segments"
EMBEDDERS = "embedders"

Vectors = Postings | Dense


@dataclass(frozen=True, slots=True)
class Entry:
    """A document to store with its chunks; `file` is the absolute path that it was read from."""

    document: Document
    chunks: Sequence[Chunk]
    digest: str
    file: str | None = None


class Store:
    """The folder of one index."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.catalog = Catalog(folder)

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
            catalog = Catalog(folder, create=settings)
        except OSError as error:
            raise StoreError(
                f"{folder} cannot be made ({error.strerror})", "name a folder you may write to"
            ) from error
        catalog.close()
        sync_folder(folder)
        for made in missing:
            with contextlib.suppress(PermissionError):  # a folder may let us make names that it does not list
                sync_folder(made.parent)
        return cls(folder)

    def close(self) -> None:
        """Close the catalog."""
        self.catalog.close()

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[Catalog]:
        """The catalog with one unchanging state of everything it says, for as long as the context lasts."""
        with database_errors(self.catalog.path):
            self.catalog.db.execute("BEGIN")
            try:
                yield self.catalog
            finally:
                _roll_back(self.catalog)

    @contextlib.contextmanager
    def writing(self) -> Iterator[Writer]:
        """The one writer of this index; another process that writes raises `LockedError`."""
        try:
            (self.folder / SEGMENTS).mkdir(exist_ok=True)
        except OSError as error:
            raise StoreError(
                f"{self.folder} cannot be written ({error.strerror})", "check its permissions"
            ) from error
        with database_errors(self.catalog.path), write_lock(self.folder):
            writer = Writer(self)
            writer.sweep()
            yield writer

    def load_postings(self, record: SegmentRecord) -> Postings:
        """The postings of a segment, after its checksum."""
        path = self.folder / SEGMENTS / record.name
        check_file(path, record.bytes, record.sha256)
        with missing_is_corrupt(path):
            postings = Postings.from_arrays(map_arrays(path))
        if postings.size != record.rows:
            raise CorruptError(
                f"{path.name} holds {postings.size} documents, the catalog says {record.rows}",
                "run: ragembed verify INDEX",
            )
        return postings

    def load_flat(self, record: SegmentRecord, dimension: int) -> Any:
        """The FAISS index of a segment, after its checksum."""
        from ragembed.index.dense import read_flat

        path = self.folder / SEGMENTS / record.name
        check_file(path, record.bytes, record.sha256)
        with missing_is_corrupt(path):
            return read_flat(path, record.rows, dimension)


class Writer:
    """Writes to an index whose lock is held."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.catalog = store.catalog

    def sweep(self) -> None:
        """Remove files that the catalog does not name: what a crash left, and segments that were merged."""
        named = {record.name for record in self.catalog.segments()}
        for path in (self.store.folder / SEGMENTS).iterdir():
            if path.name not in named:
                path.unlink(missing_ok=True)

    def settle(self, settings: dict[str, Any]) -> None:
        """Change settings in a transaction of their own."""
        with _transaction(self.catalog):
            for key, value in settings.items():
                self.catalog.set(key, value)

    def commit(
        self,
        entries: Sequence[Entry],
        vectors: Sequence[Vectors],
        files: Sequence[FileRecord] = (),
        delete: Sequence[str] = (),
        forget: Sequence[str] = (),
    ) -> None:
        """Make one batch permanent.

        `vectors` holds for each embedder the postings or vectors of all chunks of `entries`, in their order;
        documents of the same ids are replaced. `delete` names documents and `forget` files that are gone.
        """
        first_row = self.catalog.next_row()
        count = sum(len(entry.chunks) for entry in entries)
        records = [self._write(n, part, first_row, count) for n, part in enumerate(vectors)] if count else []
        with _transaction(self.catalog):
            self.catalog.delete_documents([*delete, *(entry.document.id for entry in entries)])
            row = first_row
            for entry in entries:
                row = self.catalog.put_document(entry.document, entry.file, entry.digest, entry.chunks, row)
            for record in records:
                self.catalog.put_segment(record)
            for file in files:
                self.catalog.put_file(file)
            for path in forget:
                self.catalog.delete_file(path)

    def merge(self, dimensions: Sequence[int | None]) -> None:
        """Merge small segments at the end of each embedder's list, so that their number stays logarithmic."""
        for number, dimension in enumerate(dimensions):
            records = [record for record in self.catalog.segments() if record.embedder == number]
            tail = tail_to_merge(records)
            if len(tail) < 2:
                continue
            first_row, rows = tail[0].first_row, sum(record.rows for record in tail)
            if dimension is None:
                postings = merge_postings([self.store.load_postings(record) for record in tail])
                new = self._write_postings(number, postings, first_row)
            else:
                from ragembed.index.dense import merge_flat

                parts = (self.store.load_flat(record, dimension) for record in tail)
                new = self._write_flat(number, merge_flat(parts, rows, dimension), first_row)
            with _transaction(self.catalog):
                for record in tail:
                    self.catalog.delete_segment(record.name)
                self.catalog.put_segment(new)
        self.sweep()

    def _write(self, embedder: int, vectors: Vectors, first_row: int, rows: int) -> SegmentRecord:
        size = vectors.size if isinstance(vectors, Postings) else len(vectors)
        if size != rows:
            raise StoreError(
                f"embedder {embedder} gave {size} vectors for {rows} chunks", "the embedder is broken"
            )
        if isinstance(vectors, Postings):
            return self._write_postings(embedder, vectors, first_row)
        from ragembed.index.dense import flat_index

        return self._write_flat(embedder, flat_index(vectors), first_row)

    def _write_postings(self, embedder: int, postings: Postings, first_row: int) -> SegmentRecord:
        name = _new_name(embedder, first_row, ".safetensors")
        with durable_file(self.store.folder / SEGMENTS / name) as file:
            file.write(encode_arrays(postings.to_arrays()))
        return SegmentRecord(name, embedder, "postings", first_row, postings.size, file.size, file.sha256)

    def _write_flat(self, embedder: int, index: Any, first_row: int) -> SegmentRecord:
        from ragembed.index.dense import write_flat

        name = _new_name(embedder, first_row, ".faiss")
        with durable_file(self.store.folder / SEGMENTS / name) as file:
            write_flat(index, file.write)
        return SegmentRecord(name, embedder, "flat", first_row, index.ntotal, file.size, file.sha256)


def _new_name(embedder: int, first_row: int, suffix: str) -> str:
    return f"{first_row:012d}-{embedder}-{secrets.token_hex(4)}{suffix}"


def _is_free(folder: Path) -> bool:
    """Whether `folder` holds nothing but, at most, the empty folders that `Store.create` begins with."""
    return folder.is_dir() and all(
        path.name in (SEGMENTS, EMBEDDERS) and path.is_dir() and not any(path.iterdir())
        for path in folder.iterdir()
    )


@contextlib.contextmanager
def _transaction(catalog: Catalog) -> Iterator[None]:
    catalog.db.execute("BEGIN IMMEDIATE")
    try:
        yield
        catalog.set("generation", catalog.generation() + 1)  # tells readers to look again
        catalog.db.execute("COMMIT")
    except BaseException:
        _roll_back(catalog)
        raise


def _roll_back(catalog: Catalog) -> None:
    if catalog.db.in_transaction:  # some errors, such as a full disk, have SQLite do it
        catalog.db.execute("ROLLBACK")
