from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragembed.ledger import TokenLedger


def test_sums_and_words() -> None:
    both = TokenLedger(10, 7, 2, 1, 3) + TokenLedger(5, 5)
    assert both == TokenLedger(15, 12, 2, 1, 3)
    assert both.lost == 3
    assert str(both) == (
        "15 tokens: 12 (80 %) embedded, 2 (13.3 %) cut off, 1 (6.67 %) in no chunk,"
        " 3 times one embedded again in an overlap"
    )
    assert str(TokenLedger()) == "0 tokens: 0 (0 %) embedded"
    assert TokenLedger().to_json()["share_embedded"] == 1.0
    assert both.to_json() == {
        "tokens": 15, "embedded": 12, "truncated": 2, "in_no_chunk": 1, "repeated": 3, "share_embedded": 0.8,
    }  # fmt: skip


@pytest.mark.parametrize("counts", [(1, 0), (1, 2), (1, 2, -1), (0, 0, 0, 0, -1)])
def test_one_that_does_not_add_up_cannot_be(counts: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="does not add up"):
        TokenLedger(*counts)


@given(*[st.lists(st.integers(0, 99), min_size=4, max_size=4)] * 2)
def test_the_law_holds_for_sums(a: list[int], b: list[int]) -> None:
    one, two = (TokenLedger(sum(each[:3]), *each) for each in (a, b))
    both = one + two
    assert both.tokens == both.embedded + both.lost
    assert both.counts == {name: one.counts[name] + two.counts[name] for name in both.counts}
