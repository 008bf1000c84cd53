"""A hit with the chunks before and after it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ragembed.errors import SpecError
from ragembed.retrieve.steps.base import Candidates
from ragembed.retrieve.steps.context import ContextStep, Outline


@dataclass(frozen=True)
class Neighbours(ContextStep):
    """Gives each hit the neighbouring chunks of its document as context; overlapping contexts become one hit."""

    name: ClassVar[str] = "neighbours"

    before: int = 1
    """Chunks before the hit."""
    after: int = 1
    """Chunks after it."""

    def __post_init__(self) -> None:
        if self.before < 0 or self.after < 0:
            raise SpecError(
                f"neighbours(before={self.before}, after={self.after}) counts below 0",
                "give how many chunks before and after a hit are to be shown",
            )

    def stretch(self, given: Candidates, outline: Outline, at: int) -> tuple[int, int]:
        """From the start of the first neighbour to the end of the last."""
        chosen = outline[max(0, at - self.before) : at + self.after + 1]
        return chosen[0].start, max(place.end for place in chosen)
