"""Why one may doubt a recommendation: each function looks for one reason."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ragembed.eval.compare.evidence import Evidence, counted, listed

_FEW_QUERIES = 50
_LITTLE_JUDGED = 0.5
_APART = 0.1
"""Difference in judged shares that may favour the system whose hits were judged."""
_TRUNCATED = 0.01
_UNKNOWN = 0.05
"""Share of tokens without a vector that is worth a word."""


def doubts(found: Evidence, best: int) -> list[str]:
    """Sentences that whoever follows the recommendation should have read."""
    return [doubt for look in _LOOKS for doubt in look(found, best)]


def _equals(found: Evidence, best: int) -> Iterator[str]:
    others = [s for s in found.ranked if s != best]
    same = [found.names[s] for s in others if found.same(best, s)]
    if same:
        yield f"{listed(same)} {'has' if len(same) == 1 else 'have'} the same value on every query."
    close = [found.names[s] for s in others if not found.differ(best, s) and not found.same(best, s)]
    if close:
        yield (
            f"It does not differ significantly from {listed(close)}: another set of queries may put"
            f" {'that' if len(close) == 1 else 'one of them'} first."
        )


def _queries(found: Evidence, best: int) -> Iterator[str]:
    if found.queries < _FEW_QUERIES:
        yield (
            f"{counted(found.queries, 'query is', 'queries are')} few; with {_FEW_QUERIES} or more,"
            " smaller differences would show."
        )
    seen = found.frame["detectable"].get(found.measure)
    if seen and seen >= 1:
        yield "With so few queries no difference between two systems can be found reliably."
    elif seen:
        strict = found.frame["detectable_adjusted"][found.measure]
        upto = f" ({strict:.3f} after Holm's correction for all pairs)" if seen < strict < 1 else ""
        yield (
            f"With these {found.queries:,} queries a difference between two systems is found reliably from about"
            f" {seen:.3f} on{upto}; smaller ones may be there unseen."
        )


def _collections(found: Evidence, best: int) -> Iterator[str]:
    if not found.several:
        yield "It is one collection: another corpus, or other kinds of questions, may have another winner."
        return
    ahead = {dataset["name"]: found.ahead_on(dataset, best) for dataset in found.datasets}
    told = [f"{found.names[s]} on {name}" for name, s in ahead.items() if s is not None]
    if told:
        yield f"On some collections another system is first: {listed(told)}. Ask which is like your own."


def _measures(found: Evidence, best: int) -> Iterator[str]:
    by: dict[int, list[str]] = {}
    for measure in found.measures[1:]:
        ahead = found.ahead_by(measure, best)
        if ahead is not None:
            by.setdefault(ahead, []).append(measure)
    told = [f"{found.names[s]} by {listed(measures)}" for s, measures in by.items()]
    if told:
        yield f"Other measures put another system first: {listed(told)}."


def _unanswerable(found: Evidence, best: int) -> Iterator[str]:
    for dataset in found.datasets:
        empty = sum(not query["relevant"] for query in dataset["queries"])
        if empty:
            yield (
                f"{empty} of the {len(dataset['queries'])} queries of {dataset['name']} have no relevant document:"
                " every system scores 0 there."
            )


def _unjudged(found: Evidence, best: int) -> Iterator[str]:
    less: list[str] = []
    more: list[str] = []
    for dataset in found.datasets:
        shares = [r["judged"] for s, r in enumerate(dataset["results"]) if "error" not in r and s != best]
        share = dataset["results"][best]["judged"]
        gains = {gain for query in dataset["queries"] for _, gain in query["relevant"]}
        pooled = dataset["judgements"] > 10 * len(dataset["queries"]) or len(gains) > 1
        if not shares or not pooled or min(*shares, share) >= _LITTLE_JUDGED:
            continue
        if max(shares) - share > _APART:
            less.append(f"{share:.0%} on {dataset['name']} (another system {max(shares):.0%})")
        elif share - min(shares) > _APART:
            more.append(f"{share:.0%} on {dataset['name']} (another system {min(shares):.0%})")
    judged = "Of its first ten documents few were ever judged, the rest count as not relevant"
    if less:
        yield f"{judged}: {listed(less)}. That holds it down."
    if more:
        yield f"{judged}: {listed(more)}. Part of its lead may be that the judges saw its documents."


def _cut(found: Evidence, best: int) -> Iterator[str]:
    costs = [(d["name"], d["results"][best]["cost"]) for d in found.datasets]
    known = [(name, cost) for name, cost in costs if cost["chunks"]]
    chunks, cut, tokens = (
        sum(cost[what] for _, cost in known) for what in ("chunks", "truncated_chunks", "truncated_tokens")
    )
    if cut > _TRUNCATED * chunks:
        most, cost = max(known, key=lambda each: each[1]["truncated_chunks"])
        where = f", most of them on {most} ({cost['truncated_chunks']:,})" if len(known) > 1 else ""
        yield (
            f"It did not read the ends of {cut:,} of {counted(chunks, 'text', 'texts')} ({tokens:,} tokens){where}:"
            " smaller chunks may gain."
        )


def _unknown(found: Evidence, best: int) -> Iterator[str]:
    costs = [(d["name"], d["results"][best]["cost"]) for d in found.datasets]
    shares = [
        f"{unknown / cost['tokens']:.0%} on {name}"
        for name, cost in costs
        if (unknown := cost.get("unknown_tokens") or 0) > _UNKNOWN * (cost.get("tokens") or 0)
    ]
    if shares:
        yield f"It has no vectors for many words ({listed(shares)} of all tokens): train it on such texts."


def _remarks(found: Evidence, best: int) -> Iterator[str]:
    for dataset in found.datasets:
        for s, result in enumerate(dataset["results"]):
            for remark in result.get("notes", ()):
                yield f"{found.names[s]} on {dataset['name']}: {remark}."


def _failed(found: Evidence, best: int) -> Iterator[str]:
    yield from found.failures()


_LOOKS: tuple[Callable[[Evidence, int], Iterator[str]], ...] = (
    _equals,
    _queries,
    _collections,
    _measures,
    _unanswerable,
    _unjudged,
    _cut,
    _unknown,
    _remarks,
    _failed,
)
