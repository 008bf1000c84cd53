from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragembed.filters.conditions import pairs
from ragembed.filters.fields import (
    EVERY_KEY,
    LONGEST_KEY,
    LONGEST_VALUE,
    MOST_ROWS,
    MOST_SCANNED,
    Fields,
    fields,
    is_scanned,
    own_keys,
)

METADATA = st.dictionaries(
    st.text(max_size=3),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=3),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=2), inner),
        max_leaves=8,
    ),
    max_size=5,
)


@pytest.mark.parametrize(
    ("metadata", "rows"),
    [
        ({}, []),
        ({"lang": "en", "year": 2020, "draft": False}, [("lang", "en"), ("year", 2020), ("draft", False)]),
        ({"tags": ["a", "b", "a"]}, [("tags", "a"), ("tags", "b")]),
        ({"author": {"name": "Ada", "age": None}}, [("author.name", "Ada")]),
        ({"authors": [{"name": "A"}, {"name": "B"}]}, [("authors.name", "A"), ("authors.name", "B")]),
        ({"a.b": 1, "a": {"b": 2}}, [("a.b", 1), ("a.b", 2)]),
        ({"a.b": 1, "a": {"b": 1.0}}, [("a.b", 1)]),
        ({"n": [1, 1.0, True]}, [("n", 1)]),  # equal to SQLite, so one row
        ({"n": None, "e": [], "o": {}}, []),
        ({"_id": "shadowed", "id": "x"}, [("id", "x")]),
    ],
)
def test_the_rows_of_metadata(metadata: dict[str, Any], rows: list[tuple[str, Any]]) -> None:
    assert fields(metadata) == Fields(tuple(rows), frozenset())


@pytest.mark.parametrize(
    ("metadata", "scanned"),
    [
        ({"t": "x" * LONGEST_VALUE, "n": 2**63 - 1, "m": -(2**63)}, set()),
        ({"t": "x" * (LONGEST_VALUE + 1)}, {"t"}),
        ({"o": {"t": "x" * (LONGEST_VALUE + 1)}}, {"o.t"}),
        ({"n": 2**63}, {"n"}),
        ({"n": -(2**63) - 1}, {"n"}),
        ({"o": {"k" * LONGEST_KEY: 1}}, {"o"}),
        ({"k" * (LONGEST_KEY + 1): 1}, {EVERY_KEY}),
        ({"l": list(range(MOST_ROWS))}, set()),
        ({"l": list(range(MOST_ROWS + 1)), "x": 1}, {"l"}),
        ({"l": list(range(MOST_ROWS)), "x": 1}, {"l"}),  # the largest goes first
        ({f"k{n}": 1 for n in range(MOST_ROWS + 5)}, {f"k{n}" for n in range(MOST_ROWS, MOST_ROWS + 5)}),
        ({f"k{n}": 1 for n in range(MOST_ROWS + MOST_SCANNED + 1)}, {EVERY_KEY}),
    ],
)
def test_what_is_left_out_is_named(metadata: dict[str, Any], scanned: set[str]) -> None:
    found = fields(metadata)
    assert found.scanned == scanned
    assert len(found.rows) <= MOST_ROWS


def test_the_short_values_of_a_key_with_a_long_one_stay() -> None:
    found = fields({"t": ["short", "x" * 1000], "u": 1})
    assert found.rows == (("t", "short"), ("u", 1))


def test_ten_megabytes_leave_few_rows() -> None:
    nested: Any = 1
    for _ in range(500):
        nested = {"k": nested, "m": [nested] if nested == 1 else 0}
    found = fields(
        {"text": "x" * 10_000_000, "numbers": list(range(1_000_000)), "deep": nested, "lang": "en"}
    )
    assert found.rows == (("lang", "en"),)
    assert found.scanned == {"text", "numbers", "deep"}


@given(METADATA)
def test_each_pair_is_a_row_or_its_key_is_scanned(metadata: dict[str, Any]) -> None:
    found = fields(metadata)
    for key, value in pairs({k: v for k, v in metadata.items() if k != "_id"}):
        assert (key, value) in found.rows or is_scanned(key, found.scanned)
    assert len(set(found.rows)) == len(found.rows)


@pytest.mark.parametrize(
    ("key", "scanned", "answer"),
    [
        ("a", {"a"}, True),
        ("a.b", {"a"}, True),  # a chunk's own object hides the document's
        ("a", {"a.b"}, True),  # for `exists a`
        ("ab", {"a"}, False),
        ("a", {"ab", "b"}, False),
        ("anything", {EVERY_KEY}, True),
        ("a", set(), False),
    ],
)
def test_which_keys_are_scanned(key: str, scanned: set[str], answer: bool) -> None:
    assert is_scanned(key, scanned) is answer


def test_the_keys_of_a_chunk() -> None:
    assert own_keys({"page": 1, "_id": 2, "a.b": {"c": 1}}) == {"page", "a.b"}
    assert own_keys({"k" * 1000: 1}) == {EVERY_KEY}
