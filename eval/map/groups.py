"""Which points have one colour."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ragembed.errors import QueryError
from ragembed.filters.conditions import pairs

ONE = ""
"""Name of the group that all points are in where there is but one."""
OTHER = "(other)"
NONE = "(none)"
MOST = 8
"""Groups that can be told apart; what is in none of the largest is `OTHER`."""
_BINS = 6
"""Ranges that many different numbers are put in."""


@dataclass(frozen=True, slots=True)
class Groups:
    """Points by what they have in common."""

    names: tuple[str, ...]
    of: tuple[int, ...]
    """The group of every point."""
    by: str | None
    """What it is; None where all points are in one group."""
    ordered: bool = False
    """Whether the groups are ranges of numbers, lowest first."""

    def take(self, places: Sequence[int]) -> Groups:
        """Those of some points."""
        return Groups(self.names, tuple(self.of[place] for place in places), self.by, self.ordered)


def group_chunks(documents: Sequence[str], metadata: Sequence[Mapping[str, Any]], by: str | None) -> Groups:
    """Chunks by ``document``, by ``folder``, or by a field of their metadata.

    None takes the folder where there are several, else the document where there are few, else nothing.
    """
    if by is None:
        folders = _folders(documents)
        if len(set(folders)) > 1:
            return _largest(folders, "folder")
        few = 1 < len(set(documents)) <= MOST
        return _largest(documents, "document") if few else Groups((ONE,), (0,) * len(documents), None)
    if by == "document":
        return _largest(documents, by)
    if by == "folder":
        return _largest(_folders(documents), by)
    values = [next((value for key, value in pairs(one) if key == by), None) for one in metadata]
    if all(value is None for value in values):
        keys = Counter(key for one in metadata for key, _ in pairs(one))
        known = ", ".join(key for key, _ in keys.most_common(10))
        raise QueryError(f"no chunk has a field {by!r}", f"there are: document, folder, {known}".rstrip(", "))
    if all(value is None or _is_number(value) for value in values):
        numbers = np.array([_number(value) for value in values])
        if len(np.unique(numbers[np.isfinite(numbers)])) > MOST:
            return _ranges(numbers, by)
    return _largest([NONE if value is None else _told(value) for value in values], by)


def _largest(labels: Sequence[str], by: str) -> Groups:
    """The `MOST` largest groups, largest first, ties by name, and one of all others."""
    counts = Counter(labels)
    order = sorted(counts, key=lambda name: (-counts[name], name))
    kept = order if len(order) <= MOST else order[: MOST - 1]
    numbers = {name: number for number, name in enumerate(kept)}
    names = (*kept, OTHER) if len(kept) < len(order) else tuple(kept)
    return Groups(names, tuple(numbers.get(label, len(kept)) for label in labels), by)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _number(value: Any) -> float:
    """NaN for none, and for one that no float can hold."""
    try:
        return np.nan if value is None else float(value)
    except OverflowError:
        return np.nan


def _ranges(numbers: NDArray[np.float64], by: str) -> Groups:
    """Ranges of `numbers` that hold about as many points each, and a group of those that are not finite."""
    known = numbers[np.isfinite(numbers)]
    edges = np.unique(np.quantile(known, np.linspace(0, 1, _BINS + 1), method="nearest"))
    place = np.clip(np.searchsorted(edges, numbers, side="right") - 1, 0, len(edges) - 2)
    names = [
        f"{_told(low)} – {_told(known[(known >= low) & ((known < high) | (last & (known <= high)))].max())}"
        for low, high, last in zip(edges[:-1], edges[1:], [*[False] * (len(edges) - 2), True], strict=True)
    ]
    missing = ~np.isfinite(numbers)
    if missing.any():
        names.append(NONE)
        place[missing] = len(names) - 1
    return Groups(tuple(names), tuple(place.tolist()), by, ordered=True)


def _folders(documents: Sequence[str]) -> list[str]:
    """The first folder in which the documents are not all together, below what all have in common."""
    parents = [document.partition("::")[0].split("/")[:-1] for document in documents]
    depth = 0
    while len({tuple(parent[: depth + 1]) for parent in parents}) == 1 and any(
        len(parent) > depth for parent in parents
    ):
        depth += 1
    return ["/".join(parent[: depth + 1]) or "." for parent in parents]


def _told(value: object) -> str:
    if isinstance(value, (float, np.floating)):
        return f"{value:.6g}"
    return str(value).lower() if isinstance(value, bool) else str(value)
