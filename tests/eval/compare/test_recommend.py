"""The recommendation says what the numbers say."""

from __future__ import annotations

from typing import Any

from ragembed.eval.compare.recommend import recommend
from ragembed.eval.significance import compare_over_datasets, compare_systems

QUERIES = [f"q{n}" for n in range(60)]


def report(*systems: dict[str, Any], datasets: int = 1) -> dict[str, Any]:
    """A report of systems, each with one value a query, or one list of them for each collection, and costs."""
    numbers = [str(number) for number in range(len(systems))]
    tables = []
    for d in range(datasets):
        values = [s["values"][d] if isinstance(s["values"][0], list) else s["values"] for s in systems]
        tables.append(
            {n: dict(zip(QUERIES, one, strict=False)) for n, one in zip(numbers, values, strict=True)}
        )

    def frame(found: Any) -> dict[str, Any]:
        return {
            "comparisons": {"AP": [pair.to_json({n: int(n) for n in numbers}) for pair in found.pairs]},
            "groups": {"AP": list(found.groups)},
            "detectable": {"AP": found.detectable},
            "detectable_adjusted": {"AP": found.detectable_adjusted},
        }

    made = []
    for number, table in enumerate(tables):
        found = compare_systems(table, rounds=2000)
        made.append(
            {
                "name": f"set{number + 1}",
                "judgements": 1200,
                "queries": [{"id": q, "text": q, "relevant": [[0, 1]]} for q in table["0"]],
                "results": [
                    {
                        "means": {"AP": found.means[n]},
                        "intervals": {"AP": list(found.intervals[n])},
                        "judged": system.get("judged", 0.9),
                        "cost": {
                            "latency_ms": {"p50": system.get("ms", 1.0), "queries": 60},
                            "vector_bytes": system.get("bytes", 1000),
                            "index_seconds": system.get("seconds", 1.0),
                            "chunks": 100,
                            "truncated_chunks": system.get("cut", 0),
                            "truncated_tokens": 10 * system.get("cut", 0),
                            "tokens": 1000,
                            "unknown_tokens": system.get("unknown", 0),
                        },
                    }
                    for n, system in enumerate(systems)
                ],
                **frame(found),
            }
        )
    overall = None
    if datasets > 1:
        found = compare_over_datasets({d["name"]: t for d, t in zip(made, tables, strict=True)}, rounds=2000)
        overall = {
            "means": [{"AP": mean} for mean in found.means],
            "intervals": [{"AP": list(each)} for each in found.intervals],
            **frame(found),
        }
    return {
        "primary": "AP",
        "measures": ["AP"],
        "confidence": 0.95,
        "systems": [{"name": system["name"]} for system in systems],
        "datasets": made,
        "overall": overall,
    }


GOOD = [0.8 + 0.1 * (n % 2) for n in range(60)]
POOR = [0.3 + 0.1 * (n % 3) for n in range(60)]


def test_a_clear_winner() -> None:
    told = recommend(report({"name": "poor", "values": POOR}, {"name": "good", "values": GOOD, "ms": 10.0}))
    assert told["system"] == 1
    assert told["headline"] == "Take good: it is significantly better than the other."
    assert told["reasons"][0].startswith("Its AP is 0.850 (set1; 95% interval 0.8")
    assert told["reasons"][1].startswith("It is significantly better than poor")
    assert len(told["reasons"]) == 2  # half of the quality is no price for speed
    assert any("one collection" in doubt for doubt in told["doubts"])


def test_a_cheaper_equal_is_named() -> None:
    noisy = [value + (0.05 if n % 4 < 2 else -0.051) for n, value in enumerate(GOOD)]
    told = recommend(report({"name": "good", "values": GOOD, "ms": 30.0}, {"name": "fast", "values": noisy}))
    assert told["headline"] == "Take good: it has the highest AP."
    assert any(
        reason.startswith("fast is not significantly worse") and "answers 30 times faster" in reason
        for reason in told["reasons"]
    )
    assert told["doubts"][0].startswith("It does not differ significantly from fast")


def test_few_queries_are_told() -> None:
    few = [values[:8] for values in (GOOD, POOR)]
    told = recommend(report({"name": "good", "values": few[0]}, {"name": "poor", "values": few[1]}))
    assert any(doubt.startswith("8 queries are few") for doubt in told["doubts"])


