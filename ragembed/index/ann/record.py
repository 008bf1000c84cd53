"""What the catalog says of an accelerator beside its segment: how it was made, and what was measured of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from ragembed.errors import CorruptError
from ragembed.index.ann.accelerator import DEPTHS
from ragembed.index.ann.base import Setting
from ragembed.index.ann.space import Space
from ragembed.index.schema import ACCELERATORS

KIND = "ann"
"""Kind of an accelerator's segment."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What the search found of what exact search finds, when it was last looked at."""

    recall: Mapping[int, float]
    """Share of the exact hits that it finds, by how many are wanted."""
    generation: int
    """Of the index then."""
    covered: int
    """Live rows in the accelerator then."""
    delta: int
    """Live rows beside it then."""
    seconds: float | None = None
    """For one query by one thread, the median; None where it was not measured."""
    exact_seconds: float | None = None
    """The same for exact search."""


@dataclass(frozen=True, slots=True)
class AnnRecord:
    """The accelerator of one embedder."""

    segment: str
    """Its file."""
    spec: str
    dimension: int
    longest: float | None
    """See `ragembed.index.ann.space.Space`."""
    faiss_bytes: int
    """Where in its file the probes begin."""
    settings: Mapping[int, Setting]
    target: float
    """Recall that it was asked for."""
    probes: int
    """Queries that stand in its file."""
    probe_rows: tuple[int, ...]
    """Rows left out of it, whose vectors serve as queries, where there were none from users."""
    measured: Measured

    @property
    def space(self) -> Space:
        """How its vectors lie."""
        return Space(self.dimension, self.longest)

    def with_measured(self, settings: Mapping[int, Setting], measured: Measured) -> AnnRecord:
        """The same accelerator after it was looked at again."""
        return replace(self, settings=dict(settings), measured=measured)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            **asdict(self),
            "settings": {str(k): [s.effort, s.refine] for k, s in self.settings.items()},
            "probe_rows": list(self.probe_rows),
            "measured": {
                **asdict(self.measured),
                "recall": {str(k): recall for k, recall in self.measured.recall.items()},
            },
        }


def records_from_json(values: Any) -> dict[int, AnnRecord]:
    """By number of the embedder what `to_json` made; `CorruptError` where it is not that."""
    try:
        return {int(number): _record(value) for number, value in (values or {}).items()}
    except (TypeError, ValueError, LookupError, AttributeError) as error:
        raise CorruptError(
            f"the catalog's setting {ACCELERATORS} is damaged ({error})",
            "run: ragembed verify INDEX --repair",
        ) from error


def _record(value: Mapping[str, Any]) -> AnnRecord:
    measured = dict(value["measured"])
    measured["recall"] = {int(k): float(recall) for k, recall in measured["recall"].items()}
    settings = {
        int(k): Setting(int(effort), int(refine)) for k, (effort, refine) in value["settings"].items()
    }
    record = AnnRecord(
        segment=_of(str, value["segment"]),
        spec=_of(str, value["spec"]),
        dimension=_of(int, value["dimension"]),
        longest=None if value["longest"] is None else float(value["longest"]),
        faiss_bytes=_of(int, value["faiss_bytes"]),
        settings=settings,
        target=float(value["target"]),
        probes=_of(int, value["probes"]),
        probe_rows=tuple(_of(int, row) for row in value["probe_rows"]),
        measured=Measured(**measured),
    )
    if (
        set(settings) != set(DEPTHS)
        or any(s.effort < 0 or s.refine < 1 for s in settings.values())
        or min(record.dimension, record.faiss_bytes) < 1
        or record.probes < 0
        or not (record.longest is None or 0 < record.longest < math.inf)
        or not 0 < record.target <= 1
    ):
        raise ValueError("values that make no sense")
    return record


def _of(kind: type, value: Any) -> Any:
    if type(value) is not kind:
        raise TypeError(f"{value!r} where {kind.__name__} is wanted")
    return value
