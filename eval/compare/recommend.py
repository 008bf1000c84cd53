"""What follows from a comparison, in plain words: which system to take, why, and why one may doubt it."""

from __future__ import annotations

from typing import Any

_FEW_QUERIES = 50
_FASTER, _SMALLER = 3.0, 3.0
"""How many times cheaper an equal system must be to be worth a sentence."""
_LITTLE_JUDGED = 0.5
_APART = 0.1
"""Difference in judged shares that may favour the system whose hits were judged."""
_TRUNCATED = 0.01


def recommend(report: dict[str, Any]) -> dict[str, Any]:
    """``{"system", "headline", "reasons", "doubts"}`` of a report that has all but this.

    The system with the best mean of the first measure is recommended; over several collections, that with the best
    macro mean. Systems that are not significantly worse and much cheaper are named.
    """
    return _Judge(report).verdict()


class _Judge:
    def __init__(self, report: dict[str, Any]) -> None:
        self.datasets = report["datasets"]
        self.measure = report["primary"]
        self.names = [system["name"] for system in report["systems"]]
        overall = report["overall"]
        if overall:
            self.frame = overall
            means, intervals = overall["means"], overall["intervals"]
        else:
            self.frame = self.datasets[0]
            results = self.datasets[0]["results"]
            means = [result.get("means") for result in results]
            intervals = [result.get("intervals") for result in results]
        self.means: dict[int, float] = {s: each[self.measure] for s, each in enumerate(means) if each}
        """Of the systems that could be run on every collection."""
        self.intervals = {s: each[self.measure] for s, each in enumerate(intervals) if each}
        self.confidence = report["confidence"]
        self.measures = report["measures"]

    def verdict(self) -> dict[str, Any]:
        ranked = sorted(self.means, key=lambda s: -self.means[s])
        if not ranked:
            return {
                "system": None,
                "headline": "No system could be run on every collection.",
                "reasons": [],
                "doubts": self._failures(),
            }
        best = ranked[0]
        if not self.means[best]:
            return {
                "system": None,
                "headline": f"No system found anything that is judged relevant: {self.measure} is 0 for all.",
                "reasons": [],
                "doubts": ["Check that the judgements belong to these documents.", *self._failures()],
            }
        equals = [s for s in ranked[1:] if not self._differs(best, s)]
        worse = [s for s in ranked[1:] if s not in equals]
        headline = f"Take {self.names[best]}"
        if len(ranked) == 1:
            headline += (
                ", the only one that could be run" if len(self.names) > 1 else ", the only system there is"
            )
        elif not equals:
            headline += ": it is significantly better than every other system"
        else:
            headline += f": it has the highest {self.measure}"
        return {
            "system": best,
            "headline": headline + ".",
            "reasons": self._reasons(best, equals, worse),
            "doubts": [*self._doubts(best, equals), *self._failures()],
        }

    def _reasons(self, best: int, equals: list[int], worse: list[int]) -> list[str]:
        low, high = self.intervals[best]
        where = (
            f"mean over {len(self.datasets)} collections"
            if len(self.datasets) > 1
            else self.datasets[0]["name"]
        )
        reasons = [
            f"Its {self.measure} is {self.means[best]:.3f} ({where};"
            f" {self.confidence:.0%} interval {low:.3f} to {high:.3f})."
        ]
        if worse:
            nearest = worse[0]
            pair = self._pair(best, nearest)
            reasons.append(
                f"It is significantly better than {_listed([self.names[s] for s in worse])}; the nearest of them,"
                f" {self.names[nearest]}, is {abs(pair['difference']):.3f} behind (p {_p(pair['p_holm'])}, after"
                " Holm's correction)."
            )
        if len(self.datasets) > 1:
            won = [d["name"] for d in self.datasets if self._best_on(d, best) is None]
            if won:
                reasons.append(f"It is first on {_listed(won)}.")
        for other in equals:
            cheaper = self._cheaper(best, other)
            if cheaper:
                pair = self._pair(best, other)
                reasons.append(
                    f"{self.names[other]} is not significantly worse ({abs(pair['difference']):.3f} behind,"
                    f" p {_p(pair['p_holm'])}) and {cheaper}: take it where that matters."
                )
        for other in worse:  # the best of those that are much cheaper
            cheaper = self._cheaper(best, other)
            if cheaper:
                less = abs(self._pair(best, other)["difference"])
                reasons.append(f"{self.names[other]} {cheaper}, for {less:.3f} less {self.measure}.")
                break
        return reasons

    def _doubts(self, best: int, equals: list[int]) -> list[str]:
        doubts = []
        if equals:
            doubts.append(
                f"It does not differ significantly from {_listed([self.names[s] for s in equals])}:"
                " another set of queries may put one of them first."
            )
        queries = sum(len(dataset["queries"]) for dataset in self.datasets)
        seen = self.frame["detectable"].get(self.measure)
        if queries < _FEW_QUERIES:
            doubts.append(
                f"{queries} queries are few; with {_FEW_QUERIES} or more, smaller differences would show."
            )
        if seen:
            strict = self.frame["detectable_adjusted"][self.measure]
            upto = f" ({strict:.3f} after Holm's correction for all pairs)" if strict > seen else ""
            doubts.append(
                f"With these {queries} queries a difference between two systems is found reliably from about"
                f" {seen:.3f} on{upto}; smaller ones may be there unseen."
            )
        winners = {dataset["name"]: self._best_on(dataset, best) for dataset in self.datasets}
        others = {name: s for name, s in winners.items() if s is not None}
        if len(self.datasets) > 1 and others:
            told = [f"{self.names[s]} on {name}" for name, s in others.items()]
            doubts.append(
                f"On some collections another system is first: {_listed(told)}. Ask which is like your own."
            )
        elif len(self.datasets) == 1:
            doubts.append(
                "It is one collection: another corpus, or other kinds of questions, may have another winner."
            )
        disagreeing = {measure: self._best_by(measure, best) for measure in self.measures[1:]}
        told = [f"{self.names[s]} by {measure}" for measure, s in disagreeing.items() if s is not None]
        if told:
            doubts.append(f"Other measures put another system first: {_listed(told)}.")
        doubts += self._unjudged(best)
        doubts += self._cut(best)
        return doubts

    def _unjudged(self, best: int) -> list[str]:
        doubts = []
        for dataset in self.datasets:
            shares = [r["judged"] for r in dataset["results"] if "error" not in r]
            share = dataset["results"][best]["judged"]
            gains = {gain for query in dataset["queries"] for _, gain in query["relevant"]}
            pooled = dataset["judgements"] > 10 * len(dataset["queries"]) or len(gains) > 1
            if pooled and share < _LITTLE_JUDGED and max(shares) - min(shares) > _APART:
                doubts.append(
                    f"On {dataset['name']} only {share:.0%} of its first ten documents were ever judged"
                    f" (others {min(shares):.0%} to {max(shares):.0%}); the rest count as not relevant,"
                    " which is hard on systems that the judges had not seen."
                )
        return doubts

    def _cut(self, best: int) -> list[str]:
        doubts = []
        for dataset in self.datasets:
            cost = dataset["results"][best]["cost"]
            if (cost["truncated_chunks"] or 0) > _TRUNCATED * (cost["chunks"] or 0):
                doubts.append(
                    f"On {dataset['name']} it did not read the ends of {cost['truncated_chunks']} of"
                    f" {cost['chunks']} texts ({cost['truncated_tokens']:,} tokens): smaller chunks may gain."
                )
        return doubts

    def _failures(self) -> list[str]:
        return [
            f"{self.names[s]} failed on {dataset['name']}: {result['error']}."
            for dataset in self.datasets
            for s, result in enumerate(dataset["results"])
            if "error" in result
        ]

    def _cheaper(self, than: int, system: int) -> str:
        """How much less a system costs, if it is much."""
        told = []
        faster = self._ratio(than, system, lambda cost: (cost["latency_ms"] or {}).get("p50"))
        smaller = self._ratio(than, system, lambda cost: cost["vector_bytes"])
        quicker = self._ratio(than, system, lambda cost: cost["index_seconds"])
        if faster >= _FASTER:
            told.append(f"answers {_times(faster)} faster")
        if quicker >= _FASTER:
            told.append(f"indexes {_times(quicker)} faster")
        if smaller >= _SMALLER:
            told.append(f"takes {_times(smaller)} less space")
        return _listed(told)

    def _ratio(self, of: int, to: int, what: Any) -> float:
        """Sum of a cost over the collections, of one system over that of another; 0 where it is not known."""
        values = [
            [
                what(dataset["results"][s]["cost"])
                for dataset in self.datasets
                if "error" not in dataset["results"][s]
            ]
            for s in (of, to)
        ]
        if any(value is None for side in values for value in side) or not sum(values[1]):
            return 0.0
        return float(sum(values[0]) / sum(values[1]))

    def _best_on(self, dataset: dict[str, Any], than: int) -> int | None:
        """The system that beats `than` on a collection by the most; None where none does."""
        values = {
            s: result["means"][self.measure]
            for s, result in enumerate(dataset["results"])
            if "error" not in result
        }
        return _first_above(values, than)

    def _best_by(self, measure: str, than: int) -> int | None:
        """The system that beats `than` by another measure by the most; None where none does."""
        if "means" in self.frame:
            means = self.frame["means"]
        else:
            means = [result.get("means") for result in self.frame["results"]]
        return _first_above({s: each[measure] for s, each in enumerate(means) if each}, than)

    def _pair(self, a: int, b: int) -> dict[str, Any]:
        found: dict[str, Any] = next(
            pair for pair in self.frame["comparisons"][self.measure] if {pair["a"], pair["b"]} == {a, b}
        )
        return found

    def _differs(self, a: int, b: int) -> bool:
        return bool(self._pair(a, b)["significant"])


def _first_above(values: dict[int, float], than: int) -> int | None:
    best = max(values, key=lambda s: values[s])
    return best if values[best] > values.get(than, -1.0) else None


def _listed(names: list[str]) -> str:
    return ", ".join(names[:-1]) + " and " + names[-1] if len(names) > 1 else "".join(names)


def _times(ratio: float) -> str:
    return f"{ratio:.0f} times" if ratio >= 9.5 else f"{ratio:.1f} times"


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"= {value:.3f}"
