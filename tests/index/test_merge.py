from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ragembed.index.merge import merge_postings, neighbours_to_rewrite, tail_to_merge
from ragembed.index.postings import postings_of_terms
from ragembed.index.records import SegmentRecord
from ragembed.index.runs import contiguous

DOCUMENTS = st.lists(st.lists(st.text("abé字", min_size=1, max_size=2), max_size=6), max_size=5)


def records(*sizes: int) -> list[SegmentRecord]:
    """Segments of those numbers of rows, each row a byte."""
    starts = itertools.accumulate(sizes, initial=1)
    return [
        SegmentRecord(str(size), 0, "postings", size, contiguous(start, size), size, "")
        for size, start in zip(sizes, starts, strict=False)
    ]


def tail(*sizes: int, most: int = 1 << 30) -> list[int]:
    return [record.rows for record in tail_to_merge(records(*sizes), most)]


def groups(*sizes: int, holding: str, most: int) -> list[list[int]]:
    """Which are rewritten together; `holding` has an x for each that holds what must go."""
    found = neighbours_to_rewrite(records(*sizes), [letter == "x" for letter in holding], most)
    return [[record.rows for record in group] for group in found]


@given(st.lists(DOCUMENTS, min_size=1, max_size=4))
def test_merged_postings_are_those_of_all_documents_at_once(parts: list[list[list[str]]]) -> None:
    merged = merge_postings([postings_of_terms(part) for part in parts]).to_arrays()
    together = postings_of_terms(list(itertools.chain(*parts))).to_arrays()
    for name, array in together.items():
        assert merged[name].tolist() == array.tolist(), name
        assert merged[name].dtype == array.dtype, name


@given(
    st.lists(
        st.lists(st.tuples(st.lists(st.text("abé字", min_size=1, max_size=2), max_size=6), st.booleans())),
        min_size=1,
        max_size=4,
    ),
    st.integers(0, 4),
)
def test_merged_without_some_documents_it_is_as_if_they_had_never_been(
    parts: list[list[tuple[list[str], bool]]], whole: int
) -> None:
    """All arrays are those of a fresh build: no posting and no term of a deleted document is left."""
    postings = [postings_of_terms([terms for terms, _ in part]) for part in parts]
    keep = [None if n == whole else np.array([stays for _, stays in p], bool) for n, p in enumerate(parts)]
    merged = merge_postings(postings, keep).to_arrays()
    kept = [terms for n, part in enumerate(parts) for terms, stays in part if stays or n == whole]
    for name, array in postings_of_terms(kept).to_arrays().items():
        assert merged[name].tolist() == array.tolist(), name
        assert merged[name].dtype == array.dtype, name


def test_which_segments_are_merged() -> None:
    assert tail() == []
    assert tail(5) == [5]
    assert tail(100, 10) == [10]
    assert tail(20, 10) == [20, 10]
    assert tail(21, 10) == [10]
    assert tail(1000, 40, 20, 10) == [40, 20, 10]
    assert tail(5, 100, 10) == [10]


def test_segments_of_the_largest_size_are_not_merged_any_more() -> None:
    assert tail(40, 20, 10, most=70) == [40, 20, 10]
    assert tail(40, 20, 10, most=69) == [20, 10]
    assert tail(40, 20, 10, most=5) == [10]  # alone, it is no merge


def test_which_segments_are_rewritten() -> None:
    assert groups(holding="", most=100) == []
    assert groups(5, holding=".", most=100) == []  # nothing to do
    assert groups(5, holding="x", most=100) == [[5]]
    assert groups(5, 6, holding="..", most=100) == [[5, 6]]  # small neighbours are joined
    assert groups(60, 60, 60, holding=".x.", most=100) == [[60]]
    assert groups(60, 40, 60, 41, holding="....", most=100) == [[60, 40]]
    assert groups(200, 10, 10, holding="x..", most=100) == [
        [200],
        [10, 10],
    ]  # too large alone, it is still rewritten


@given(st.lists(st.tuples(st.integers(1, 50), st.booleans()), max_size=20), st.integers(1, 100))
def test_what_must_be_rewritten_is_and_neighbours_stay_neighbours(
    segments: list[tuple[int, bool]], most: int
) -> None:
    given_records = records(*(size for size, _ in segments))
    holding = [holds for _, holds in segments]
    found = neighbours_to_rewrite(given_records, holding, most)
    at = [[given_records.index(record) for record in group] for group in found]
    flat = [number for group in at for number in group]
    assert flat == sorted(set(flat))
    assert {number for number, holds in enumerate(holding) if holds} <= set(flat)
    for group in at:
        assert group == list(range(group[0], group[-1] + 1))
        assert len(group) == 1 or sum(given_records[number].bytes for number in group) <= most


@given(st.lists(st.integers(1, 1000), max_size=60))
def test_the_number_of_segments_stays_logarithmic(added: list[int]) -> None:
    sizes: list[int] = []
    for size in added:
        sizes.append(size)
        joined = tail(*sizes)
        sizes = [*sizes[: len(sizes) - len(joined)], sum(joined)]
    assert sum(sizes) == sum(added)
    assert all(before > 2 * after for before, after in itertools.pairwise(sizes))
