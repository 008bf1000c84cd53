"""`ragembed.embed.words.formats.rows.parse_block` compiled by numba (extra ``fast``): several times as fast.

A number is read as an integer of up to 19 digits and a power of ten. Their quotient in float64 is off by less than
two units in its last place, which decides the float32 unless it lies that near to the middle between two; then, and
for whatever is no plain decimal, the line is left to `parse_line`.
"""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Callable
from typing import Any

import numpy as np

from ragembed.embed.words.formats.rows import Parsed, assembled

_MOST_DIGITS = 19
"""Digits that an unsigned integer of 64 bits holds whatever they are."""
_LARGEST_POWER = 60
_POWERS = np.array([float(f"1e{power}") for power in range(_LARGEST_POWER + 1)])
_SMALLEST, _LARGEST = 1e-37, 1e38
"""Between them float32 has all its digits."""
_BELOW, _HALF, _UNSURE = (1 << 29) - 1, 1 << 28, 8
"""Of a float64, the bits that a float32 lacks; the middle between two float32; what is too near to it."""


@functools.cache
def available() -> bool:
    """Whether numba is installed."""
    return importlib.util.find_spec("numba") is not None


def parse_block_compiled(block: bytes, dimension: int) -> Parsed:
    """As `parse_block`, and the same to the last bit."""
    data = np.frombuffer(block, np.uint8)
    count = block.count(b"\n") + (bool(block) and not block.endswith(b"\n"))
    vectors = np.empty((count, dimension), np.float32)
    starts, word_ends, ends = (np.empty(count, np.int64) for _ in range(3))
    plain = np.zeros(count, np.bool_)
    compiled()(data, _POWERS, vectors, starts, word_ends, ends, plain)
    begins = starts.tolist()
    words = [block[start:end] for start, end in zip(begins, word_ends.tolist(), strict=True)]
    if plain.all():
        return Parsed(count, words, vectors, list(range(count)), [])
    lines = _OddLines(block, begins, ends.tolist())
    return assembled(lines, words, vectors, plain)


class _OddLines(list[bytes]):
    """The lines of a block, cut when they are looked at: few are."""

    def __init__(self, block: bytes, starts: list[int], ends: list[int]) -> None:
        super().__init__()
        self._block, self._starts, self._ends = block, starts, ends

    def __len__(self) -> int:
        return len(self._starts)

    def __getitem__(self, at: Any) -> Any:
        return self._block[self._starts[at] : self._ends[at]]


def ready() -> bool:
    """Whether the compiled parser can be used: numba is installed, and has a place for what it compiles."""
    try:
        return available() and bool(compiled())
    except (ImportError, OSError, RuntimeError):
        return False


@functools.cache
def compiled() -> Callable[..., Any]:
    """The loop over the bytes of a block."""
    from numba import njit

    @njit(nogil=True, cache=True)
    def run(data, powers, vectors, starts, word_ends, ends, plain):  # type: ignore[no-untyped-def]
        bits = np.zeros(1, np.float64)
        as_integer = bits.view(np.uint64)
        size = np.uint64(len(data))
        dimension = vectors.shape[1]
        at = np.uint64(0)
        one = np.uint64(1)
        for line in range(len(starts)):
            starts[line] = at
            while at < size and data[at] != 32 and data[at] != 10:
                at += one
            word_ends[line] = at
            begin = np.uint64(starts[line])
            good = at > begin and data[begin] != 9 and data[begin] != 13
            good = good and data[at - one] != 9 and data[at - one] != 13
            column = 0
            while good and column < dimension:
                if at >= size or data[at] != 32:
                    good = False
                    break
                at += one
                negative = at < size and data[at] == 45
                if negative or (at < size and data[at] == 43):
                    at += one
                mantissa = np.uint64(0)
                digits, seen, power = 0, 0, 0
                point = False
                while at < size:
                    digit = np.uint64(data[at]) - np.uint64(48)
                    if digit < np.uint64(10):
                        seen += 1
                        if digits < _MOST_DIGITS:
                            mantissa = mantissa * np.uint64(10) + digit
                            digits += mantissa != 0
                            power -= point
                        else:
                            power += not point
                    elif data[at] == 46 and not point:
                        point = True
                    else:
                        break
                    at += one
                if seen == 0:
                    good = False
                    break
                if at < size and (data[at] == 101 or data[at] == 69):
                    at += one
                    minus = at < size and data[at] == 45
                    if minus or (at < size and data[at] == 43):
                        at += one
                    exponent, seen = 0, 0
                    while at < size and data[at] >= 48 and data[at] <= 57 and seen < 5:
                        exponent = exponent * 10 + int(data[at] - 48)
                        seen += 1
                        at += one
                    if seen == 0:
                        good = False
                        break
                    power += -exponent if minus else exponent
                value = np.float64(mantissa)
                if mantissa != 0:
                    if power < -_LARGEST_POWER or power > _LARGEST_POWER:
                        good = False
                        break
                    value = value / powers[-power] if power < 0 else value * powers[power]
                    if value < _SMALLEST or value > _LARGEST:
                        good = False
                        break
                    if mantissa >= np.uint64(1 << 53) or power < -22 or power > 22:
                        bits[0] = value
                        near = np.int64(as_integer[0] & np.uint64(_BELOW)) - _HALF
                        if near <= _UNSURE and near >= -_UNSURE:
                            good = False
                            break
                vectors[line, column] = np.float32(-value if negative else value)
                column += 1
            while good and at < size and data[at] == 32:
                at += one
            if good and at < size and data[at] == 13:
                at += one
            plain[line] = good and (at >= size or data[at] == 10)
            while at < size and data[at] != 10:
                at += one
            ends[line] = at
            at += one

    kernel: Callable[..., Any] = run
    return kernel
