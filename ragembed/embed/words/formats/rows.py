"""Lines of text -> words and their numbers, each the float32 nearest to what ``float()`` reads.

A line is a word, a space or tab, and as many numbers as the vectors have. Words may hold spaces (GloVe's
Common Crawl vectors have some), so the numbers are counted from the end; but a word that ends in a number after a
space cannot be told from a line with a number too many, and is odd.

`parse_line` is the plain version, and decides whatever is not plain; `parse_block` takes the plain lines of a block
at once with numpy, and `ragembed.embed.words.formats.rows_compiled` does the same several times as fast.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ragembed.embed.base import Dense

NUMBER = re.compile(
    rb"[+-]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|nan|inf(?:inity)?)", re.IGNORECASE
)
_NOT_PLAIN = (b"  ", b"\t", b"\v", b"\f", b"\0")
_ENDS = b" \t\r"


@dataclass
class Odd:
    """A line that holds no word with numbers."""

    line: int
    """In its block, from 0."""
    kind: str
    why: str


@dataclass
class Parsed:
    """What a block of lines holds."""

    lines: int
    words: list[bytes]
    vectors: Dense
    """``(words, dimension)``"""
    numbers: list[int]
    """The line of each word in the block, from 0."""
    odd: list[Odd]


Parse = Callable[[bytes, int], Parsed]


def parse_line(line: bytes, dimension: int) -> tuple[bytes, list[float]] | tuple[None, str, str]:
    """The word and the numbers of one line; or None, of which kind the line is, and what is wrong with it."""
    stripped = line.rstrip(_ENDS)
    if not stripped.strip(_ENDS):
        return None, "blank_lines", "it is blank"
    word, *fields = split_from_end(stripped, dimension)
    found = trailing_numbers(stripped)
    if len(fields) != dimension:
        return None, "wrong_columns", f"{_numbers(found)} where {dimension} belong"
    for field in fields:
        if NUMBER.fullmatch(field) is None:
            why = f"{field[:30].decode('utf-8', 'replace')!r} is no number"
            return (
                None,
                "wrong_columns",
                why if found >= dimension else f"{_numbers(found)} where {dimension} belong",
            )
    if not word:
        return None, "wrong_columns", f"{_numbers(len(fields))} and no word"
    if ends_in_number(word):
        return None, "wrong_columns", f"{_numbers(found)} where {dimension} belong"
    return word, [float(field) for field in fields]


def split_from_end(line: bytes, count: int) -> list[bytes]:
    """The word, and up to `count` fields between spaces and tabs, found from the end."""
    parts = _FIELDS.split(line)
    if len(parts) <= count:
        return [b"", *(part for part in parts if part)]
    fields = parts[len(parts) - count :]
    head = line
    for field in reversed(fields):
        head = head.rstrip(_ENDS)[: -len(field)]
    return [head.strip(_ENDS), *fields]


_FIELDS = re.compile(rb"[ \t]+")


def ends_in_number(word: bytes) -> bool:
    """Whether the last part of a word with spaces reads as a number."""
    parts = _FIELDS.split(word)
    return len(parts) > 1 and NUMBER.fullmatch(parts[-1]) is not None


def trailing_numbers(line: bytes) -> int:
    """How many numbers stand at the end of `line`, its first field left out."""
    found = 0
    for field in reversed(_FIELDS.split(line.strip(_ENDS))[1:]):
        if NUMBER.fullmatch(field) is None:
            break
        found += 1
    return found


def parse_block(block: bytes, dimension: int) -> Parsed:
    """Every line of `block`, plain ones with numpy's parser."""
    lines = block.split(b"\n")
    if lines[-1] == b"":
        lines.pop()
    words, texts, plain = [], [], []
    all_plain = is_plain(block)
    for number, line in enumerate(lines):
        word, _, text = line.partition(b" ")
        text = text.rstrip(b" \r")
        words.append(word)
        if (
            word.strip(_ENDS) == word != b""
            and text  # numpy's parser passes over what is empty, or warns
            and text.count(b" ") == dimension - 1
            and (all_plain or is_plain(text))
        ):
            plain.append(number)
            texts.append(text.decode("latin1"))
    read = np.zeros(len(lines), np.bool_)
    vectors = np.empty((len(lines), dimension), np.float32)
    if texts:
        values = np.empty((len(texts), dimension), np.float32)
        read[plain] = _read_plain(texts, values)
        vectors[plain] = values
    return assembled(lines, words, vectors, read)


def is_plain(text: bytes) -> bool:
    """Whether `text` has no white space but single spaces and line ends."""
    return not any(part in text for part in _NOT_PLAIN) and text.count(b"\r") == text.count(b"\r\n")


def assembled(lines: list[bytes], words: list[bytes], vectors: Dense, plain: NDArray[np.bool_]) -> Parsed:
    """All of a block: lines that were not read as `plain` ones go through `parse_line`."""
    odd = []
    for number in np.flatnonzero(~plain).tolist():
        found = parse_line(lines[number], vectors.shape[1])
        if found[0] is None:
            odd.append(Odd(number, found[1], found[2]))
            continue
        words[number] = found[0]
        with np.errstate(over="ignore"):  # infinity, which is counted as such
            vectors[number] = found[1]
        plain[number] = True
    kept = np.flatnonzero(plain).tolist()
    if len(kept) < len(lines):
        words, vectors = [words[number] for number in kept], vectors[plain]
    return Parsed(len(lines), words, vectors, kept, odd)


def _read_plain(texts: list[str], vectors: Dense) -> NDArray[np.bool_]:
    """Read each of `texts` into its row of `vectors`; whether it is that many finite numbers ``(len(texts),)``.

    Where some are not, the halves are read for themselves, so that one odd line costs little.
    """
    try:
        found = np.loadtxt(texts, np.float32, comments=None, delimiter=" ", ndmin=2)
        if found.shape != vectors.shape:  # which numpy would stretch
            raise ValueError(f"{found.shape} where {vectors.shape} belong")
        vectors[:] = found
    except ValueError:
        half = len(texts) // 2
        if not half:
            return np.zeros(1, np.bool_)
        parts = _read_plain(texts[:half], vectors[:half]), _read_plain(texts[half:], vectors[half:])
        return np.concatenate(parts)
    return np.asarray(np.isfinite(vectors).all(axis=1))


def _numbers(count: int) -> str:
    return "1 number" if count == 1 else f"{count} numbers"
