"""Whether a comparison, made again, comes to the same numbers."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_TOLERANCE = 1e-9
"""Relative: another machine may sum in another order."""
_HUGE = 1e300
"""Beyond it a number in a file is damage."""
_NOT_COMPARED = frozenset({"cost", "machine", "config", "versions", "recommendation", "ragembed", "title"})
"""What may differ from one run to the next: times and memory, and what is concluded from them: of systems with equal
values the faster is recommended."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A number, or a word, that came out otherwise."""

    where: str
    before: Any
    after: Any

    def __str__(self) -> str:
        return f"{self.where}: {self.before} | {self.after}"


@dataclass(frozen=True, slots=True)
class Reproduction:
    """What two reports of one comparison have in common; differences in means come first."""

    compared: int
    """Numbers and words that were compared."""
    differences: tuple[Difference, ...]

    @property
    def largest(self) -> float:
        """The largest difference between two numbers; what is missing or no number does not count."""
        sizes = [
            abs(each.after - each.before)
            for each in self.differences
            if _are_numbers(each.before, each.after)
        ]
        return max(sizes, default=0.0)


def reproduction(before: dict[str, Any], after: dict[str, Any]) -> Reproduction:
    """Compare two reports, numbers to nine digits, but for times, memory and versions."""
    pairs = list(_leaves(before, after, ""))
    different = [Difference(*pair) for pair in pairs if not _same(pair[1], pair[2])]
    different.sort(key=lambda each: (".means." not in each.where, not _are_numbers(each.before, each.after)))
    return Reproduction(len(pairs), tuple(different))


def _leaves(before: Any, after: Any, where: str) -> Iterator[tuple[str, Any, Any]]:
    """All that stands in either report, with its place."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in {**before, **after}:
            if key not in _NOT_COMPARED:
                yield from _leaves(before.get(key), after.get(key), f"{where}.{key}" if where else key)
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for number, (one, other) in enumerate(zip(before, after, strict=True)):
            yield from _leaves(one, other, f"{where}[{number}]")
    else:
        yield where, before, after


def _same(before: Any, after: Any) -> bool:
    if _are_numbers(before, after):
        return math.isclose(before, after, rel_tol=_TOLERANCE, abs_tol=_TOLERANCE)
    return type(before) is type(after) and bool(before == after)


def _are_numbers(*values: Any) -> bool:
    return all(
        isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < _HUGE
        for value in values
    )
