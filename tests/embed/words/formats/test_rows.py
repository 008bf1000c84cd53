"""Lines into words and numbers: every parser gives what ``float()`` gives, to the last bit."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ragembed.embed.words.formats.rows import Parse, Parsed, parse_block, parse_line
from ragembed.embed.words.formats.rows_compiled import available, parse_block_compiled

PARSERS = [
    parse_block,
    pytest.param(parse_block_compiled, marks=pytest.mark.skipif(not available(), reason="numba")),
]

DIGITS = st.text("0123456789", max_size=25)
NUMBERS = st.one_of(
    st.floats(allow_nan=False, width=32).map(lambda value: repr(float(np.float32(value)))),
    st.floats(allow_nan=False, width=32).map(lambda value: str(np.float32(value))),
    st.floats(allow_nan=False).map(repr),
    st.floats(-9, 9).map(lambda value: f"{value:.5f}"),
    st.tuples(
        st.sampled_from(["", "-", "+"]), DIGITS, st.sampled_from(["", "."]), DIGITS, st.integers(-400, 400)
    )
    .filter(lambda parts: parts[1] or (parts[2] and parts[3]))
    .map(lambda parts: f"{''.join(parts[:4])}e{parts[4]}"),
    st.tuples(DIGITS.filter(bool), DIGITS).map(".".join),
)
EXPECTED = "ignore:overflow:RuntimeWarning"


def bits(value: float) -> int:
    return int(struct.unpack("<I", struct.pack("<f", np.float32(value)))[0])


@pytest.mark.filterwarnings(EXPECTED)
@pytest.mark.parametrize("parse", PARSERS)
@given(rows=st.lists(st.lists(NUMBERS, min_size=3, max_size=3), min_size=1, max_size=5))
@example(
    rows=[["0.10000000149011612", "16777217", "16777219"]]
)  # longer than float32; halfway between two of them
@example(rows=[["1.000000059604644775390625", "1.00000017881393432617187500", "-0"]])  # halfway, and ties
@example(
    rows=[["1.00000005960464477539062500000000000000000001", "0.99999997019767761230468749999", "1e-45"]]
)
@example(
    rows=[["3.4028235677973366e38", "3.4028235677973362e38", "7.0064923216240862e-46"]]
)  # where it overflows
def test_equals_float(parse: Parse, rows: list[list[str]]) -> None:
    block = "".join(f"w{row} {' '.join(numbers)}\n" for row, numbers in enumerate(rows)).encode()
    found = parse(block, 3)
    assert found.words == [f"w{row}".encode() for row in range(len(rows))]
    assert [[bits(x) for x in row] for row in found.vectors] == [
        [bits(float(x)) for x in row] for row in rows
    ]


LINES = {
    b"a 1 2": (b"a", [1, 2]),
    b"a 1 2 ": (b"a", [1, 2]),
    b"a  1   2\t": (b"a", [1, 2]),
    b"a\t1\t2": (b"a", [1, 2]),
    b"a 1 2\r": (b"a", [1, 2]),
    b"a -.5 +5.": (b"a", [-0.5, 5]),
    b"a 1E3 2e-1": (b"a", [1000, np.float32(0.2)]),
    b"7 1 2": (b"7", [1, 2]),
    b"nan 1 2": (b"nan", [1, 2]),
    b"new york 1 2": (b"new york", [1, 2]),
    b". . . 1 2": (b". . .", [1, 2]),
    b"a 1 b 1 2": (b"a 1 b", [1, 2]),
    b"caf\xe9 1 2": (b"caf\xe9", [1, 2]),  # for others to judge
    b"\xc2\xa0 1 2": (b"\xc2\xa0", [1, 2]),  # a no-break space is a word
    b"a\x0bb 1 2": (b"a\x0bb", [1, 2]),
    b" a 1 2": (b"a", [1, 2]),
    b"\ta\r 1 2": (b"a", [1, 2]),
    b"": "it is blank",
    b" \t\r": "it is blank",
    b"a": "0 numbers where 2 belong",
    b"a 1": "1 number where 2 belong",
    b"a 1 2 3": "3 numbers where 2 belong",
    b"a 1 2 3 4": "4 numbers where 2 belong",
    b" 1 2": "2 numbers and no word",
    b"1 2": "2 numbers and no word",
    b"a 1 b": "0 numbers where 2 belong",
    b"a b 1": "1 number where 2 belong",
    b"a 1_0 2": "1 number where 2 belong",
    b"a 0x1 2": "1 number where 2 belong",
    b"a 1,5 2": "1 number where 2 belong",
    b"a 1.2.3 2": "1 number where 2 belong",
    b"a 1-2": "0 numbers where 2 belong",
    b"a 1 2-3": "0 numbers where 2 belong",
    b"a 1e 2": "1 number where 2 belong",
    b"a 1 -": "0 numbers where 2 belong",
    b"a 1 \x0b": "0 numbers where 2 belong",
    b"a 1\x002": "0 numbers where 2 belong",
    b"\xff\xfe 1": "1 number where 2 belong",
}


@pytest.mark.parametrize("line", LINES)
def test_a_line(line: bytes) -> None:
    found = parse_line(line, 2)
    expected = LINES[line]
    assert found[2] == expected if isinstance(expected, str) else found == expected  # type: ignore[misc]


@pytest.mark.parametrize("parse", PARSERS)
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@given(lines=st.lists(st.sampled_from(sorted(LINES)), max_size=12), ended=st.booleans())
def test_a_block_is_its_lines(parse: Parse, end: bytes, lines: list[bytes], ended: bool) -> None:
    block = end.join(lines) + (end if ended and lines else b"")
    if not ended and lines and not lines[-1]:
        lines = lines[:-1]  # a line that ends nowhere and holds nothing is none
    found = parse(block, 2)
    good = [number for number, line in enumerate(lines) if not isinstance(LINES[line], str)]
    assert found.lines == len(lines)
    assert found.numbers == good
    assert found.words == [LINES[lines[number]][0] for number in good]
    assert found.vectors.tolist() == [LINES[lines[number]][1] for number in good]
    assert [(odd.line, odd.why) for odd in found.odd] == [
        (number, LINES[line]) for number, line in enumerate(lines) if isinstance(LINES[line], str)
    ]


@pytest.mark.filterwarnings(EXPECTED)
@pytest.mark.parametrize("parse", PARSERS)
def test_infinity_is_left_to_others(parse: Parse) -> None:
    found: Parsed = parse(b"a nan -inf\nb 1e999 1e39\nc 1 2\n", 2)
    assert np.array_equal(found.vectors, [[np.nan, -np.inf], [np.inf, np.inf], [1, 2]], equal_nan=True)


@pytest.mark.parametrize("parse", PARSERS)
@given(block=st.binary(max_size=60) | st.text(" \n\r\tae.+-012", max_size=60).map(str.encode))
def test_any_bytes(parse: Parse, block: bytes) -> None:
    found, plain = parse(block, 2), [parse_line(line, 2) for line in block.split(b"\n")]
    good = [one for one in plain if one[0] is not None]
    assert found.words == [one[0] for one in good]
    assert len(found.vectors) == len(good) == len(found.numbers)


@pytest.mark.parametrize("parse", PARSERS)
@pytest.mark.parametrize("block", [b"a \n", b"a \nb 1\n", b"b 1\na \n"])
def test_a_word_without_its_one_number(parse: Parse, block: bytes) -> None:
    """numpy's parser passes over it, and would give it the number of another word."""
    found = parse(block, 1)
    assert found.words == [b"b"] * (b"b" in block)
    assert found.vectors.tolist() == [[1.0]] * (b"b" in block)
    assert [odd.kind for odd in found.odd] == ["wrong_columns"]
