"""How long the rest of a comparison will take, by what is done of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

_SURE = 0.05
"""Share of a job that must be done before its own progress is trusted."""


@dataclass(slots=True)
class Remaining:
    """Seconds for a document, for each system that has been seen at work."""

    rates: dict[str, float] = field(default_factory=dict)

    def finished(self, system: str, documents: int, seconds: float) -> None:
        """Tell that a system has done a collection."""
        self.rates[system] = seconds / max(1, documents)

    def estimate(
        self, system: str, documents: int, elapsed: float, share: float, todo: Sequence[tuple[str, int]]
    ) -> float | None:
        """Seconds until all is done; None while nothing can be said.

        `system` is at work on `documents`, of which a `share` is done after `elapsed` seconds; `todo` holds systems and
        numbers of documents that come after it. A system not seen yet is taken to be as fast as the median of those
        that have been.
        """
        rates = dict(self.rates)
        if share >= _SURE:
            rates[system] = elapsed / share / max(1, documents)
        if not rates:
            return None
        middle = median(rates.values())
        whole = rates.get(system, middle) * documents
        rest = sum(rates.get(name, middle) * size for name, size in todo)
        return max(0.0, whole - elapsed) + rest
