"""Joining the lists of several embedders into one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

RRF_K = 60
"""The constant of Cormack, Clarke & Buettcher 2009, who found the choice uncritical."""


@dataclass(slots=True)
class Fused:
    """A chunk row with its joint score and each list's own (rank, score), by the list's number."""

    row: int
    score: float
    parts: dict[int, tuple[int, float]]


def reciprocal_rank_fusion(
    lists: Sequence[Sequence[tuple[int, float]]], constant: int = RRF_K
) -> list[Fused]:
    """All rows of the lists by ``sum over lists of 1 / (constant + rank)``, ranks from 1; equal scores by row.

    Each list holds (row, score), best first. Only ranks count, so the lists' scores need no common scale
    (Cormack, Clarke & Buettcher, SIGIR 2009).
    """
    found: dict[int, Fused] = {}
    for number, hits in enumerate(lists):
        for rank, (row, score) in enumerate(hits, 1):
            fused = found.setdefault(row, Fused(row, 0.0, {}))
            fused.score += 1 / (constant + rank)
            fused.parts[number] = (rank, score)
    return sorted(found.values(), key=lambda fused: (-fused.score, fused.row))
