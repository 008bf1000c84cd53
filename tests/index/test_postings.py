from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragembed.analysis import Analyzer
from ragembed.errors import CorruptError
from ragembed.index.postings import Postings, PostingsBuilder, postings_of_terms, smallest

DOCUMENTS = st.lists(st.lists(st.text("abé字", min_size=1, max_size=2), max_size=6), max_size=6)


def read_back(postings: Postings) -> list[Counter[str]]:
    """How often each document has each term."""
    found: list[Counter[str]] = [Counter() for _ in range(postings.size)]
    for number in range(postings.vocabulary_size):
        documents, counts = postings.posting_list(number)
        for document, count in zip(documents.tolist(), counts.tolist(), strict=True):
            found[document][postings.term(number)] += count
    return found


def test_by_hand() -> None:
    postings = postings_of_terms([["b", "a", "b"], [], ["b"]])
    assert [postings.term(number) for number in range(postings.vocabulary_size)] == ["a", "b"]
    assert [part.tolist() for part in postings.posting_list(0)] == [[0], [1]]
    assert [part.tolist() for part in postings.posting_list(1)] == [[0, 2], [2, 1]]
    assert postings.lengths.tolist() == [3, 0, 1]
    assert (postings.find("a"), postings.find("b")) == (0, 1)
    assert [postings.find(term) for term in ("", "ab", "c", "é", "\ud800")] == [-1] * 5


@given(DOCUMENTS)
def test_it_holds_the_counts_of_the_documents(documents: list[list[str]]) -> None:
    postings = postings_of_terms(documents)
    assert read_back(postings) == [Counter(terms) for terms in documents]
    assert postings.lengths.tolist() == [len(terms) for terms in documents]
    terms = [postings.term_bytes(number) for number in range(postings.vocabulary_size)]
    assert terms == sorted({term.encode() for terms in documents for term in terms})
    assert [postings.find(term.decode()) for term in terms] == list(range(len(terms)))
    for number in range(postings.vocabulary_size):
        own, counts = postings.posting_list(number)
        assert (np.diff(own) > 0).all()
        assert (counts >= 1).all()


@given(DOCUMENTS)
def test_the_builder_counts_what_the_analyzer_finds(documents: list[list[str]]) -> None:
    texts = [" ".join(terms) for terms in documents]
    builder = PostingsBuilder(Analyzer("none"))
    builder.add(texts[:2])
    builder.add(texts[2:])
    assert len(builder) == len(texts)
    assert read_back(builder.build()) == [Counter(Analyzer("none").terms(text)) for text in texts]


def test_words_of_no_one_and_several_terms() -> None:
    builder = PostingsBuilder(Analyzer("english"))
    builder.add(["the maxLength of the", "the", "length"])
    assert read_back(builder.build()) == [
        Counter({"maxlength": 1, "max": 1, "length": 1}),
        Counter(),
        Counter({"length": 1}),
    ]


def test_from_arrays_gives_the_same_back() -> None:
    postings = postings_of_terms([["a", "b"], ["b"]])
    assert read_back(Postings.from_arrays(postings.to_arrays())) == read_back(postings)
    empty = postings_of_terms([])
    assert Postings.from_arrays(empty.to_arrays()).vocabulary_size == 0


def change(name: str, value: Any) -> Any:
    return pytest.param(name, value, id=f"{name}={value}")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        change("terms", np.frombuffer(b"abc", np.uint8)),
        change("terms", np.array([97, 98], np.int64)),
        change("term_starts", np.array([0, 1], np.uint8)),
        change("term_starts", np.array([0, 9, 2], np.uint8)),
        change("term_starts", np.array([1, 1, 2], np.uint8)),
        change("term_starts", np.array([0, 1, 2], np.int64)),
        change("list_starts", np.array([0, 1, 2], np.int64)),
        change("list_starts", np.array([0, 5, 3], np.int64)),
        change("list_starts", np.array([0, -1, 3], np.int64)),
        change("list_starts", np.zeros(0, np.int64)),
        change("documents", np.array([0, 0], np.int32)),
        change("documents", np.array([0, 0, 2], np.int32)),
        change("documents", np.array([0, 0, -1], np.int32)),
        change("documents", np.array([0, 0, 1], np.int64)),
        change("documents", np.array([[0, 0, 1]], np.int32)),
        change("counts", np.array([1, 1], np.uint8)),
        change("counts", np.array([1, 1, 1], np.float32)),
        change("lengths", np.array([2], np.int32)),
        change("lengths", np.array([2, 1], np.int64)),
    ],
)
def test_arrays_that_do_not_fit_are_corrupt(name: str, value: Any) -> None:
    arrays = postings_of_terms([["a", "b"], ["b"]]).to_arrays()
    with pytest.raises(CorruptError, match="arrays that do not fit; run: ragembed verify INDEX"):
        Postings.from_arrays({**arrays, name: value})


def test_a_missing_array_is_corrupt() -> None:
    arrays = postings_of_terms([["a"]]).to_arrays()
    del arrays["counts"]
    with pytest.raises(CorruptError, match="lacks 'counts'"):
        Postings.from_arrays(arrays)


def test_the_smallest_type_that_holds_the_counts() -> None:
    for top, dtype in [(0, "u1"), (255, "u1"), (256, "u2"), (65_535, "u2"), (65_536, "u4")]:
        values = smallest(np.array([1, top]))
        assert values.dtype == dtype
        assert values.tolist() == [1, top]
    assert smallest(np.zeros(0, np.int64)).dtype == np.uint8


def test_a_term_that_stands_often() -> None:
    postings = postings_of_terms([["a"] * 70_000, ["a"]])
    assert postings.posting_list(0)[1].tolist() == [70_000, 1]
