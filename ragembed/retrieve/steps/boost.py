"""Hits whose metadata meet a condition are moved up, or down."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import ClassVar

from ragembed.errors import SpecError
from ragembed.filters import Condition, as_condition, from_dict
from ragembed.retrieve.fusion import Fused
from ragembed.retrieve.steps.base import Candidates
from ragembed.retrieve.steps.reordering import Reordering, raised


@dataclass(frozen=True)
class Boost(Reordering):
    """Adds `weight` to the score of each hit whose metadata meet a condition: a filter, or a field and its value.

    Scores are first scaled to 0, the last of the first `depth` hits, to 1, the first: a weight of 0.2 is a fifth of
    what lies between them, whatever the embedder.
    """

    name: ClassVar[str] = "boost"

    field: str | None = None
    """A key of the metadata, as filters name it."""
    value: str | int | float | bool | None = None
    """What it must be; of a list, one of its elements."""
    where: str | None = None
    """A filter instead of the two, such as ``path:guide/*``."""
    weight: float = 0.2
    """What a hit gets that meets it; below 0 it goes down."""
    depth: int = 100
    """Hits that are looked at."""
    _condition: Condition = dataclasses.field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if (self.where is None) == (self.field is None) or (self.field is None) != (self.value is None):
            raise SpecError(
                "boost takes a field and its value, or where",
                "write boost(field=lang, value=en), or boost(where=path:guide/*)",
            )
        if not math.isfinite(self.weight):
            raise SpecError(f"boost(weight={self.weight}) is no number", "give a weight such as 0.2")
        super().__post_init__()
        condition = (
            as_condition(self.where) if self.where is not None else from_dict({str(self.field): self.value})
        )
        if condition is None:
            raise SpecError("boost(where=...) is empty", "write a filter, such as path:guide/*")
        object.__setattr__(self, "_condition", condition)

    def reordered(self, given: Candidates, top: list[Fused]) -> list[Fused]:
        """Of equal scores in the order that they had."""
        return raised(
            top, [self.weight * self._condition.matches(chunk.metadata) for chunk in given.chunks(top)]
        )
