"""Newer documents are moved up."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar

from ragembed.errors import SpecError
from ragembed.filters.conditions import pairs
from ragembed.retrieve.fusion import Fused
from ragembed.retrieve.steps.base import Candidates
from ragembed.retrieve.steps.reordering import Reordering, raised

_DAY = 86_400.0
_YEARS = range(1000, 3000)
"""Whole numbers that are read as years."""
_SECONDS = 1e11
"""Larger numbers are milliseconds since 1970, not seconds: as seconds they would be after the year 5000."""


@dataclass(frozen=True)
class Recency(Reordering):
    """Adds ``weight * 2 ** (-age / half_life)`` to the score of each hit, which is scaled as `boost` does it.

    A date is an ISO 8601 text (``2024-05-01``, with a time or without; of no time zone: UTC), a year, or seconds or
    milliseconds since 1970. A hit without a date that can be read gets nothing, one of the future the whole weight.
    """

    name: ClassVar[str] = "recency"

    field: str = "date"
    """The key of the metadata, as filters name it; of several dates the newest counts."""
    half_life: float = 365.0
    """Days after which a document gets half as much."""
    weight: float = 0.2
    """What a document of today gets."""
    today: str | None = None
    """The day from which ages are counted, as a date; none: now."""
    depth: int = 100
    """Hits that are looked at."""

    def __post_init__(self) -> None:
        if not (self.half_life > 0 and math.isfinite(self.half_life)):
            raise SpecError(f"recency(half_life={self.half_life:g}) is not above 0", "give a number of days")
        if not math.isfinite(self.weight):
            raise SpecError(f"recency(weight={self.weight}) is no number", "give a weight such as 0.2")
        super().__post_init__()
        if self.today is not None and seconds(self.today) is None:
            raise SpecError(f"recency(today={self.today}) is no date", "write it like 2024-05-01")

    def reordered(self, given: Candidates, top: list[Fused]) -> list[Fused]:
        """Of equal scores in the order that they had."""
        now = time.time() if self.today is None else seconds(self.today) or 0.0
        return raised(top, [self._gain(chunk.metadata, now) for chunk in given.chunks(top)])

    def _gain(self, metadata: Mapping[str, Any], now: float) -> float:
        found = [
            date
            for key, value in pairs(metadata)
            if key == self.field and (date := seconds(value)) is not None
        ]
        if not found:
            return 0.0
        return self.weight * math.exp2(-max(0.0, now - max(found)) / (_DAY * self.half_life))


def seconds(date: object) -> float | None:
    """A date as seconds since 1970; None for what is none."""
    if isinstance(date, bool):
        return None
    if isinstance(date, (int, float)):
        if date in _YEARS:
            return datetime(int(date), 1, 1, tzinfo=UTC).timestamp()
        return (date / 1000 if abs(date) > _SECONDS else float(date)) if math.isfinite(date) else None
    if not isinstance(date, str):
        return None
    text = date.strip()
    if text.isascii() and text.isdigit() and len(text) == 4:
        return seconds(int(text))
    try:
        read = datetime.fromisoformat(text)
        return (read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
