"""Fusion by evidence: BM25's scores as they are, others by how far the index's own chunks lie apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ragembed.retrieve.fusion.base import (
    DEPTH,
    UNKNOWN_NATS,
    Doubles,
    Fusion,
    Scores,
    deviation,
)

_TAIL = 1e-3
"""What differences below the first 200 count: they order what no other list has."""
_OF_A_LIST = 0.5
"""A list's first 200 have about half the standard deviation that all chunks have with each other; where there are too
few chunks to measure that, it stands for it."""


@dataclass(frozen=True)
class Evidence(Fusion):
    """The sum of what each list says for a row, in nats, the unit of logarithms of odds.

    BM25's scores are such sums already: idf is a term's weight of evidence (Robertson & Sparck Jones 1976). So they
    stay as they are, and a query of few and common words counts for little. Other scores have no unit: they are
    measured by the standard deviation of the scores that the index's chunks have with each other, each worth the nats
    that embedders of its kind have been found to be worth, less where the embedder does not agree with BM25 on the
    index's own texts. 0 nats is where the first 200 of a list end: what it does not have lies below.
    """

    name: ClassVar[str] = "evidence"
    measures: ClassVar[bool] = True

    weights: str | None = None
    """What each embedder's nats are multiplied by, in their order, as ``1:0.5``; 1 without."""

    def shares(self, scores: Doubles, of: Scores) -> Doubles:
        """What each place of a list (n,) with these scores, best first, gives before its weight."""
        cut = len(scores) >= DEPTH
        if of.evidence:
            unit, end = 1.0, scores[DEPTH - 1] if cut else 0.0
        else:
            unit, end = _unit(scores, of), scores[DEPTH - 1] if cut else scores[-1]
        above = np.maximum(scores - end, 0)
        below = np.minimum(scores, end) - min(scores[-1], end)
        shares: Doubles = unit * (above + _TAIL * below)
        return shares


def _unit(scores: Doubles, of: Scores) -> float:
    """Nats for a difference of 1 between scores; 0 where all are alike."""
    nats = UNKNOWN_NATS if of.nats is None else of.nats
    if of.spread:
        return nats / of.spread
    spread = deviation(scores[:DEPTH])
    return nats * _OF_A_LIST / spread if spread else 0.0
