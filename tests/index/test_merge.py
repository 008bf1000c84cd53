from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from ragembed.index.catalog import SegmentRecord
from ragembed.index.merge import merge_postings, tail_to_merge
from ragembed.index.postings import postings_of_terms

DOCUMENTS = st.lists(st.lists(st.text("abé字", min_size=1, max_size=2), max_size=6), max_size=5)


def records(*sizes: int) -> list[SegmentRecord]:
    starts = itertools.accumulate(sizes, initial=1)
    return [
        SegmentRecord(str(size), 0, "postings", start, size, 0, "")
        for size, start in zip(sizes, starts, strict=False)
    ]


def tail(*sizes: int) -> list[int]:
    return [record.rows for record in tail_to_merge(records(*sizes))]


@given(st.lists(DOCUMENTS, min_size=1, max_size=4))
def test_merged_postings_are_those_of_all_documents_at_once(parts: list[list[list[str]]]) -> None:
    merged = merge_postings([postings_of_terms(part) for part in parts]).to_arrays()
    together = postings_of_terms(list(itertools.chain(*parts))).to_arrays()
    for name, array in together.items():
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


@given(st.lists(st.integers(1, 1000), max_size=60))
def test_the_number_of_segments_stays_logarithmic(added: list[int]) -> None:
    sizes: list[int] = []
    for size in added:
        sizes.append(size)
        joined = tail(*sizes)
        sizes = [*sizes[: len(sizes) - len(joined)], sum(joined)]
    assert sum(sizes) == sum(added)
    assert all(before > 2 * after for before, after in itertools.pairwise(sizes))
