from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from ragembed import Document, Pipeline
from ragembed.types import Context, Hit

Make = Callable[..., Pipeline]


SENTENCES = [f"Sentence {word} is about {thing} only." for word, thing in zip(
    ("one", "two", "three", "four", "five", "six"), ("foxes", "bees", "hills", "rivers", "bread", "foxes"), strict=True
)]  # fmt: skip
TEXT = "\n\n".join(SENTENCES)


def holds(text: str, context: Context) -> None:
    """The law of `Context`."""
    assert len(context.text) == context.end - context.start
    inside = [False] * len(context.text)
    for start, end in context.gaps:
        inside[start - context.start : end - context.start] = [True] * (end - start)
    for at, gap in enumerate(inside):
        if gap:
            assert context.text[at] in "\n "
        else:
            assert context.text[at] == text[context.start + at]


def contexts(hits: list[Hit]) -> list[Context]:
    return [hit.context for hit in hits if hit.context is not None]


@pytest.fixture
def sentences(make: Make) -> Pipeline:
    return make(
        [Document("d", TEXT), Document("e", "A sentence about honey.")],
        chunker="sentence(tokens=7, overlap=0)",
    )


def test_neighbours_and_the_gaps_between(sentences: Pipeline) -> None:
    (hit,) = sentences.search("bees", 3, steps="neighbours")
    assert hit.context is not None
    holds(TEXT, hit.context)
    assert hit.context.text == "\n ".join(SENTENCES[:3])
    assert (hit.context.start, hit.context.end) == (0, len(hit.context.text))
    first = len(SENTENCES[0])
    assert hit.context.gaps[0] == (first, first + 2)
    assert hit.context.chunks == ("d::0", "d::1", "d::2")
    assert hit.chunk.text == SENTENCES[1]


def test_none_before_some_after(sentences: Pipeline) -> None:
    (hit,) = sentences.search("bees", 3, steps="neighbours(before=0, after=2)")
    assert hit.context is not None
    assert hit.context.chunks == ("d::1", "d::2", "d::3")
    (hit,) = sentences.search("bees", 3, steps="neighbours(before=0, after=0)")
    assert hit.context is not None
    assert hit.context.text == hit.chunk.text


def test_overlapping_contexts_become_one_hit(sentences: Pipeline) -> None:
    near = sentences.search("bees hills rivers", 5, steps="neighbours")
    assert len(near) == 1
    assert len(near[0].stands_for) == 2
    apart = sentences.search("foxes", 5, steps="neighbours")
    assert [hit.chunk.id for hit in apart] == ["d::0", "d::5"]
    assert sum(len(hit.stands_for) for hit in sentences.search("foxes hills", 5, steps="neighbours")) == 1


def test_what_the_filter_hides_is_in_no_context(make: Make) -> None:
    sections = zip(("Open", "Secret", "Open"), SENTENCES, strict=False)
    text = "\n\n".join(f"# {heading}\n\n{sentence}" for heading, sentence in sections)
    pipeline = make([Document("d", text)], chunker="markdown(tokens=8, overlap=0)")
    where = "not heading = 'Secret'"
    for steps in ("neighbours(before=3, after=3)", "parent"):
        (context, *_) = contexts(pipeline.search("foxes", 3, where=where, steps=steps))
        assert "bees" not in context.text
        assert "foxes" in context.text
        assert "hills" in context.text
        assert context.gaps


@pytest.mark.parametrize(
    "chunker",
    [
        "recursive(tokens=12, overlap=5)",
        "sentence(tokens=8, overlap=0)",
        "fixed(tokens=9, overlap=2)",
        "whole",
    ],
)
@pytest.mark.parametrize(
    "steps", ["neighbours", "neighbours(before=3, after=0)", "parent(most=150)", "parent"]
)
def test_the_law_on_texts_of_all_kinds(make: Make, chunker: str, steps: str) -> None:
    chance = random.Random(3)
    texts = {
        f"t{i}": "".join(
            chance.choice(["fox ", "hill. ", "river, ", "Stone!\n\n", "night ", "  \n", "bee\t", "ж "])
            for _ in range(120)
        )
        for i in range(6)
    }
    pipeline = make([Document(name, text) for name, text in texts.items()], chunker=chunker)
    for query in ("fox", "hill stone", "bee night river"):
        hits = pipeline.search(query, 8, steps=steps)
        assert len(contexts(hits)) == len(hits) > 0
        for hit in hits:
            assert hit.context is not None
            holds(texts[hit.chunk.document_id], hit.context)
            assert hit.context.start <= hit.chunk.start < hit.chunk.end <= hit.context.end
        for one in hits:
            for other in hits:
                if one is not other and one.chunk.document_id == other.chunk.document_id:
                    a, b = one.context, other.context
                    assert a is not None
                    assert b is not None
                    assert a.end <= b.start or b.end <= a.start


SECTIONS = """# Guide

Words of the guide itself.

## Foxes

The fox is red. It hunts at night.

### Dens

A den is a hole in a hill.

## Bees

Bees make honey. They live in hives.
"""


@pytest.mark.parametrize(
    ("most", "expected"),
    [
        (1000, "# Guide"),
        (150, "## Foxes"),
        (55, "### Dens"),
    ],
)
def test_the_largest_section_that_is_short_enough(make: Make, most: int, expected: str) -> None:
    document = Document("guide.md", SECTIONS, {"format": "markdown"})
    pipeline = make([document], chunker="markdown(tokens=12, overlap=0)")
    hit = pipeline.search("den hole hill", 1, steps=f"parent(most={most})")[0]
    assert hit.context is not None
    holds(SECTIONS, hit.context)
    assert hit.context.text.startswith(expected)
    assert len(hit.context.text) <= most
    if most < 1000:
        assert "honey" not in hit.context.text


def test_a_hit_longer_than_the_context(make: Make) -> None:
    pipeline = make([Document("d", TEXT)], chunker="sentence(tokens=7, overlap=0)")
    (hit,) = pipeline.search("bees", 1, steps="parent(most=5)")
    assert hit.context is not None
    assert hit.context.text == hit.chunk.text


def test_without_headings_it_grows_on_both_sides(make: Make) -> None:
    pipeline = make([Document("d", TEXT)], chunker="sentence(tokens=7, overlap=0)")
    (hit,) = pipeline.search("hills", 1, steps="parent(most=110)")
    assert hit.context is not None
    assert len(hit.context.text) <= 110
    assert hit.context.chunks == ("d::1", "d::2", "d::3")
