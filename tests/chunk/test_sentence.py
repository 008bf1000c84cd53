from __future__ import annotations

from ragembed.chunk import CHUNKERS
from ragembed.types import Document


def chunks(spec: str, text: str) -> list[str]:
    return [chunk.text for chunk in CHUNKERS.create(spec).chunk(Document("d", text))]


def test_whole_sentences_even_if_little_is_left_of_the_budget() -> None:
    text = "One. This sentence has seven tokens here. Two. Three."  # 2, 8, 2, 2 tokens
    assert chunks("sentence(tokens=8, overlap=0)", text) == [
        "One.",
        "This sentence has seven tokens here.",
        "Two. Three.",
    ]


def test_overlap_is_whole_sentences() -> None:
    text = "One has four words. Two. Three has four words. Four."  # 5, 2, 5, 2 tokens
    assert chunks("sentence(tokens=8, overlap=4)", text) == [
        "One has four words. Two.",
        "Two. Three has four words.",
        "Four.",
    ]


def test_a_long_sentence_is_cut_at_a_clause() -> None:
    text = "This is the first clause, and this is the second one. End."
    assert chunks("sentence(tokens=8, overlap=0)", text)[0] == "This is the first clause,"


def test_paragraphs_end_sentences() -> None:
    assert chunks("sentence(tokens=6, overlap=0)", "A title\n\nThen the text goes on here") == [
        "A title",
        "Then the text goes on here",
    ]
