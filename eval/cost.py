"""What answers cost: time, latency, bytes, memory, and text that no embedder has read."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

_MOST_TIMED = 200
_FEWEST_TIMED = 20
_SECONDS = 10.0
"""How long queries are timed for, unless that gives fewer than `_FEWEST_TIMED`."""


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds from a query's text to its ten best chunks, one query after the other, models loaded."""

    p50: float
    p95: float
    p99: float
    queries: int
    """How many were timed."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What it took to index a collection and to answer its queries."""

    index_seconds: float
    """Loading models, chunking, embedding, storing; for vectors from a cache what making them took."""
    query_seconds: float
    """All queries in one call."""
    latency_ms: Latency | None
    vector_bytes: int
    """Vectors and postings on disk."""
    index_bytes: int
    """The whole index folder, texts too."""
    peak_memory_bytes: int | None
    """Most memory that the process had, Python and the collection included; None where it did other things too."""
    documents: int
    chunks: int
    truncated_chunks: int
    truncated_tokens: int
    cached_chunks: int = 0
    """Chunks whose vectors came from a cache: their making took no memory here."""
    tokens: int = 0
    """Of documents, where an embedder goes by words of its own."""
    unknown_tokens: int = 0
    """Of which no vector is known."""

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Cost:
        """Back from `to_json`."""
        timed = values["latency_ms"]
        return cls(**{**values, "latency_ms": None if timed is None else Latency(**timed)})


def latency(queries: Sequence[str], answer: Callable[[str], object]) -> Latency | None:
    """Time `answer` for up to 200 of `queries`, evenly spread; None without queries.

    Percentiles are interpolated linearly. The first query is asked once before, untimed.
    """
    if not queries:
        return None
    count = min(_MOST_TIMED, len(queries))
    chosen = [queries[i * len(queries) // count] for i in range(count)]
    answer(chosen[0])
    taken: list[float] = []
    for query in chosen:
        started = time.perf_counter()
        answer(query)
        taken.append(time.perf_counter() - started)
        if sum(taken) > _SECONDS and len(taken) >= _FEWEST_TIMED:
            break
    p50, p95, p99 = (round(float(value) * 1000, 3) for value in np.percentile(taken, [50, 95, 99]))
    return Latency(p50, p95, p99, len(taken))


def peak_memory() -> int | None:
    """Bytes of memory that this process had at most so far (its resident set); None where the system does not tell."""
    try:  # Linux hands ru_maxrss on from the process that started this one, but not this
        with open("/proc/self/status", encoding="ascii") as file:  # noqa: PTH123 - no file of a user
            for line in file:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
