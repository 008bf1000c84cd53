"""Reading a file as a sync would read it now: what it gives, or why it gives nothing. Nothing is written."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from ragembed.index.records import FileRecord
from ragembed.read import Failure, ReadOptions, Report, Source, read
from ragembed.read.names import on_disk
from ragembed.types import Document


@dataclass(frozen=True, slots=True)
class Reread:
    """What a file gives today."""

    documents: tuple[Document, ...]
    failures: tuple[str, ...]
    skipped: str
    """Why it was passed over without an error, as `ragembed index` counts it: ``empty``, ``binary`` ...; or nothing."""


def options_of(record: FileRecord | None) -> ReadOptions:
    """How a file was read; the default where nothing is recorded."""
    try:
        values: dict[str, Any] = json.loads(record.options) if record else {}
    except ValueError:
        return ReadOptions()
    known = {field.name for field in fields(ReadOptions)}
    arguments: dict[str, Any] = {key: value for key, value in values.items() if key in known}
    if "text_fields" in arguments:
        arguments["text_fields"] = tuple(arguments["text_fields"])
    return ReadOptions(**arguments)


def reread(path: str, identifier: str, options: ReadOptions) -> Reread:
    """Read the file at `path`, whose documents' ids begin with `identifier`."""
    place = Path(on_disk(path))
    try:
        info = place.stat()
    except OSError as error:
        return Reread((), (f"file cannot be looked at ({error.strerror}); check that it is there",), "")
    source = Source(str(place), identifier, info.st_size, info.st_mtime_ns)
    report = Report()
    documents: list[Document] = []
    failures: list[str] = []
    for item in read(source, options, report):
        if isinstance(item, Failure):
            failures.append(item.reason if item.where == identifier else f"{item.where}: {item.reason}")
        else:
            documents.append(item)
    return Reread(tuple(documents), tuple(failures), next(iter(report.skipped), ""))


def changed(record: FileRecord) -> bool:
    """Whether a file has other content than when it was read; not, where it cannot be looked at."""
    place = Path(on_disk(record.path))
    try:
        info = place.stat()
        if (info.st_size, info.st_mtime_ns) == (record.size, record.mtime_ns):
            return False
        with place.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() != record.hash
    except OSError:
        return False


def holds_document(record: FileRecord, identifier: str) -> bool:
    """Whether a file of rows holds a document of that id today."""
    found = reread(record.path, record.id, options_of(record))
    return any(document.id == identifier for document in found.documents)


def is_file(path: str) -> bool:
    """Whether there is a file of that path, as the catalog writes it, that may be looked at."""
    try:
        return Path(on_disk(path)).is_file()
    except OSError:
        return False
