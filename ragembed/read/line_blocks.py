"""Texts of one line each, read a block at a time, so that a file may be larger than memory.

What is UTF-8 is streamed; a file in another encoding, or whose lines end in a bare carriage return, is read as a whole.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from ragembed.errors import ReadError
from ragembed.read.encoding import decode

LINES = 4096
"""Most lines of a block."""
_BYTES = 1 << 22
"""Bytes after which a block ends, so that long lines make short blocks."""
_SAMPLE = 1 << 20


@dataclass(frozen=True, slots=True)
class Survey:
    """What one look at a file tells."""

    streams: bool
    """Whether its lines can be read one after the other."""
    lines: int


def survey(path: Path) -> Survey:
    """Read a file once without keeping it: is it UTF-8, and how many lines does it have?"""
    decoder = codecs.getincrementaldecoder("utf-8")()
    lines, last, returns = 0, b"", False
    with path.open("rb") as file:
        try:
            while data := file.read(_SAMPLE):
                decoder.decode(data)
                lines += data.count(b"\n")
                returns = returns or b"\r" in data
                last = data[-1:]
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return Survey(False, 0)
    whole = returns and not lines
    return Survey(not whole, lines + (last not in (b"", b"\n")))


def blocks_of_file(path: Path, found: Survey) -> Iterator[list[str]]:
    """The lines of a file as `survey` found it."""
    with path.open("rb") as file:
        yield from _blocks(file, str(path)) if found.streams else [_all(file.read())]


def blocks_of_stream(file: BinaryIO, name: str) -> Iterator[list[str]]:
    """The lines of what can be read but once; what its encoding is shows in its first megabyte.

    Raises `ReadError` where what began as UTF-8 goes on as something else.
    """
    start = file.read(_SAMPLE)
    try:
        codecs.getincrementaldecoder("utf-8")().decode(start, final=len(start) < _SAMPLE)
    except UnicodeDecodeError:
        streams = False
    else:
        streams = b"\n" in start
    yield from _blocks(file, name, start) if streams else [_all(start + file.read())]


def _blocks(file: BinaryIO, name: str, start: bytes = b"") -> Iterator[list[str]]:
    begun = _split(start)
    if begun and not begun[-1].endswith(b"\n"):
        begun[-1] += file.readline()
    block: list[str] = []
    size = 0
    for number, raw in enumerate(chain(begun, file), 1):
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError as error:
            raise ReadError(
                f"{name} line {number} is not UTF-8, as those before it are",
                "convert it, or give it as a file",
            ) from error
        if number == 1:
            text = text.removeprefix("\ufeff")
        block.append(text.removesuffix("\n").removesuffix("\r").replace("\0", "\ufffd"))
        size += len(raw)
        if len(block) == LINES or size >= _BYTES:
            yield block
            block, size = [], 0
    if block:
        yield block


def _split(data: bytes) -> list[bytes]:
    """At line feeds alone."""
    lines = [line + b"\n" for line in data.split(b"\n")]
    lines[-1] = lines[-1][:-1]
    return lines if lines[-1] else lines[:-1]


def _all(data: bytes) -> list[str]:
    text = decode(data).text.removesuffix("\n")
    return [line.removesuffix("\r") for line in text.split("\n")] if text else []
