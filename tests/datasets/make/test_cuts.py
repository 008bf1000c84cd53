"""Where things stand after something was taken out."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ragembed.datasets.make.cuts import Moved, moved
from ragembed.datasets.make.sentences import without


@st.composite
def cut_texts(draw: st.DrawFn) -> tuple[str, list[tuple[int, int]]]:
    text = draw(st.text(alphabet="abcdefghij", min_size=1, max_size=30))
    ends = sorted(draw(st.sets(st.integers(0, len(text)), max_size=6)))
    return text, [(ends[i], ends[i + 1]) for i in range(0, len(ends) - 1, 2)]


@given(cut_texts())
def test_what_stays_is_found_where_it_moved(case: tuple[str, list[tuple[int, int]]]) -> None:
    text, cuts = case
    left = without(text, cuts)
    place = Moved(cuts)
    for at, letter in enumerate(text):
        gone = any(start <= at < end for start, end in cuts)
        assert place.gone(at) == gone
        if not gone:
            assert left[place(at)] == letter
    assert place(len(text)) == len(left)


def test_metadata_moves_with_the_text() -> None:
    metadata = {"lang": "en", "first_line": 3, "pages": [0, 10, 20],
                "headings": [[0, 1, "One"], [10, 2, "Two"], [20, 2, "Three"]]}  # fmt: skip
    assert moved(metadata, [(2, 4), (9, 12)]) == {
        "lang": "en",
        "pages": [0, 7, 15],
        "headings": [[0, 1, "One"], [15, 2, "Three"]],
    }
