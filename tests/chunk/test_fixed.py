from __future__ import annotations

from ragembed.chunk import CHUNKERS
from ragembed.types import Document


def chunks(spec: str, text: str) -> list[str]:
    return [chunk.text for chunk in CHUNKERS.create(spec).chunk(Document("d", text))]


def test_exactly_so_many_tokens() -> None:
    text = "one two, three four five six seven"
    assert chunks("fixed(tokens=3, overlap=1)", text) == [
        "one two,",
        ", three four",
        "four five six",
        "six seven",
    ]


def test_characters() -> None:
    assert chunks("fixed(tokens=4, overlap=2, tokenizer=characters)", "abcdefgh") == ["abcd", "cdef", "efgh"]


def test_characters_with_marks_are_not_parted() -> None:
    assert chunks("fixed(tokens=3, overlap=0, tokenizer=characters)", "abe\u0301cd") == [
        "ab",
        "e\u0301c",
        "d",
    ]
