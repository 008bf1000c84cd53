"""From scores by name to a table: every system's value on the same queries, in the same order."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from ragembed.errors import DatasetError, QueryError
from ragembed.eval.strata import Floats, Ints

Scores = Mapping[str, Mapping[str, float]]
"""``{system: {query: value}}``, higher is better."""


class Aligned(NamedTuple):
    """The values of all systems on all queries, dataset after dataset."""

    systems: tuple[str, ...]
    table: Floats
    """``(n, systems)``; the queries of a dataset sorted by id, so that their order does not matter."""
    strata: Ints
    """``(n,)``: the number of each query's dataset."""
    weights: Floats
    """``(n,)``: the weight of each query in the macro mean; sum 1."""


def align(scores: Mapping[str, Scores], weights: Mapping[str, float] | None = None) -> Aligned:
    """Read ``{dataset: {system: {query: value}}}`` and one weight a dataset (None: equal).

    Raises `DatasetError` where systems were scored on different datasets or queries, on fewer than 2 queries, or with
    NaN, and `QueryError` for weights of other datasets, or not above 0.
    """
    systems = _systems(scores)
    tables = [_table(dataset, systems, values) for dataset, values in scores.items()]
    sizes = [len(table) for table in tables]
    each = [share / size for share, size in zip(_shares(list(scores), weights), sizes, strict=True)]
    return Aligned(
        systems, np.concatenate(tables), np.repeat(np.arange(len(tables)), sizes), np.repeat(each, sizes)
    )


def _systems(scores: Mapping[str, Scores]) -> tuple[str, ...]:
    """The systems' names, which every dataset must have."""
    systems = tuple(next(iter(scores.values()), ()))
    if not systems:
        raise DatasetError("there are no systems to compare", "give the scores of 2 or more")
    for dataset, of_dataset in scores.items():
        for system in (*systems, *of_dataset):
            if system not in of_dataset or system not in systems:
                raise DatasetError(
                    f"{system!r} has scores on some datasets only: {dataset} differs from {next(iter(scores))}",
                    "compare systems that ran on every dataset",
                )
    return systems


def _table(dataset: str, systems: Sequence[str], scores: Scores) -> Floats:
    """Values as ``(n, systems)``, the queries sorted by id."""
    queries = sorted(scores[systems[0]])
    if len(queries) < 2:
        raise DatasetError(
            f"{dataset} has too few judged queries for statistics: {len(queries)}, 2 are needed",
            "judge more queries, better 50 or more",
        )
    for system in systems:
        values = scores[system]
        if values.keys() != scores[systems[0]].keys():
            query = min(values.keys() ^ scores[systems[0]].keys())
            has, lacks = (system, systems[0]) if query in values else (systems[0], system)
            raise DatasetError(
                f"the systems have scores on different queries of {dataset}: {query!r} is in {has!r}, not {lacks!r}",
                "score all on the same queries; one without an answer scores 0",
            )
        for query, value in values.items():
            if not math.isfinite(value):
                raise DatasetError(
                    f"{system!r} scores {value} on query {query!r} of {dataset}",
                    "score every query; one without an answer scores 0",
                )
    return np.array([[scores[system][query] for system in systems] for query in queries], dtype=np.float64)


def _shares(datasets: Sequence[str], weights: Mapping[str, float] | None) -> list[float]:
    """The weight of each dataset's mean; sum 1."""
    if weights is None:
        return [1 / len(datasets)] * len(datasets)
    if weights.keys() != set(datasets):
        raise QueryError(
            f"weights are given for {', '.join(weights)}, the datasets are {', '.join(datasets)}",
            "give one weight a dataset",
        )
    total = math.fsum(weights.values())
    if not (min(weights.values()) > 0 and math.isfinite(total)):
        raise QueryError(
            "the datasets' weights must be above 0 and finite", "leave out a dataset that does not count"
        )
    return [weights[dataset] / total for dataset in datasets]
