"""trec_eval's order, in the plain version and in the fast one."""

from __future__ import annotations

from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragembed.errors import DatasetError
from ragembed.eval.ranking import Answer, answer, check_scores, ranked

scores = st.one_of(
    st.integers(-2, 2).map(float), st.floats(allow_nan=False), st.floats(0.9999999, 1.0000001)
)  # ties, everything, and differences about as small as float32 resolves
runs = st.dictionaries(st.text(st.sampled_from("aB1é\U0001f600"), min_size=1, max_size=2), scores)
judgements = st.dictionaries(
    st.text(st.sampled_from("aB1é\U0001f600"), min_size=1, max_size=2), st.integers(-2, 4)
)


def test_ties_are_in_descending_order_of_ids() -> None:
    assert ranked({"a": 1.0, "b": 2.0, "c": 1.0, "B": 1.0, "é": 1.0}) == ["b", "é", "c", "a", "B"]


def test_scores_are_compared_in_float32() -> None:
    assert ranked({"a": 1 + 1e-12, "b": 1.0}) == ["b", "a"]  # tied: float32 resolves 1.2e-7 at 1
    assert ranked({"a": 1 + 1e-6, "b": 1.0}) == ["a", "b"]
    assert ranked({"a": 1e300, "b": inf}) == ["b", "a"]


def test_relevant_documents_get_their_ranks() -> None:
    found = answer({"a": 1, "b": 0, "c": 3, "lost": 2, "bad": -1}, {"a": 0.5, "bad": 0.9, "b": 0.7, "c": 0.1})
    assert found == Answer(found=[(3, 1), (4, 3)], ideal=[3, 2, 1])


@given(judgements, runs)
def test_the_fast_ranks_are_those_of_the_plain_order(judged: dict[str, int], run: dict[str, float]) -> None:
    order = ranked(run)
    plain = [(rank, judged[name]) for rank, name in enumerate(order, 1) if judged.get(name, 0) > 0]
    assert answer(judged, run).found == plain


def test_nan_is_refused_and_infinities_are_not() -> None:
    check_scores("q", {"a": inf, "b": -inf})
    with pytest.raises(DatasetError, match="document 'b' of query 'q' has the score NaN"):
        check_scores("q", {"a": 1.0, "b": nan})
