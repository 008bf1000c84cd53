"""What a comparison found, asked for by whoever draws conclusions from it."""

from __future__ import annotations

from collections.abc import Callable
from math import fsum
from typing import Any

_FEWEST_TIMED = 20
"""Queries below which a latency says nothing."""


class Evidence:
    """A report without its recommendation, by the measure that decides; systems and collections by number."""

    def __init__(self, report: dict[str, Any]) -> None:
        self.datasets: list[dict[str, Any]] = report["datasets"]
        self.measures: list[str] = report["measures"]
        self.measure: str = report["primary"]
        self.confidence: float = report["confidence"]
        self.names = [quoted(system["name"]) for system in report["systems"]]
        self.several = report["overall"] is not None
        self.frame: dict[str, Any] = report["overall"] or self.datasets[0]
        """Where comparisons and groups stand: of the macro means, or of the one collection."""
        if self.several:
            means, intervals = self.frame["means"], self.frame["intervals"]
        else:
            means = [result.get("means") for result in self.frame["results"]]
            intervals = [result.get("intervals") for result in self.frame["results"]]
        self._means = means
        self.means: dict[int, float] = {s: each[self.measure] for s, each in enumerate(means) if each}
        """Of the systems that could be run on every collection."""
        self.intervals = {s: each[self.measure] for s, each in enumerate(intervals) if each}
        self.ranked = sorted(self.means, key=lambda s: (-round(self.means[s], 12), self.seconds(s)))
        """Those systems, best first; of equal ones the faster first."""

    @property
    def queries(self) -> int:
        """How many queries there are in all."""
        return sum(len(dataset["queries"]) for dataset in self.datasets)

    def pair(self, a: int, b: int) -> dict[str, Any]:
        """The comparison of two systems."""
        found: dict[str, Any] = next(
            pair for pair in self.frame["comparisons"][self.measure] if {pair["a"], pair["b"]} == {a, b}
        )
        return found

    def differ(self, a: int, b: int) -> bool:
        """Whether two systems differ significantly."""
        return bool(self.pair(a, b)["significant"])

    def same(self, a: int, b: int) -> bool:
        """Whether two systems have the same value on every query."""
        pair = self.pair(a, b)
        return not pair["wins"] and not pair["losses"]

    def behind(self, other: int, best: int) -> float:
        """By how much a system is behind another."""
        return abs(float(self.pair(best, other)["difference"]))

    def costs(self, system: int) -> list[dict[str, Any]]:
        """What a system cost on each collection where it could be run."""
        results = [dataset["results"][system] for dataset in self.datasets]
        return [result["cost"] for result in results if "error" not in result]

    def seconds(self, system: int) -> float:
        """Sum of the median latencies, in ms; infinite where they are not known."""
        known = [cost["latency_ms"] for cost in self.costs(system)]
        return fsum(each["p50"] for each in known) if known and all(known) else float("inf")

    def ratio(self, of: int, to: int, what: Callable[[dict[str, Any]], float | None]) -> float:
        """A cost summed over the collections, of one system over that of another; 0 where it is not known."""
        sums = []
        for system in (of, to):
            values = [what(cost) for cost in self.costs(system)]
            sums.append(0.0 if None in values else fsum(value or 0.0 for value in values))
        return sums[0] / sums[1] if sums[1] else 0.0

    def ahead_on(self, dataset: dict[str, Any], of: int) -> int | None:
        """The system that is ahead of another on a collection by the most; None where none is."""
        results = enumerate(dataset["results"])
        return _first_above({s: r["means"][self.measure] for s, r in results if "error" not in r}, of)

    def ahead_by(self, measure: str, of: int) -> int | None:
        """The system that is ahead of another by another measure by the most; None where none is."""
        return _first_above({s: each[measure] for s, each in enumerate(self._means) if each}, of)

    def highest(self, measure: str) -> float:
        """The best mean of a measure."""
        return max(float(each[measure]) for each in self._means if each)

    def failures(self) -> list[str]:
        """A sentence for each system that failed on a collection."""
        return [
            f"{self.names[s]} failed on {dataset['name']}: {result['error']}."
            for dataset in self.datasets
            for s, result in enumerate(dataset["results"])
            if "error" in result
        ]


def latency(cost: dict[str, Any]) -> float | None:
    """The median latency, where enough queries were timed to speak of one."""
    timed = cost["latency_ms"]
    return timed["p50"] if timed and timed["queries"] >= _FEWEST_TIMED else None


def listed(names: list[str]) -> str:
    """``a, b and c``."""
    return ", ".join(names[:-1]) + " and " + names[-1] if len(names) > 1 else "".join(names)


def quoted(name: str) -> str:
    """`name`, in quotation marks where it has a comma or a space, which would be lost in a sentence."""
    return f"“{name}”" if {",", " "} & set(name) else name


def counted(number: int, one: str, more: str) -> str:
    """``1 query``, ``2 queries``."""
    return f"{number:,} {one if number == 1 else more}"


def _first_above(values: dict[int, float], than: int) -> int | None:
    best = max(values, key=lambda s: values[s], default=None)
    return best if best is not None and values[best] > values.get(than, -1.0) + 1e-12 else None