def test_another_winner_on_a_collection_is_told() -> None:
    mixed = {"name": "good", "values": [GOOD, POOR]}
    told = recommend(report(mixed, {"name": "other", "values": [POOR, [v + 0.1 for v in POOR]]}, datasets=2))
    assert told["system"] == 0
    assert "It is first on set1." in told["reasons"]
    assert any("other on set2" in doubt for doubt in told["doubts"])


def test_unjudged_and_unread_texts_are_told() -> None:
    good = {"name": "good", "values": GOOD, "judged": 0.2, "cut": 30, "unknown": 80}
    told = recommend(report(good, {"name": "poor", "values": POOR}))["doubts"]
    assert any("20% on set1 (another system 90%). That holds it down." in doubt for doubt in told)
    assert any("did not read the ends of 30 of 100 texts (300 tokens): smaller" in doubt for doubt in told)
    assert any("no vectors for many words (8% on set1 of all tokens)" in doubt for doubt in told)
    favoured = recommend(report({**good, "judged": 0.4}, {"name": "poor", "values": POOR, "judged": 0.1}))[
        "doubts"
    ]
    assert any("40% on set1 (another system 10%). Part of its lead" in doubt for doubt in favoured)


def test_nothing_found() -> None:
    made = report({"name": "a", "values": [0.0] * 60}, {"name": "b", "values": [0.0] * 60})
    told = recommend(made)
    assert told["system"] is None
    assert (
        told["headline"] == "AP is 0 for every system: check that the judgements belong to these documents."
    )
    made["measures"] = ["AP", "R@100"]
    for result in made["datasets"][0]["results"]:
        result["means"]["R@100"] = 1.0
    assert recommend(made)["headline"].endswith("though not R@100: let a measure decide that sees more.")
    made["datasets"][0]["queries"] = [{"id": "q", "text": "q", "relevant": []}]
    assert recommend(made)["headline"].endswith("no query has a document with a gain above 0.")


def test_one_system() -> None:
    told = recommend(report({"name": "alone", "values": GOOD}))
    assert told["headline"] == "Take alone, the only system there is."


def test_an_equal_by_another_measure_is_no_doubt() -> None:
    made = report({"name": "good", "values": GOOD}, {"name": "poor", "values": POOR})
    made["measures"] = ["AP", "R@100"]
    for result, recall in zip(made["datasets"][0]["results"], (1.0, 1.0), strict=True):
        result["means"]["R@100"] = recall
    assert not any("Other measures" in doubt for doubt in recommend(made)["doubts"])
    made["datasets"][0]["results"][0]["means"]["R@100"] = 0.9
    assert any("poor by R@100" in doubt for doubt in recommend(made)["doubts"])


def test_a_little_worse_and_much_faster() -> None:
    near = [value - 0.02 for value in GOOD]
    told = recommend(
        report({"name": "good, slow", "values": GOOD, "ms": 50.0}, {"name": "near", "values": near})
    )
    assert "near answers 50 times faster, for 0.020 less AP." in told["reasons"]
    assert told["headline"].startswith("Take “good, slow”")


def test_the_same_on_every_query_is_told_and_the_faster_taken() -> None:
    told = recommend(report({"name": "slow", "values": GOOD, "ms": 9.0}, {"name": "fast", "values": GOOD}))
    assert told["headline"] == "Take fast: it has the highest AP."
    assert told["doubts"][0] == "slow has the same value on every query."
    assert not any("another set of queries" in doubt for doubt in told["doubts"])


def test_queries_without_an_answer_are_told() -> None:
    made = report({"name": "good", "values": GOOD}, {"name": "poor", "values": POOR})
    made["datasets"][0]["queries"][7]["relevant"] = []
    assert (
        "1 of the 60 queries of set1 have no relevant document: every system scores 0 there."
        in (recommend(made)["doubts"])
    )


def test_no_difference_can_be_found_with_two_queries() -> None:
    made = report({"name": "good", "values": [0.9, 0.1]}, {"name": "poor", "values": [0.1, 0.8]})
    assert any(
        "no difference between two systems can be found reliably" in d for d in recommend(made)["doubts"]
    )
