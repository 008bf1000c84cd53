from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from ragembed import Document, Pipeline
from ragembed.errors import SpecError
from ragembed.retrieve.steps.boost import Boost
from ragembed.retrieve.steps.recency import Recency, seconds

Make = Callable[..., Pipeline]


def ids(pipeline: Pipeline, query: str, k: int, steps: str) -> list[str]:
    """The documents of the hits, best first."""
    return [hit.chunk.document_id for hit in pipeline.search(query, k, steps=steps)]


def test_what_meets_the_condition_goes_up(make: Make) -> None:
    pipeline = make([
        Document("a", "fox fox fox", {"lang": "de", "path": "x/a.md"}),
        Document("b", "fox fox hill", {"lang": "en", "path": "guide/b.md"}),
        Document("c", "fox hill hill", {"tags": ["en", "old"], "path": "x/c.md"}),
    ])  # fmt: skip
    assert ids(pipeline, "fox", 3, "none") == ["a", "b", "c"]
    assert ids(pipeline, "fox", 3, "boost(field=lang, value=en, weight=0.6)") == ["b", "a", "c"]
    assert ids(pipeline, "fox", 3, "boost(where=path:guide/*, weight=0.6)") == ["b", "a", "c"]
    assert ids(pipeline, "fox", 3, "boost(field=tags, value=old, weight=2)") == ["c", "a", "b"]
    assert ids(pipeline, "fox", 3, "boost(field=lang, value=de, weight=-2)") == ["b", "c", "a"]
    scores = [hit.score for hit in pipeline.search("fox", 3, steps="boost(field=lang, value=de)")]
    assert scores[0] == pytest.approx(1.2)  # the first of the list, 1, and the weight
    assert scores[-1] == 0  # the last of the list


def test_newer_documents_go_up(make: Make) -> None:
    pipeline = make([
        Document("old", "fox fox fox", {"date": "2000-01-01"}),
        Document("none", "fox fox hill"),
        Document("new", "fox hill hill", {"date": "2023-12-31"}),
        Document("odd", "fox hill hill hill", {"date": "soon"}),
    ])  # fmt: skip
    assert ids(pipeline, "fox", 4, "recency(today=2024-01-01, weight=0.0)") == ["old", "none", "new", "odd"]
    assert ids(pipeline, "fox", 4, "recency(today=2024-01-01, weight=2.0)") == ["new", "old", "none", "odd"]


def test_half_after_each_half_life() -> None:
    step = Recency(half_life=10, weight=0.4, today="2024-01-21")
    now = seconds("2024-01-21")
    assert now is not None
    for date, gain in (("2024-01-21", 0.4), ("2024-01-11", 0.2), ("2024-01-01", 0.1), ("2030-01-01", 0.4)):
        assert step._gain({"date": date}, now) == pytest.approx(gain)
    assert step._gain({"date": ["2024-01-01", "2024-01-11", "x"]}, now) == pytest.approx(0.2)
    assert step._gain({"other": "2024-01-11"}, now) == 0
    assert Recency(field="meta.date", today="2024-01-21")._gain({"meta": {"date": "2024-01-21"}}, now) == 0.2


DAY = datetime(2024, 5, 1, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("date", "expected"),
    [
        ("2024-05-01", DAY),
        (" 2024-05-01 ", DAY),
        ("20240501", DAY),
        ("2024-05-01T00:00:00Z", DAY),
        ("2024-05-01T02:00:00+02:00", DAY),
        ("2024-05-01 00:00:00", DAY),
        (DAY, DAY),
        (DAY * 1000, DAY),
        (2024, datetime(2024, 1, 1, tzinfo=UTC).timestamp()),
        ("2024", datetime(2024, 1, 1, tzinfo=UTC).timestamp()),
        *(
            (bad, None)
            for bad in (
                "",
                "soon",
                "2024-13-01",
                "99999-01-01",
                True,
                None,
                [],
                {},
                float("nan"),
                float("inf"),
            )
        ),
    ],
)
def test_dates(date: Any, expected: float | None) -> None:
    assert seconds(date) == expected


@pytest.mark.parametrize("weight", [float("inf"), float("nan")])
def test_weights_that_are_none(weight: float) -> None:
    with pytest.raises(SpecError, match="is no number"):
        Recency(weight=weight)
    with pytest.raises(SpecError, match="is no number"):
        Boost(field="a", value=1, weight=weight)
