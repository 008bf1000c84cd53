"""Numbers as people read them."""

from __future__ import annotations

import pytest

from ragembed.eval.report.text import decimals, duration, interval, probability, size


@pytest.mark.parametrize(
    ("value", "text"), [(0.7123, "0.712"), (-0.0301, "−0.030"), (-0.0001, "0.000"), (1, "1.000"), (None, "–")]
)
def test_decimals(value: float | None, text: str) -> None:
    assert decimals(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.00041, "0.41 ms"),
        (0.25, "250 ms"),
        (12.3456, "12.3 s"),
        (90, "1.5 min"),
        (7200, "2.0 h"),
        (None, "–"),
    ],
)
def test_duration(value: float | None, text: str) -> None:
    assert duration(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(999, "999 B"), (7_962_624, "7.96 MB"), (4e9, "4 GB"), (1500, "1.5 kB"), (None, "–")]
)
def test_size(value: float | None, text: str) -> None:
    assert size(value) == text


def test_small_probabilities_are_bounds() -> None:
    assert [probability(p) for p in (0.0009, 0.001, 0.04, 1.0, None)] == [
        "< 0.001",
        "0.001",
        "0.040",
        "1.000",
        "–",
    ]


def test_interval() -> None:
    assert interval([0.5, 0.625]) == "0.500–0.625"
    assert interval(None) == ""
