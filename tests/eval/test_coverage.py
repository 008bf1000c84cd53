"""Ranges of characters, held against plain sets of characters."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from ragembed.eval.coverage import ChunkMap, first_characters, merged, read, size
from ragembed.types import Span

spans = st.lists(
    st.builds(
        lambda document, start, length: Span(document, start, start + length),
        st.sampled_from("ab"),
        st.integers(0, 30),
        st.integers(0, 12),
    ),
    max_size=8,
)


def characters(found: list[Span]) -> set[tuple[str, int]]:
    return {(document, place) for document, start, end in found for place in range(start, end)}


@given(spans)
def test_merging_keeps_every_character_and_leaves_disjoint_ranges(found: list[Span]) -> None:
    ranges = merged(found)
    flat = [Span(document, *one) for document, group in ranges.items() for one in group]
    assert characters(flat) == characters(found)
    assert size(ranges) == len(characters(found))
    for group in ranges.values():
        assert all(left[1] < right[0] for left, right in pairwise(group))


@given(spans, spans)
def test_a_chunk_gains_what_no_chunk_before_it_showed(references: list[Span], chunks: list[Span]) -> None:
    reading = read(merged(references), chunks)
    left, gains = characters(references), []
    for chunk in chunks:
        gains.append(len(left & characters([chunk])))
        left -= characters([chunk])
    assert list(reading.gains) == gains
    assert list(reading.lengths) == [chunk.end - chunk.start for chunk in chunks]
    assert reading.wanted == len(characters(references))


@given(spans, st.integers(0, 60))
def test_a_budget_ends_within_a_chunk(chunks: list[Span], budget: int) -> None:
    def text(some: list[Span]) -> list[tuple[str, int]]:
        return [(document, place) for document, start, end in some for place in range(start, end)]

    assert text(list(first_characters(chunks, budget))) == text(chunks)[:budget]


@given(spans, spans)
def test_the_chunks_on_a_range_share_a_character_with_it(references: list[Span], chunks: list[Span]) -> None:
    chunks = [chunk for chunk in chunks if chunk.start < chunk.end]
    ranges = merged(references)
    inside = set(ChunkMap(chunks).on(ranges, touching=False))
    assert inside == {chunk for chunk in chunks if characters([chunk]) & characters(references)}
    touching = set(ChunkMap(chunks).on(ranges, touching=True))
    widened = [Span(d, start - 1, end + 1) for d, group in ranges.items() for start, end in group]
    assert touching == {chunk for chunk in chunks if characters([chunk]) & characters(widened)}


def test_chunks_in_chunks_are_found() -> None:
    chunks = [Span("a", 0, 100), Span("a", 10, 20), Span("a", 30, 40), Span("a", 50, 90)]
    found = ChunkMap(chunks).on({"a": [(42, 45)], "b": [(0, 9)]}, touching=False)
    assert found == [Span("a", 0, 100)]
