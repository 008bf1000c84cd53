"""Compact letter display: which systems do not differ significantly, as letters beside their names.

Piepho 2004, "An algorithm for a letter-based representation of all-pairwise comparisons", insert-and-absorb, with its
sweep for whole columns.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import combinations
from string import ascii_letters


def letters(means: Sequence[float | None], significant: Collection[tuple[int, int]]) -> list[str]:
    """Letters for each system: two systems share a letter if, and only if, their pair is not `significant`.

    `means` order the letters, so that the system with the highest mean has an "a"; a system without a mean (None) has
    no letters. `significant` holds pairs of places in `means`, in either order. After "Z" come "(53)", "(54)" ….
    """
    order = sorted((n for n, mean in enumerate(means) if mean is not None), key=lambda n: -(means[n] or 0.0))
    rank = {system: place for place, system in enumerate(order)}
    apart = sorted(tuple(sorted((rank[i], rank[j]))) for i, j in significant if i in rank and j in rank)
    columns = sorted(_members(column) for column in _swept(_columns(len(order), apart)))
    found = [""] * len(means)
    for number, column in enumerate(columns):
        for place in column:
            found[order[place]] += _letter(number)
    return found


def _columns(count: int, apart: Sequence[tuple[int, ...]]) -> list[int]:
    """The largest sets of systems of which no pair is in `apart`, each as a mask of bits."""
    columns = [(1 << count) - 1] if count else []
    for i, j in apart:
        both = 1 << i | 1 << j
        kept = [column for column in columns if column & both != both]
        split = {column & ~(1 << n) for column in columns if column & both == both for n in (i, j)}  # insert
        split = {new for new in split if not any(new & old == new for old in kept)}  # absorb
        columns = kept + [
            new for new in split if not any(new != other and new & other == new for other in split)
        ]
    return columns


def _swept(columns: list[int]) -> list[int]:
    """`columns` without those of which every pair (and every member) is in another one."""
    shared: dict[tuple[int, ...], int] = {}
    for column in columns:
        for pair in _pairs(column):
            shared[pair] = shared.get(pair, 0) + 1
    kept = []
    for column in sorted(columns, key=lambda column: (column.bit_count(), -column)):
        if all(shared[pair] > 1 for pair in _pairs(column)):
            for pair in _pairs(column):
                shared[pair] -= 1
        else:
            kept.append(column)
    return kept


def _pairs(column: int) -> list[tuple[int, ...]]:
    """All pairs within a column, and its members alone."""
    members = _members(column)
    return [*combinations(members, 2), *((member,) for member in members)]


def _members(column: int) -> list[int]:
    return [place for place in range(column.bit_length()) if column >> place & 1]


def _letter(number: int) -> str:
    return ascii_letters[number] if number < len(ascii_letters) else f"({number + 1})"
