"""Holm's correction for many tests."""

from __future__ import annotations

from collections.abc import Iterable

from ragembed.errors import QueryError


def holm(p: Iterable[float]) -> list[float]:
    """p values adjusted for being looked at together, in the order given.

    The smallest of m is multiplied by m, the next by m - 1 and so on; none may fall below the one before it, nor rise
    above 1. Calling significant what is then at most 0.05 calls anything wrongly in at most 5% of such families of
    tests, however these depend on one another. Holm 1979, "A simple sequentially rejective multiple test procedure".
    """
    values = [float(value) for value in p]
    adjusted = [0.0] * len(values)
    reached = 0.0
    for place, n in enumerate(sorted(range(len(values)), key=values.__getitem__)):
        if not 0 <= values[n] <= 1:  # NaN too
            raise QueryError(f"{values[n]} is no p value", "give numbers from 0 to 1")
        reached = max(reached, min(1.0, (len(values) - place) * values[n]))
        adjusted[n] = reached
    return adjusted
