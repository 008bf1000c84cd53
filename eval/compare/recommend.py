"""What follows from a comparison, in plain words: which system to take, why, and why one may doubt it."""

from __future__ import annotations

from typing import Any

from ragembed.eval.compare.doubts import doubts
from ragembed.eval.compare.evidence import Evidence, latency, listed

_CHEAPER = 3.0
"""How many times cheaper a system must be to be worth a sentence."""
_LOSS = 0.2
"""Share of the best mean that a cheaper system may lose to be worth one."""


def recommend(report: dict[str, Any]) -> dict[str, Any]:
    """``{"system", "headline", "reasons", "doubts"}`` of a report that has all but this.

    The system with the best mean of the first measure is recommended; over several collections, that with the best
    macro mean. Systems that are not significantly worse, or little worse, and much cheaper are named.
    """
    found = Evidence(report)
    if not found.ranked:
        return _none("No system could be run on every collection.", found.failures())
    best = found.ranked[0]
    if not found.means[best]:
        return _none(_nothing_found(found), found.failures())
    return {
        "system": best,
        "headline": _headline(found, best),
        "reasons": _reasons(found, best),
        "doubts": doubts(found, best),
    }


def _none(headline: str, failures: list[str]) -> dict[str, Any]:
    return {"system": None, "headline": headline, "reasons": [], "doubts": failures}


def _nothing_found(found: Evidence) -> str:
    told = f"{found.measure} is 0 for every system"
    if not any(query["relevant"] for dataset in found.datasets for query in dataset["queries"]):
        return f"{told}: no query has a document with a gain above 0."
    positive = [measure for measure in found.measures[1:] if found.highest(measure) > 0]
    if positive:
        return f"{told}, though not {listed(positive)}: let a measure decide that sees more."
    return f"{told}: check that the judgements belong to these documents."


def _headline(found: Evidence, best: int) -> str:
    others = found.ranked[1:]
    if not others:
        alone = "the only one that could be run" if len(found.names) > 1 else "the only system there is"
        return f"Take {found.names[best]}, {alone}."
    if all(found.differ(best, s) for s in others):
        worse = "every other system" if len(others) > 1 else "the other"
        return f"Take {found.names[best]}: it is significantly better than {worse}."
    return f"Take {found.names[best]}: it has the highest {found.measure}."


def _reasons(found: Evidence, best: int) -> list[str]:
    low, high = found.intervals[best]
    where = f"mean over {len(found.datasets)} collections" if found.several else found.datasets[0]["name"]
    reasons = [
        f"Its {found.measure} is {found.means[best]:.3f} ({where};"
        f" {found.confidence:.0%} interval {low:.3f} to {high:.3f})."
    ]
    worse = [s for s in found.ranked[1:] if found.differ(best, s)]
    if worse:
        nearest, p = worse[0], _p(found.pair(best, worse[0])["p_holm"])
        by = f"by {found.behind(nearest, best):.3f} (p {p}, after Holm's correction)"
        if len(worse) == 1:
            reasons.append(f"It is significantly better than {found.names[nearest]}, {by}.")
        else:
            names = listed([found.names[s] for s in worse])
            reasons.append(
                f"It is significantly better than {names}; than {found.names[nearest]}, the nearest, {by}."
            )
    if found.several:
        won = [dataset["name"] for dataset in found.datasets if found.ahead_on(dataset, best) is None]
        if won:
            reasons.append(f"It is first on {listed(won)}.")
    for other in found.ranked[1:]:
        cheaper = _cheaper(found, best, other)
        if cheaper and not found.differ(best, other) and not found.same(best, other):
            reasons.append(
                f"{found.names[other]} is not significantly worse ({found.behind(other, best):.3f} behind,"
                f" p {_p(found.pair(best, other)['p_holm'])}) and {cheaper}: take it where that matters."
            )
    for other in worse:  # the best of those that are much cheaper
        cheaper, less = _cheaper(found, best, other), found.behind(other, best)
        if cheaper and less <= _LOSS * found.means[best]:
            reasons.append(f"{found.names[other]} {cheaper}, for {less:.3f} less {found.measure}.")
            break
    return reasons


def _cheaper(found: Evidence, than: int, system: int) -> str:
    """How much less a system costs, if it is much."""
    told = []
    faster = found.ratio(than, system, latency)
    quicker = found.ratio(than, system, lambda cost: cost["index_seconds"])
    smaller = found.ratio(than, system, lambda cost: cost["vector_bytes"])
    if faster >= _CHEAPER:
        told.append(f"answers {_times(faster)} faster")
    if quicker >= _CHEAPER:
        told.append(f"indexes {_times(quicker)} faster")
    if smaller >= _CHEAPER:
        told.append(f"needs {_times(smaller)} less space for vectors")
    return listed(told)


def _times(ratio: float) -> str:
    return f"{ratio:.0f} times" if ratio >= 9.5 else f"{ratio:.1f} times"


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"= {value:.3f}"
