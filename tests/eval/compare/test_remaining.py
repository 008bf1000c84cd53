"""How long the rest takes."""

from __future__ import annotations

import pytest

from ragembed.eval.compare.remaining import Remaining


def test_nothing_is_said_before_anything_is_known() -> None:
    assert Remaining().estimate("bm25", 100, 0.1, 0.0, []) is None


def test_own_progress_then_what_others_took() -> None:
    remaining = Remaining()
    # half of 100 documents in 10 s: 10 s to go; the next system is taken to be as fast: 0.2 s for each of 50
    assert remaining.estimate("slow", 100, 10.0, 0.5, [("other", 50)]) == pytest.approx(10 + 10)
    remaining.finished("slow", 100, 20.0)
    remaining.finished("fast", 100, 1.0)
    # seen before, and nothing of it done yet: 0.2 s for each of 200, then 0.01 s for each of 200
    assert remaining.estimate("slow", 200, 4.0, 0.01, [("fast", 200)]) == pytest.approx(40 - 4 + 2)
    # longer than was thought
    assert remaining.estimate("fast", 100, 9.0, 0.0, []) == 0
