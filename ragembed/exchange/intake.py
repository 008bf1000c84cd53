"""The lines of an export as documents with their chunks, each checked in itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ragembed.exchange.manifest import CHUNKS, DOCUMENTS, FILES
from ragembed.exchange.records import Line, read_objects
from ragembed.index.content import chunk_digest
from ragembed.index.records import FileRecord
from ragembed.index.writer import Entry
from ragembed.types import Chunk, Document


@dataclass(frozen=True, slots=True)
class Intake:
    """A document as it can be stored, and the lines that it comes from."""

    entry: Entry
    document: Line
    chunks: list[Line]

    @property
    def size(self) -> int:
        """Bytes of all the lines."""
        return self.document.size + sum(line.size for line in self.chunks)


def read_documents(folder: Path) -> Iterator[Intake]:
    """All documents, each with its chunks, which must stand in the order of their documents."""
    chunks = read_objects(folder / CHUNKS)
    ahead = next(chunks, None)
    for line in read_objects(folder / DOCUMENTS):
        document = Document(line.text("id"), "", line.metadata())
        lines = []
        while ahead is not None and ahead.text("document_id") == document.id:
            lines.append(ahead)
            ahead = next(chunks, None)
        made = [_chunk(line) for line in lines]
        digests = [chunk_digest(chunk) for chunk in made]
        entry = Entry(document, made, digests, line.digest("hash"), line.optional_text("file"))
        yield Intake(entry, line, lines)
    if ahead is not None:
        ahead.fail(
            f"its document {ahead.text('document_id')!r} is not there, or its turn was before:"
            f" chunks stand in the order of {DOCUMENTS}"
        )


def read_files(folder: Path) -> Iterator[tuple[FileRecord, Line]]:
    """What the index knows of the files that it was read from."""
    for line in read_objects(folder / FILES):
        digest = line.text("hash") and line.digest("hash")  # "" where a file was not read to its end
        times = line.integer("size", -1), line.integer("mtime_ns", -(1 << 63))
        yield FileRecord(line.text("path"), line.text("id"), *times, digest, line.text("options")), line


def _chunk(line: Line) -> Chunk:
    text, start, end = line.text("text"), line.integer("start"), line.integer("end")
    if not text or end - start != len(text):
        line.fail(f"it goes from {start} to {end}, but its text has {len(text)} characters")
    return Chunk(line.text("id"), line.text("document_id"), text, start, end, line.metadata())
