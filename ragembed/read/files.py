"""One file -> its documents. Readers are named as ``"module:function"`` and imported when their format is met."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from ragembed.errors import RagembedError, ReadError
from ragembed.read.base import Failure, Reader, ReadOptions, Report, Source
from ragembed.read.compose import whole
from ragembed.read.container import broken
from ragembed.read.detect import UNKNOWN, detect, looks_binary
from ragembed.read.names import BINARY, suffix
from ragembed.read.walk import StrPath, scan, too_large
from ragembed.types import Document

READERS = {
    "text": "ragembed.read.text:read_text",
    "markdown": "ragembed.read.markdown:read_markdown",
    "rst": "ragembed.read.rst:read_rst",
    "html": "ragembed.read.html:read_html",
    "jsonl": "ragembed.read.json:read_jsonl",
    "json": "ragembed.read.json:read_json",
    "csv": "ragembed.read.csv:read_csv",
    "code": "ragembed.read.code:read_code",
    "notebook": "ragembed.read.notebook:read_notebook",
    "pdf": "ragembed.read.pdf:read_pdf",
    "docx": "ragembed.read.docx:read_docx",
    "pptx": "ragembed.read.pptx:read_pptx",
    "xlsx": "ragembed.read.xlsx:read_xlsx",
    "epub": "ragembed.read.epub:read_epub",
}
"""Readers by format."""

_HALF_PAIR = re.compile("[\ud800-\udfff]")
_HEAD = 1 << 16
"""Bytes that tell whether a file is binary."""


def read_files(
    paths: StrPath | Iterable[StrPath], options: ReadOptions | None = None, report: Report | None = None
) -> Iterator[Document | Failure]:
    """Documents of all files at and below `paths`; what cannot be read is a `Failure`, the others go on."""
    report = Report() if report is None else report
    for item in scan(paths, options, report):
        if isinstance(item, Failure):
            yield item
        else:
            yield from read(item, options, report)


def read(
    source: Source, options: ReadOptions | None = None, report: Report | None = None
) -> Iterator[Document | Failure]:
    """Documents of one file; raises nothing for what is wrong with it, but gives a `Failure` with the reason.

    Binary files, files of unknown format and empty ones are counted in `report`; where the user named the
    file, they are failures.
    """
    options = options or ReadOptions()
    report = Report() if report is None else report
    format_name = "file"
    try:
        data = _load(source, options)
        format_name = detect(source.id, data, options.encoding)
        if format_name == UNKNOWN and source.named and not looks_binary(data):
            format_name = "text"
        if format_name in READERS:
            yield from _with_text(source, _reader(format_name)(source, data, options), report)
        else:
            _leave_out(source, format_name, report)
    except RagembedError as error:
        yield Failure(source.id, str(error))
    except Exception as error:  # noqa: BLE001 - the one place where a parser's own error becomes a reason
        yield Failure(source.id, str(broken(format_name, error)))


def _load(source: Source, options: ReadOptions) -> bytes:
    """The bytes of a file; of a binary one only as many as show that it is."""
    try:
        with source.path.open("rb") as file:
            data = file.read(_HEAD)
            if len(data) == _HEAD and (options.encoding or detect(source.id, data) != BINARY):
                file.seek(0)
                data = file.read(options.max_bytes + 1)
    except OSError as error:
        fault = f"file cannot be opened ({error.strerror})"
        raise ReadError(fault, "check that it is there and may be read") from error
    if len(data) > options.max_bytes:
        raise too_large(max(source.size, len(data)), options.max_bytes)
    return data


def _reader(format_name: str) -> Reader:
    module, _, function = READERS[format_name].partition(":")
    reader: Reader = getattr(importlib.import_module(module), function)
    return reader


def _with_text(
    source: Source, items: Iterator[Document | Failure], report: Report
) -> Iterator[Document | Failure]:
    """Those of `items` that hold text, all of it fit to be stored."""
    given = 0
    for item in items:
        if isinstance(item, Failure) or (item.text and not item.text.isspace()):
            given += 1
            yield item if isinstance(item, Failure) else _encodable(item)
        elif item.id != source.id:
            report.skip("empty row")
    if not given:
        _leave_out(source, "empty", report)


def _leave_out(source: Source, why: str, report: Report) -> None:
    """Count a file that gives no document; where the user named it, raise instead."""
    if source.named and why in (BINARY, UNKNOWN):
        raise ReadError("file is binary and of no known format", "convert it to text first, or leave it out")
    if source.named:
        raise ReadError("file holds no text", "leave it out")
    report.skip(f"unknown format .{suffix(source.id)}" if why == UNKNOWN else why)


def _encodable(document: Document) -> Document:
    """`document` with U+FFFD for halves of surrogate pairs, which JSON can hold and UTF-8 cannot."""
    if all(text.isascii() or not _HALF_PAIR.search(text) for text in (document.id, document.text)):
        return document
    return replace(document, id=whole(document.id), text=whole(document.text))
