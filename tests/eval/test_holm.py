"""Holm's correction by hand, and against the procedure as it is defined."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragembed.errors import QueryError
from ragembed.eval.holm import holm

thousandths = st.lists(st.integers(0, 1000), max_size=12)


def rejected(p: list[float], alpha: float) -> set[int]:
    """Step down: the smallest p against alpha / m, the next against alpha / (m - 1), until one is too large."""
    found = set()
    for step, n in enumerate(sorted(range(len(p)), key=lambda n: p[n])):
        if p[n] * (len(p) - step) > alpha:
            break
        found.add(n)
    return found


def test_by_hand() -> None:
    # 4 * 0.005 = 0.02, 3 * 0.01 = 0.03, 2 * 0.03 = 0.06, 1 * 0.04 = 0.04 raised to 0.06
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, 0.9]) == [1, 1]
    assert holm([0.2]) == [0.2]
    assert holm([]) == []


@given(thousandths, st.integers(0, 999))
def test_rejects_what_the_procedure_rejects(p: list[int], alpha: int) -> None:
    values = [value / 1000 for value in p]
    level = (alpha + 0.5) / 1000  # between two values, so that rounding does not decide
    assert {n for n, value in enumerate(holm(values)) if value <= level} == rejected(values, level)


@given(thousandths)
def test_laws(p: list[int]) -> None:
    values = [value / 1000 for value in p]
    adjusted = holm(values)
    assert all(value <= new <= 1 for value, new in zip(values, adjusted, strict=True))
    assert [adjusted[n] for n in sorted(range(len(p)), key=values.__getitem__)] == sorted(adjusted)
    assert holm(values[::-1]) == adjusted[::-1]


@pytest.mark.parametrize("wrong", [math.nan, -0.1, 1.1])
def test_refused(wrong: float) -> None:
    with pytest.raises(QueryError, match="is no p value; give numbers from 0 to 1"):
        holm([0.1, wrong, 0.2])
