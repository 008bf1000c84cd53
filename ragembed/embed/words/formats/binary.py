"""word2vec's binary file: a first line as in text, then each word, a space, and its numbers as float32."""

from __future__ import annotations

import numpy as np

from ragembed.embed.base import Dense
from ragembed.embed.words.formats.collect import LONGEST_WORD, Collector, Found
from ragembed.embed.words.formats.npy import Store
from ragembed.embed.words.formats.rows import trailing_numbers
from ragembed.embed.words.formats.source import Source
from ragembed.embed.words.formats.text import header_of

_UNIT = "word"
_BLOCK = 1 << 23
_CHECKED = 1 << 16
_LINES = 10


def looks_binary(source: Source) -> bool:
    """Whether the lines after a header are no words with numbers, and not even text."""
    header = header_of(source)
    if header is None:
        return False
    data = source.peek(_CHECKED)
    body = data[data.index(b"\n") + 1 :]
    lines = [line for line in body.split(b"\n") if line.strip()]
    if len(data) < _CHECKED and _ends_as_promised(body, *header):
        return not all(trailing_numbers(line) >= header[1] for line in lines)
    if any(trailing_numbers(line) >= header[1] for line in lines[:_LINES]):
        return False
    numbers = body.partition(b" ")[2]
    return any(byte < 9 or 13 < byte < 32 or byte > 126 for byte in numbers)


def _ends_as_promised(body: bytes, words: int, dimension: int) -> bool:
    """Whether `body` is that many words with their numbers and nothing more: few numbers may all look like text."""
    at = 0
    for _ in range(words):
        space = body.find(b" ", at)
        at = space + 1 + 4 * dimension
        if space < 0 or at > len(body):
            return False
    return not body[at:].strip(b"\n")


def read_binary(source: Source, store: Store, limit: int | None = None) -> Found:
    """All words of a binary file, or the first `limit`; it must hold what its first line promises."""
    promised, dimension = header_of(source) or (0, 0)
    collector = Collector(source.path, store, dimension, limit)
    source.read(source.peek(_CHECKED).index(b"\n") + 1)
    wanted = promised if limit is None else min(promised, limit)
    source.expect(
        wanted * (4 * dimension + 1), f"{wanted} words of {dimension} numbers, as promised at its start,"
    )
    rest, number = b"", 0
    while number < promised and not collector.full:
        block = source.read(max(_BLOCK, 8 * dimension))
        if not block:
            raise source.cut_off(f"its first line promises {promised} words, {number} are there")
        data = rest + block
        words, vectors, end = _cut(source, data, dimension, promised - number, number)
        collector.count(len(words))
        collector.add(words, vectors, range(number + 1, number + len(words) + 1), _UNIT)
        number += len(words)
        rest = data[end:]
    beyond = 0 if number < promised else len(rest.lstrip(b"\n")) + (source.left or 0)
    warnings = {"bytes_beyond_header": beyond} if beyond else {}
    return collector.finish({"format": "word2vec binary", "warnings": warnings}, _UNIT)


def _cut(
    source: Source, data: bytes, dimension: int, most: int, before: int
) -> tuple[list[bytes], Dense, int]:
    """The words that are whole in `data`, their vectors, and where the next one begins."""
    size = 4 * dimension
    words: list[bytes] = []
    numbers: list[bytes] = []
    at, find = 0, data.find
    while len(words) < most:
        space = find(b" ", at, at + LONGEST_WORD + 2)
        if space < 0:
            if len(data) - at > LONGEST_WORD + 1:
                raise source.cut_off(
                    f"word {before + len(words) + 1} does not end within {LONGEST_WORD} bytes"
                )
            break
        end = space + 1 + size
        if end > len(data):
            break
        words.append(data[at:space])
        numbers.append(data[space + 1 : end])
        at = end
    vectors = np.frombuffer(b"".join(numbers), "<f4").astype(np.float32, copy=False).reshape(-1, dimension)
    return [word.lstrip(b"\n") for word in words], vectors, at
