"""Near-duplicates: the best of them stays, and says which it stands for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ragembed.errors import SpecError
from ragembed.retrieve.checks import at_least_1
from ragembed.retrieve.fusion import Fused
from ragembed.retrieve.steps.base import Candidates, Loss, Step
from ragembed.retrieve.steps.similarity import normal, resemblances, vector_cosines

COSINE = 0.95
"""Of vectors; see docs/steps.md for what pairs have it."""
RESEMBLANCE = 0.8
"""Of sets of shingles."""


@dataclass(frozen=True)
class Collapse(Step):
    """A hit that says what a better one says is dropped.

    Two passages are the same where they differ in case and white space alone, or where they are at least `similarity`
    alike: by the cosine of the stored vectors of the first dense embedder; where the index has none, by the resemblance
    of their texts, the Jaccard coefficient of their sets of four successive words (Broder 1997). Each hit is compared
    with those that stay, from the first on, and goes to the first of those most like it.
    """

    name: ClassVar[str] = "collapse"
    loss: ClassVar[Loss] = "deduplicated"

    similarity: float | None = None
    """From what on two passages are the same, up to 1; none: a cosine of 0.95, a resemblance of 0.8."""
    depth: int = 100
    """Hits that are compared, or 2k where that is more."""

    def __post_init__(self) -> None:
        if self.similarity is not None and not 0 < self.similarity <= 1:
            raise SpecError(
                f"collapse(similarity={self.similarity:g}) is not above 0 and up to 1",
                "give one such as 0.95",
            )
        at_least_1(self.name, depth=self.depth)

    def reach(self, k: int) -> int:
        """`depth`, and 2k where that is more: half of the hits may go."""
        return max(2 * k, self.depth)

    def apply(self, given: Candidates, k: int) -> list[Fused]:
        """Up to k hits; fewer where too many went."""
        chunks = given.chunks(given.hits)
        alike = vector_cosines(given.ranking, given.hits)
        least = COSINE if alike is not None else RESEMBLANCE
        if alike is None:
            alike = resemblances([chunk.text for chunk in chunks])
        if self.similarity is not None:
            least = self.similarity
        plain = [normal(chunk.text) for chunk in chunks]
        kept: list[int] = []
        first: dict[str, int] = {}
        for at, hit in enumerate(given.hits):
            same = first.get(plain[at])
            if same is None and kept:
                nearest = max(kept, key=lambda other: alike[at, other])
                same = (
                    nearest if alike[at, nearest] >= least - 1e-6 else None
                )  # as float32 vectors of one text are
            if same is None:
                kept.append(at)
            else:
                given.hits[same].stands_for += [chunks[at].id, *hit.stands_for]
            first.setdefault(plain[at], at if same is None else same)
        return [given.hits[at] for at in kept[:k]]
