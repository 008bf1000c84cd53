"""From outcomes to the report: intervals, tests of all pairs, groups, what is shown of each query."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

from ragembed import __version__
from ragembed.eval.answers import Collection
from ragembed.eval.compare.evidence import counted, listed
from ragembed.eval.compare.outcome import PASSAGE, SHOWN, Outcome
from ragembed.eval.compare.recommend import recommend
from ragembed.eval.cost import Cost
from ragembed.eval.machine import machine
from ragembed.eval.significance import Comparison, compare_over_datasets, compare_systems
from ragembed.eval.systems import AnySystem, System
from ragembed.spec import parse_all

_SPECS = dict.fromkeys(field.name for field in fields(System))
"""What a system that has answered elsewhere does not have."""
Outcomes = Mapping[tuple[int, int], Outcome | str]
"""By the numbers of collection and system: what it reached, or why there is nothing."""


def assemble(
    collections: Mapping[str, Collection],
    systems: Sequence[AnySystem],
    settings: dict[str, Any],
    outcomes: Outcomes,
    config: dict[str, Any],
) -> dict[str, Any]:
    """All that ``report.json`` holds (docs/report.md). The values, though not the times, depend on the inputs alone."""
    measures: list[str] = settings["measures"]
    datasets = [
        _dataset(
            name, collection, _with_memory(systems, [outcomes[d, s] for s in range(len(systems))]), settings
        )
        for d, (name, collection) in enumerate(collections.items())
    ]
    report = {
        "format": 1,
        "ragembed": __version__,
        "title": f"{counted(len(systems), 'system', 'systems')} on {listed(list(collections))}",
        "machine": machine(),
        "versions": config["versions"],
        "config": config,
        "measures": measures,
        "primary": measures[0],
        "k": settings["k"],
        "confidence": settings["confidence"],
        "systems": [{**_SPECS, "name": system.name, **system.to_json()} for system in systems],
        "datasets": datasets,
        "overall": _overall(datasets, measures, len(systems), settings) if len(datasets) > 1 else None,
    }
    report["recommendation"] = recommend(report)
    return report


def _dataset(
    name: str, collection: Collection, outcomes: Sequence[Outcome | str], settings: dict[str, Any]
) -> dict[str, Any]:
    texts = _Texts(collection, outcomes)
    queries = [
        {
            "id": query,
            "text": collection.queries.get(query, ""),
            "relevant": [[texts.number(d), gain] for d, gain in judged.items() if gain > 0],
        }
        for query, judged in collection.qrels.items()
    ]
    done = {str(s): each for s, each in enumerate(outcomes) if isinstance(each, Outcome)}
    compared: dict[str, Comparison] = {}
    for measure in settings["measures"]:
        if done:
            values = {
                s: dict(zip(collection.qrels, o.per_query[measure], strict=True)) for s, o in done.items()
            }
            compared[measure] = compare_systems(values, **_statistics(settings))
    results = [
        {"error": each}
        if isinstance(each, str)
        else _result(each, str(s), compared, texts, list(collection.qrels))
        for s, each in enumerate(outcomes)
    ]
    return {
        "name": name,
        "split": collection.split,
        "documents": sum(1 for _ in collection.documents),
        "judgements": sum(map(len, collection.qrels.values())),
        "queries": queries,
        "texts": texts.shown(),
        "results": results,
        **_comparisons(compared, len(outcomes)),
    }


def _with_memory(systems: Sequence[AnySystem], outcomes: Sequence[Outcome | str]) -> list[Outcome | str]:
    """The outcomes; one whose vectors others had made took at least the memory of each that is a part of it."""

    def parts(system: System) -> set[str]:
        return {str(part) for part in parse_all(system.embedder)}

    told: list[Outcome | str] = []
    for system, each in zip(systems, outcomes, strict=True):
        if isinstance(each, Outcome) and each.cost and each.cost.cached_chunks and isinstance(system, System):
            peaks = [
                other.cost.peak_memory_bytes
                for part, other in zip(systems, outcomes, strict=True)
                if isinstance(part, System)
                and isinstance(other, Outcome)
                and other.cost
                and other.cost.peak_memory_bytes
                and part.chunker == system.chunker
                and parts(part) <= parts(system)
            ]
            if peaks:
                each = replace(each, cost=replace(each.cost, peak_memory_bytes=max(peaks)))
        told.append(each)
    return told


def _result(
    done: Outcome, name: str, compared: Mapping[str, Comparison], texts: _Texts, queries: Sequence[str]
) -> dict[str, Any]:
    return {
        "embedder": done.embedder,
        "chunker": done.chunker,
        "means": done.means,
        "intervals": {
            measure: [_plain(end) for end in found.intervals[found.systems.index(name)]]
            for measure, found in compared.items()
        },
        "per_query": done.per_query,
        "cost": done.cost.to_json() if done.cost else dict.fromkeys(field.name for field in fields(Cost)),
        "recall": done.recall,
        "scores": done.scores,
        "judged": done.judged,
        "notes": done.notes,
        "hits": [
            [
                [texts.number(p.document), p.score, p.start, p.end, None if p.start == 0 else p.text]
                for p in done.passages.get(query, [])
            ]
            for query in queries
        ],
    }


def _overall(
    datasets: Sequence[dict[str, Any]], measures: Sequence[str], systems: int, settings: dict[str, Any]
) -> dict[str, Any]:
    """Macro means over the collections, for systems that have an outcome on each."""
    whole = [s for s in range(systems) if all("error" not in dataset["results"][s] for dataset in datasets)]
    compared: dict[str, Comparison] = {}
    for measure in measures:
        if not whole:
            break
        values = {
            dataset["name"]: {
                str(s): {
                    query["id"]: value
                    for query, value in zip(
                        dataset["queries"], dataset["results"][s]["per_query"][measure], strict=True
                    )
                }
                for s in whole
            }
            for dataset in datasets
        }
        compared[measure] = compare_over_datasets(values, **_statistics(settings))
    means: list[dict[str, float] | None] = [None] * systems
    intervals: list[dict[str, list[float]] | None] = [None] * systems
    for place, s in enumerate(whole):
        means[s] = {measure: _plain(found.means[place]) for measure, found in compared.items()}
        intervals[s] = {
            measure: [_plain(end) for end in found.intervals[place]] for measure, found in compared.items()
        }
    return {"means": means, "intervals": intervals, **_comparisons(compared, systems)}


def _statistics(settings: dict[str, Any]) -> dict[str, Any]:
    return {key: settings[key] for key in ("confidence", "rounds", "seed")}


def _comparisons(compared: Mapping[str, Comparison], systems: int) -> dict[str, Any]:
    """Pairs, groups and detectable differences of each measure, the systems by number."""
    groups = {}
    for measure, found in compared.items():
        letters = dict(zip(found.systems, found.groups, strict=True))
        groups[measure] = [letters.get(str(s), "") for s in range(systems)]
    return {
        "comparisons": {
            measure: [pair.to_json({name: int(name) for name in found.systems}) for pair in found.pairs]
            for measure, found in compared.items()
        },
        "groups": groups,
        "detectable": {measure: found.detectable for measure, found in compared.items()},
        "detectable_adjusted": {measure: found.detectable_adjusted for measure, found in compared.items()},
    }


class _Texts:
    """The documents that a report shows, numbered in the order in which they are met."""

    def __init__(self, collection: Collection, outcomes: Sequence[Outcome | str]) -> None:
        self._numbers: dict[str, int] = {}
        for judged in collection.qrels.values():
            for document, gain in judged.items():
                if gain > 0:
                    self.number(document)
        for each in outcomes:
            if isinstance(each, Outcome):
                for passages in each.passages.values():
                    for passage in passages[:SHOWN]:
                        self.number(passage.document)
        self._beginnings = {
            document.id: document.text[:PASSAGE]
            for document in collection.documents
            if document.id in self._numbers
        }

    def number(self, document: str) -> int:
        return self._numbers.setdefault(document, len(self._numbers))

    def shown(self) -> list[dict[str, str | None]]:
        """Ids and beginnings; None for judged documents that the collection lacks."""
        return [{"id": document, "text": self._beginnings.get(document)} for document in self._numbers]


def _plain(value: float) -> float:
    """Without what is left of a sum in the last digits, such as -5e-17."""
    return round(value, 12) + 0.0
