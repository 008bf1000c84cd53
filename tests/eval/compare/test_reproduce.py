"""Two reports of one comparison agree in everything but time."""

from __future__ import annotations

from ragembed.eval.compare.reproduce import reproduction

REPORT = {
    "machine": "here",
    "datasets": [
        {"name": "a", "results": [{"means": {"AP": 0.5}, "cost": {"index_seconds": 3}, "notes": []}]}
    ],
    "groups": ["a", "b"],
}


def test_the_same() -> None:
    found = reproduction(REPORT, {**REPORT, "machine": "elsewhere"})
    assert found.differences == ()
    assert found.compared == 4  # two names of groups, the collection's name, one mean


def changed(mean: float) -> dict[str, object]:
    return {**REPORT, "datasets": [{"name": "a", "results": [{"means": {"AP": mean}, "notes": []}]}]}


def test_one_digit_is_found() -> None:
    found = reproduction(REPORT, changed(0.50000001))
    [difference] = found.differences
    assert difference.where == "datasets[0].results[0].means.AP"
    assert 0.9e-8 < found.largest < 1.1e-8


def test_the_order_of_a_sum_is_no_difference() -> None:
    assert reproduction(REPORT, changed(0.5000000000000001)).differences == ()


def test_what_is_missing_or_another_type_is_found() -> None:
    found = reproduction(REPORT, {**REPORT, "groups": ["a"]})
    assert [each.where for each in found.differences] == ["groups"]
    assert found.largest == 0
    assert reproduction({"n": 1}, {"n": None}).differences
    assert reproduction({"n": 1}, {"n": True}).differences
    assert reproduction({"n": 1}, {"n": 1, "m": 2}).differences
