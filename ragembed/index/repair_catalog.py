"""Mending the catalog: what can be derived from other tables is made anew, what cannot is marked to be read again.

A document that lost something gets an empty digest, and its file a record that fits no file: so the next sync reads it
again and replaces what differs. Where even the document is gone, nobody knows of which file it was, so all are read.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

from ragembed.errors import CorruptError
from ragembed.filters.fields import fields
from ragembed.index import check_catalog
from ragembed.index.catalog import Catalog
from ragembed.index.check_segments import next_row, rows_of
from ragembed.index.content import chunk_digest, is_storable
from ragembed.index.problems import RESTORE, STRANGER
from ragembed.index.runs import Rows
from ragembed.index.schema import SCHEMA
from ragembed.types import Chunk

_UNREAD = "size = -1, mtime_ns = -1, hash = ''"


def mend_indexes(catalog: Catalog) -> None:
    """Make SQL indexes anew; raises `CorruptError` where that does not make the database whole, or it is not ours."""
    strange = list(check_catalog.schema(catalog.db))
    if any(not problem.mendable for problem in strange):
        raise CorruptError(f"{catalog.path} has other tables than a catalog of ours", STRANGER)
    for line in SCHEMA.split(";"):
        name = line.split()[2:3]
        if line.split()[:2] == ["CREATE", "INDEX"] and any(f"index: {name[0]}" in p.what for p in strange):
            catalog.db.execute(line)
    found = list(check_catalog.integrity(catalog))
    if any(problem.mendable for problem in found):
        catalog.db.execute("REINDEX")
        found = list(check_catalog.integrity(catalog))
    if found:
        raise CorruptError(found[0].what, RESTORE)


def mend_generation(catalog: Catalog) -> None:
    """Give the number of writes, where it is damaged, a value that no reader has seen."""
    try:
        catalog.generation()
    except CorruptError:
        catalog.put_setting("generation", time.time_ns())


def mend_contents(catalog: Catalog) -> None:
    """Mend documents, chunks, records of files, and the tables that follow from them; inside a transaction."""
    of_documents = check_catalog.document_faults(catalog)
    catalog.db.execute("PRAGMA defer_foreign_keys = ON")
    _delete(catalog, "documents", of_documents.unnamed)
    for row in of_documents.unreadable:
        (encoded,) = catalog.db.execute("SELECT metadata FROM documents WHERE row = ?", (row,)).fetchone()
        if check_catalog.decoded_object(encoded) is None:
            catalog.db.execute("UPDATE documents SET metadata = '{}' WHERE row = ?", (row,))
    of_chunks = check_catalog.chunk_faults(catalog)
    _read_again(catalog, of_documents.unreadable, of_chunks.damaged)
    if of_documents.unnamed or of_chunks.orphaned:
        catalog.db.execute(f"UPDATE files SET {_UNREAD}")
        _mark_incomplete(catalog, of_chunks.orphaned)
    _delete(catalog, "chunks", [*of_chunks.orphaned, *of_chunks.unusable])
    for row in {*of_chunks.unreadable, *of_chunks.misfit, *of_chunks.changed}:
        _mend_chunk(catalog, row)
    _mend_files(catalog)
    if not of_documents.fields_fit or of_documents.unnamed or of_documents.unreadable:
        _mend_fields(catalog)
    scanned = of_documents.scanned | check_catalog.chunk_faults(catalog).scanned
    if check_catalog.scanned_keys(catalog) is None:
        catalog.put_setting(check_catalog.SCANNED, [])
    catalog.add_scanned(scanned)


def mend_rows(catalog: Catalog, held: Rows) -> None:
    """List as dead the rows that segments hold (`held`, of all of them) and no chunk has; inside a transaction.

    One that was not listed may be that of a chunk that was lost. Nobody can tell of which document, so all of them are
    read again by the next sync; what did not change keeps its vectors.
    """
    chunks = set(rows_of(catalog, "chunks").tolist())
    dead = set(held.tolist()) - chunks
    if not dead <= set(rows_of(catalog, "dead").tolist()):
        catalog.db.execute("UPDATE documents SET hash = ''")
        catalog.db.execute(f"UPDATE files SET {_UNREAD}")
    used = [row for row in rows_of(catalog, "dead").tolist() if row < check_catalog.LARGEST_ROW]
    last = max([0, *chunks, *dead, *used])
    if not last < next_row(catalog) < check_catalog.LARGEST_ROW:
        catalog.db.execute("DELETE FROM sqlite_sequence WHERE name = 'chunks'")
        catalog.db.execute("INSERT INTO sqlite_sequence VALUES ('chunks', ?)", (last,))
    catalog.db.execute("DELETE FROM dead")
    catalog.db.executemany("INSERT INTO dead VALUES (?)", ((row,) for row in dead))


def _delete(catalog: Catalog, table: str, rows: Iterable[int]) -> None:
    catalog.db.executemany(f"DELETE FROM {table} WHERE row = ?", ((row,) for row in rows))


def _read_again(catalog: Catalog, documents: Sequence[int], chunks: Sequence[int]) -> None:
    """Have the next sync read those documents, and those of the chunks, again."""
    numbers = set(documents)
    for row in chunks:
        numbers.add(catalog.db.execute("SELECT document FROM chunks WHERE row = ?", (row,)).fetchone()[0])
    for number in numbers:
        catalog.db.execute("UPDATE documents SET hash = '' WHERE row = ?", (number,))
        catalog.db.execute(
            f"UPDATE files SET {_UNREAD} WHERE path = (SELECT file FROM documents WHERE row = ?)", (number,)
        )


def _mark_incomplete(catalog: Catalog, orphaned: Sequence[int]) -> None:
    """Clear the digests of documents that may have had the orphaned chunks: by their ids, or as they have none."""
    for row in orphaned:
        (identifier,) = catalog.db.execute("SELECT id FROM chunks WHERE row = ?", (row,)).fetchone()
        if isinstance(identifier, str) and is_storable(identifier):
            name = identifier.rpartition("::")[0]
            catalog.db.execute("UPDATE documents SET hash = '' WHERE id = ?", (name,))
    catalog.db.execute("UPDATE documents SET hash = '' WHERE row NOT IN (SELECT document FROM chunks)")


def _mend_chunk(catalog: Catalog, row: int) -> None:
    """Keep what can be read of a chunk, and make span and digest fit it."""
    identifier, start, text, encoded = catalog.db.execute(
        "SELECT id, start, text, metadata FROM chunks WHERE row = ?", (row,)
    ).fetchone()
    text = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    metadata = check_catalog.decoded_object(encoded)
    start = start if 0 <= start < 1 << 62 else 0
    chunk = Chunk(identifier, "", text, start, start + len(text), metadata or {})
    catalog.db.execute(
        'UPDATE chunks SET start = ?, "end" = ?, text = ?, metadata = ?, hash = ? WHERE row = ?',
        (chunk.start, chunk.end, text, encoded if metadata is not None else "{}", chunk_digest(chunk), row),
    )


def _mend_files(catalog: Catalog) -> None:
    """Drop records of files that cannot be read, and give each file that has documents a record."""
    for path in check_catalog.damaged_files(catalog):
        raw = path.encode("utf-8", "surrogateescape") if isinstance(path, str) else path
        catalog.db.execute("DELETE FROM files WHERE CAST(path AS BLOB) IS ?", (raw,))
    for file, identifier, encoded in catalog.db.execute(
        "SELECT file, min(id), min(metadata) FROM documents WHERE file IS NOT NULL"
        " AND file NOT IN (SELECT path FROM files) GROUP BY file"
    ).fetchall():
        name = (check_catalog.decoded_object(encoded) or {}).get("path")  # what readers call the file
        record = (file, name if isinstance(name, str) else identifier)
        catalog.db.execute("INSERT INTO files VALUES (?, ?, -1, -1, '', '')", record)


def _mend_fields(catalog: Catalog) -> None:
    catalog.db.execute("DELETE FROM fields")
    for row, encoded in catalog.db.execute("SELECT row, metadata FROM documents").fetchall():
        found = fields(check_catalog.decoded_object(encoded) or {})
        catalog.db.executemany(
            "INSERT INTO fields VALUES (?, ?, ?)",
            ((key, value, row) for key, value in found.rows if not check_catalog.is_nan(value)),
        )
