"""Each measure over spans by its definition, character by character."""

from __future__ import annotations

from itertools import accumulate
from math import log2

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad

from ragembed.eval.coverage import Reading
from ragembed.eval.names import parse_measure
from ragembed.eval.span_measures import ndcg, span_scorer

readings = st.lists(
    st.integers(0, 4000).flatmap(lambda length: st.tuples(st.just(length), st.integers(0, length))),
    max_size=6,
).flatmap(
    lambda chunks: st.integers(0, 3000).map(
        lambda missed: Reading(
            [length for length, _ in chunks],
            [gain for _, gain in chunks],
            sum(gain for _, gain in chunks) + missed,
        )
    )
)
pages = st.sampled_from([1, 50, 1000])


def worth(start: float, end: float, page: int) -> float:
    """The integral of the discount, by quadrature."""
    return float(quad(lambda t: 1 / log2(2 + t / page), start, end)[0])


@given(readings, pages)
def test_ndcg_is_its_definition(reading: Reading, page: int) -> None:
    ends = list(accumulate(reading.lengths))
    gained = sum(
        gain * worth(end - length, end, page) / length
        for length, gain, end in zip(reading.lengths, reading.gains, ends, strict=True)
        if gain
    )
    ideal = worth(0, reading.wanted, page)
    assert ndcg(reading, page, None) == pytest.approx(gained / ideal if ideal else 0.0, abs=1e-7)


@given(readings, pages)
def test_every_measure_lies_between_0_and_1(reading: Reading, page: int) -> None:
    for name in ("SpanR@9", "SpanP@9", "SpanIoU@9", f"SpanNDCG(page={page})@9"):
        assert 0.0 <= span_scorer(parse_measure(name))(reading) <= 1.0
    assert ndcg(reading, page, budget=sum(reading.lengths) + 1) <= 1.0


@given(st.lists(st.integers(1, 3000), min_size=1, max_size=6), pages)
def test_the_references_and_nothing_else_score_1_however_they_are_cut(lengths: list[int], page: int) -> None:
    perfect = Reading(lengths, lengths, sum(lengths))
    for name in ("SpanR@9", "SpanP@9", "SpanIoU@9", f"SpanNDCG(page={page})@9"):
        assert span_scorer(parse_measure(name))(perfect) == pytest.approx(1.0, abs=1e-9)


@given(readings, st.integers(1, 4000))
def test_text_before_an_answer_lowers_ndcg_and_text_after_it_does_not(reading: Reading, length: int) -> None:
    score = ndcg(reading, 1000, None)
    before = Reading([length, *reading.lengths], [0, *reading.gains], reading.wanted)
    after = Reading([*reading.lengths, length], [*reading.gains, 0], reading.wanted)
    assert ndcg(after, 1000, None) == score
    assert ndcg(before, 1000, None) < score or score == 0


def test_a_page_of_other_text_weighs_about_as_a_rank() -> None:
    # one character after n pages has the worth of rank n + 1, and the ideal is one character at rank 1
    for pages_before in range(5):
        reading = Reading([1000 * pages_before, 1], [0, 1], 1)
        assert ndcg(reading, 1000, None) == pytest.approx(1 / log2(pages_before + 2), rel=1e-3)


def test_the_ideal_reads_no_further_than_the_budget() -> None:
    # 300 characters wanted, 200 allowed: 200 of them are all that there can be
    assert ndcg(Reading([200], [200], 300), 1000, budget=200) == pytest.approx(1.0)
    assert ndcg(Reading([200], [200], 300), 1000, budget=None) < 0.7


def test_nothing_wanted_or_nothing_read_scores_0() -> None:
    for reading in (Reading([], [], 0), Reading([5], [0], 0), Reading([], [], 5), Reading([0], [0], 5)):
        for name in ("SpanR@9", "SpanP@9", "SpanIoU@9", "SpanNDCG@9"):
            assert span_scorer(parse_measure(name))(reading) == 0.0
