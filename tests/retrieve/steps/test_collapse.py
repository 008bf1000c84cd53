from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragembed import Pipeline
from ragembed.retrieve.steps.similarity import SHINGLE, normal, resemblances

Make = Callable[..., Pipeline]


def told(pipeline: Pipeline, query: str, steps: str) -> list[tuple[str, list[str]]]:
    return [
        (hit.chunk.document_id, [one.partition(":")[0] for one in hit.stands_for])
        for hit in pipeline.search(query, 10, steps=steps)
    ]


def test_copies_go_to_the_best_of_them(make: Make) -> None:
    pipeline = make(["the red fox", "a fox on a hill at night", "The  red\nFOX", "the red fox"])
    assert told(pipeline, "fox", "none") == [("d0", []), ("d2", []), ("d3", []), ("d1", [])]
    assert told(pipeline, "fox", "collapse") == [("d0", ["d2", "d3"]), ("d1", [])]


def test_copies_go_also_where_they_have_no_vector(make: Make, compass: str) -> None:
    pipeline = make(["fox north", "FOX  north", "north west fox"], f"bm25(language=none)+{compass}")
    assert told(pipeline, "fox", "collapse(similarity=1.0)") == [("d0", ["d1"]), ("d2", [])]


def test_by_vectors(make: Make, compass: str) -> None:
    """Cosines with d0, north: 0.95 of d1, three times north and once west; 0.71 of d2."""
    pipeline = make(["north", "north north north west", "north west"], compass)
    assert told(pipeline, "north", "collapse(similarity=0.96)") == [("d0", []), ("d1", []), ("d2", [])]
    assert told(pipeline, "north", "collapse(similarity=0.94)") == [("d0", ["d1"]), ("d2", [])]
    # d2 has a cosine of 0.89 with d1, which is no hit any more, and 0.71 with d0, which is
    assert told(pipeline, "north", "collapse(similarity=0.8)") == [("d0", ["d1"]), ("d2", [])]


def test_by_shingles(make: Make) -> None:
    """Eight words have five shingles of four; with another last word four of six are shared: 0.67."""
    words = "one two three four five six seven"
    pipeline = make([f"{words} fox", f"{words} wolf", "fox wolf"])
    assert len(told(pipeline, "fox wolf", "collapse")) == 3
    assert told(pipeline, "fox wolf", "collapse(similarity=0.66)")[1] == ("d0", ["d1"])


WORDS = st.lists(st.sampled_from("abc"), max_size=9).map(" ".join)


@given(st.lists(WORDS, min_size=1, max_size=5))
def test_resemblance_is_the_jaccard_coefficient(texts: list[str]) -> None:
    def shingles(text: str) -> set[tuple[str, ...]]:
        words = text.split()
        return {tuple(words[i : i + SHINGLE]) for i in range(max(1, len(words) - SHINGLE + 1))}

    found = resemblances(texts)
    for i, one in enumerate(texts):
        for j, other in enumerate(texts):
            a, b = shingles(one), shingles(other)
            assert found[i, j] == pytest.approx(len(a & b) / len(a | b))


def test_normal() -> None:
    assert normal(" The\n\tRED  fox ") == normal("the red FOX") == "the red fox"
