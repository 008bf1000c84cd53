"""Leaving out what is probably no answer, so that a search can say that there is none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ragembed.errors import QueryError, SpecError
from ragembed.retrieve.calibration import MARKED
from ragembed.retrieve.learnt import HOW
from ragembed.retrieve.steps.base import Candidates, Loss, Step

if TYPE_CHECKING:
    from ragembed.retrieve.calibration import Calibration
    from ragembed.retrieve.fusion import Fused


@dataclass(frozen=True)
class Threshold(Step):
    """Keep the hits that are relevant with at least some probability, as `ragembed tune` has calibrated it; of a query
    without an answer none may be left.

    The probability is of what the lists said before any step. A hit that only another step has found has none, and
    is left out.
    """

    name: ClassVar[str] = "threshold"
    loss: ClassVar[Loss] = "rejected"

    probability: float | None = None
    """The least that is kept, 0 to 1; 0.5 where nothing is said."""
    precision: float | None = None
    """In its place: the share of kept hits that is relevant, above 0 up to 1, as far as the queries that the index was
    tuned by can tell with a confidence of 90 %."""

    def __post_init__(self) -> None:
        if self.probability is not None and self.precision is not None:
            raise SpecError("threshold has a probability and a precision", "give one of them")
        if self.probability is not None and not 0 <= self.probability <= 1:
            raise SpecError(f"threshold(probability={self.probability:g})", "give a number from 0 to 1")
        if self.precision is not None and not 0 < self.precision <= 1:
            raise SpecError(f"threshold(precision={self.precision:g})", "give a number above 0 up to 1")

    def reach(self, k: int) -> int:
        """How many hits it must be given: a hit further down may be kept where one above it is not."""
        return max(k, MARKED)

    def apply(self, given: Candidates, k: int) -> list[Fused]:
        """The hits of at least that probability, in their order."""
        calibration = given.ranking.calibration
        if calibration is None:
            raise QueryError(why_uncalibrated(given), f"run: {HOW}")
        least = self._least(calibration)
        known = given.ranking.probabilities[given.number]
        return [hit for hit in given.hits if known.get(hit.row, -1.0) >= least]

    def _least(self, calibration: Calibration) -> float:
        if self.precision is None:
            return 0.5 if self.probability is None else self.probability
        least = calibration.least_for(self.precision)
        if least is None:
            best = calibration.best_precision()
            reached = "too few hits to say" if best is None else f"the best is {best:.2f}"
            raise QueryError(
                f"by the queries that this index was tuned by no threshold surely has precision {self.precision:g}:"
                f" {reached}",
                "ask for less, give threshold(probability=...), or tune with more labelled queries",
            )
        return least


def why_uncalibrated(given: Candidates) -> str:
    """Why there are no probabilities for this search."""
    learnt = given.ranking.learnt
    if learnt is None or learnt.calibration is None:
        return "threshold needs probabilities, and this index has not learnt any"
    return (
        f"threshold needs probabilities, and this index has learnt them for {learnt.calibration.fusion},"
        f" not for {given.ranking.fusion.spec}"
    )
