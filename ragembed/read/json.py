"""JSON Lines, and JSON: an array's objects are rows, anything else is flattened to ``key: value`` lines."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from ragembed.errors import ReadError
from ragembed.read.base import Failure, ReadOptions, Source
from ragembed.read.compose import make_document
from ragembed.read.encoding import decode
from ragembed.read.rows import Rows, has_text
from ragembed.types import Document

_DECODER = json.JSONDecoder(parse_constant=lambda name: None)  # NaN and the infinities are no JSON
_SPACE = re.compile(r"[ \t\r\n]*")
_FAULTS = (ValueError, RecursionError)


def read_jsonl(source: Source, data: bytes, options: ReadOptions) -> Iterator[Document | Failure]:
    """One document per line; a line that is no JSON object is a failure, and the others go on."""
    decoded = decode(data, options.encoding)
    rows = Rows(source, options, "jsonl")
    for number, line in enumerate(_lines(decoded.text), start=1):
        if not line.strip():
            continue
        try:
            row = _DECODER.decode(line)
        except _FAULTS as error:
            yield rows.failure(number, f"line is no JSON ({_fault(error)}); mend or remove it")
            continue
        yield rows.document(row, number, **decoded.metadata)


def read_json(source: Source, data: bytes, options: ReadOptions) -> Iterator[Document | Failure]:
    """The objects of an array as rows, with the line that each begins in; else one document."""
    decoded = decode(data, options.encoding)
    text = decoded.text
    start = _skip(text, 0)
    if text.startswith("[", start) and text.startswith("{", _skip(text, start + 1)):
        yield from _array(source, text, start + 1, options, decoded.metadata)
        return
    try:
        value = _DECODER.decode(text)
    except _FAULTS as error:
        raise ReadError(f"file is no JSON ({_fault(error)})", "mend it, or exclude it") from error
    if isinstance(value, dict) and (options.text_fields or has_text(value)):
        yield _only_row(source, value, options, decoded.metadata)
    else:
        yield make_document(source, "\n".join(_flatten(value)), "json", **decoded.metadata)


def _array(
    source: Source, text: str, at: int, options: ReadOptions, metadata: dict[str, Any]
) -> Iterator[Document | Failure]:
    """Elements one after the other, so that a large array is never in memory as objects."""
    rows = Rows(source, options, "json")
    line, counted = 1, 0
    number = 0
    while True:
        at = _skip(text, at)
        line, counted = line + text.count("\n", counted, at), at
        if text.startswith("]", at) and _skip(text, at + 1) == len(text):
            return
        if number:
            if not text.startswith(",", at):
                yield rows.failure(line, "array is broken here (no ',' or ']'); mend it")
                return
            at = _skip(text, at + 1)
            line, counted = line + text.count("\n", counted, at), at
        number += 1
        try:
            row, at = _DECODER.raw_decode(text, at)
        except _FAULTS as error:
            yield rows.failure(line, f"array is broken here ({_fault(error)}); mend it")
            return
        yield rows.document(row, line, number, **metadata)


def _only_row(
    source: Source, value: dict[str, Any], options: ReadOptions, metadata: dict[str, Any]
) -> Document | Failure:
    """A file that is one object with a text: the document has the file's name, not the object's id."""
    found = Rows(source, options, "json").document(value, 1, **metadata)
    if isinstance(found, Failure):
        return Failure(source.id, found.reason)
    metadata = {key: value for key, value in found.metadata.items() if key != "line"}
    return Document(source.id, found.text, metadata)


def _flatten(value: Any) -> Iterator[str]:
    """Lines ``a.b: value`` for all scalars, in order."""
    stack: list[tuple[str, Any]] = [("", value)]
    while stack:
        path, item = stack.pop()
        if isinstance(item, dict):
            stack.extend((f"{path}.{key}" if path else key, inner) for key, inner in reversed(item.items()))
        elif isinstance(item, list):
            stack.extend((path, inner) for inner in reversed(item))
        elif item is not None and item != "":
            text = item if isinstance(item, str) else json.dumps(item)
            yield f"{path}: {text}" if path else text


def _lines(text: str) -> Iterator[str]:
    start = 0
    while start < len(text):
        end = text.find("\n", start)
        end = len(text) if end == -1 else end
        yield text[start:end]
        start = end + 1


def _skip(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at


def _fault(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg.removesuffix(' at')} at column {error.colno}"
    return "it nests too deep" if isinstance(error, RecursionError) else str(error).partition(";")[0]
