from __future__ import annotations

from ragembed.chunk import CHUNKERS
from ragembed.types import Document


def chunks(spec: str, text: str) -> list[str]:
    return [chunk.text for chunk in CHUNKERS.create(spec).chunk(Document("d", text))]


def test_paragraphs_are_kept_together() -> None:
    paragraphs = ["First one has words.", "Second one has words.", "Third one has words."]  # 5 tokens each
    assert chunks("recursive(tokens=12, overlap=0)", "\n\n".join(paragraphs)) == [
        "First one has words.\n\nSecond one has words.",
        "Third one has words.",
    ]


def test_a_paragraph_in_the_first_half_ends_no_chunk() -> None:
    text = "Short.\n\nThe next paragraph has one sentence. It has another sentence too."
    assert chunks("recursive(tokens=10, overlap=0)", text) == [  # 2 tokens, 7, 6
        "Short.\n\nThe next paragraph has one sentence.",
        "It has another sentence too.",
    ]


def test_levels_fall_through() -> None:
    text = "One is here. Two is here, and three is here as well"  # 4 tokens, 4, 6
    assert chunks("recursive(tokens=7, overlap=0)", text) == [
        "One is here.",  # sentence before word
        "Two is here,",  # clause before word
        "and three is here as well",
    ]
    assert chunks("recursive(tokens=4, overlap=0)", "a long line of words") == ["a long line of", "words"]


def test_overlap_begins_with_a_sentence() -> None:
    text = "One has four words. Two has four words. Three has four words."  # 5 tokens each
    assert chunks("recursive(tokens=10, overlap=5)", text) == [
        "One has four words. Two has four words.",
        "Two has four words. Three has four words.",
    ]
    assert chunks("recursive(tokens=10, overlap=3)", text) == [  # too little for the sentence: words
        "One has four words. Two has four words.",
        "four words. Three has four words.",
    ]


def test_sizes_are_used_well_on_prose() -> None:
    text = " ".join(f"This is sentence number {number} of a long text." for number in range(200))
    spec = "recursive(tokens=100, overlap=0)"
    assert len(chunks(spec, text)) == 20  # 10 tokens a sentence
