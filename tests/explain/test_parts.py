"""The small parts: pieces of a passage, near ids, failing conditions, joined chunks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragembed.explain.conditions import failing
from ragembed.explain.near import near
from ragembed.explain.pieces import grouped, pieces, sentences, words
from ragembed.explain.split import joined
from ragembed.filters import as_condition
from ragembed.types import Chunk


@given(st.text(alphabet="ab .!\n-#", max_size=60), st.integers(1, 5))
def test_pieces_cover_the_text(text: str, most: int) -> None:
    for spans in (sentences(text), words(text), pieces(text, most)):
        assert "".join(text[start:end] for start, end in spans) == text
    assert len(pieces(text, most)) <= most


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One here. Two there? Three.", ["One here. ", "Two there? ", "Three."]),
        ("Dr. Fox left.", ["Dr. ", "Fox ", "left."]),
        ("# Head\n\nFirst.\n- a\n- b", ["# Head\n\n", "First.\n", "- a\n", "- b"]),
        ("one", ["one"]),
        ("", []),
    ],
)
def test_sentences_or_else_words(text: str, expected: list[str]) -> None:
    assert [text[start:end] for start, end in pieces(text, 9)] == expected


def test_neighbours_are_joined() -> None:
    assert grouped([(0, 1), (1, 2), (2, 3), (3, 4), (4, 5)], 2) == [(0, 2), (2, 5)]


@pytest.mark.parametrize(
    ("asked", "best"),
    [
        ("docs/guide/kyes.md", "docs/guide/keys.md"),
        ("keys.md", "docs/guide/keys.md"),
        ("DOCS/CATS.TXT", "docs/cats.txt"),
    ],
)
def test_ids_that_look_alike(asked: str, best: str) -> None:
    ids = ["docs/cats.txt", "docs/guide/keys.md", *(f"other/{n}.rst" for n in range(500))]
    assert near(asked, ids)[0] == best


def test_nothing_looks_alike() -> None:
    assert near("zzz", ["docs/cats.txt"]) == []
    assert near("", []) == []


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("lang = 'en'", []),
        ("lang = 'fr' and year > 2000", [("lang = 'fr'", {"lang": ["en"]})]),
        ("not lang = 'en'", [("lang != 'en'", {"lang": ["en"]})]),
        (
            "year > 2030 or lang = 'fr'",
            [("year > 2030", {"year": [2024]}), ("lang = 'fr'", {"lang": ["en"]})],
        ),
        ("_id = 'x'", [("_id = 'x'", {"_id": ["doc"]})]),
        (
            "tags = 'c' and exists author",
            [("tags = 'c'", {"tags": ["a", "b"]}), ("exists author", {"author": []})],
        ),
    ],
)
def test_conditions_that_fail(where: str, expected: list[tuple[str, dict[str, list[object]]]]) -> None:
    condition = as_condition(where)
    assert condition is not None
    chunk = Chunk("doc::0", "doc", "text", 0, 4, {"lang": "en", "year": 2024, "tags": ["a", "b"]})
    assert [(one["condition"], one["values"]) for one in failing(condition, chunk)] == expected


@given(
    st.text(alphabet="abc d", min_size=1, max_size=40),
    st.lists(st.tuples(st.integers(0, 39), st.integers(1, 12))),
)
def test_joined_chunks_are_the_text_that_they_cover(text: str, spans: list[tuple[int, int]]) -> None:
    whole = sorted((start, min(start + length, len(text))) for start, length in spans if start < len(text))
    chunks = [Chunk("", "d", text[start:end], start, end) for start, end in whole]
    covered = sorted({place for start, end in whole for place in range(start, end)})
    expected = "".join(
        ("\n" if number and place != covered[number - 1] + 1 else "") + text[place]
        for number, place in enumerate(covered)
    )
    assert joined(chunks) == expected
