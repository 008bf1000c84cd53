"""What is compared on what, and how: collections with where they came from, measures, depth, statistics."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ragembed.errors import QueryError, SpecError
from ragembed.eval.answers import Collection
from ragembed.eval.names import Measure, depth, parse_measures

MEASURES = "nDCG@10,R@100,RR@10"
SPAN_MEASURES = "SpanNDCG@5,SpanR@4000c,SpanR@5,SpanIoU@5"
"""What is measured on collections with reference spans, unless it is said."""
_SUMS = ("NumQ", "NumRel", "NumRet")


@dataclass(frozen=True, slots=True)
class Entry:
    """A collection with what is needed to open it again."""

    collection: Collection
    source: str
    """Folder or name, as it was given."""
    allow_unknown: bool = False


@dataclass(frozen=True, slots=True)
class Settings:
    """How systems are measured and compared."""

    measures: tuple[Measure, ...]
    """The first is the one that decides."""
    k: int
    """Documents retrieved for each query."""
    confidence: float = 0.95
    rounds: int | None = None
    """Of the randomisation test; None: 10,000, or more where there are many pairs."""
    seed: int = 0

    @classmethod
    def make(
        cls,
        measures: str | Iterable[str | Measure],
        k: int | None = None,
        confidence: float = 0.95,
        rounds: int | None = None,
        seed: int = 0,
    ) -> Settings:
        """Check the settings, and take as many documents as the measures look at."""
        wanted = parse_measures(measures)
        counted = next((measure for measure in wanted if measure.name in _SUMS), None)
        if counted is not None:
            raise SpecError(
                f"measure {counted} is a sum over queries", "compare systems by measures that have a mean"
            )
        if not 0.5 <= confidence < 1:
            raise QueryError(f"confidence is {confidence}", "give a number from 0.5 to below 1, such as 0.95")
        if rounds is not None and rounds < 1:
            raise QueryError(f"rounds is {rounds}", "give at least 1, better 10,000")
        if seed < 0:
            raise QueryError(f"seed is {seed}", "give a whole number from 0")
        return cls(wanted, depth(wanted, k), confidence, rounds, seed)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values, which `make` takes."""
        return {
            "measures": [str(measure) for measure in self.measures],
            "k": self.k,
            "confidence": self.confidence,
            "rounds": self.rounds,
            "seed": self.seed,
        }


def distinct_names(entries: Sequence[Entry]) -> list[str]:
    """Names of the collections, made different where two have the same."""
    found: list[str] = []
    for entry in entries:
        name = entry.collection.name
        if name in found and f"{name} ({entry.collection.split})" not in found:
            name = f"{name} ({entry.collection.split})"
        number, plain = 2, name
        while name in found:
            name, number = f"{plain} {number}", number + 1
        found.append(name)
    return found
