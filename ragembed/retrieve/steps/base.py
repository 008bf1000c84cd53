"""What a step of a search is given, and what it gives."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from ragembed.registry import spec_of
from ragembed.retrieve.fusion import Fused
from ragembed.spec import Spec

if TYPE_CHECKING:
    from ragembed.retrieve.ranking import Ranking
    from ragembed.types import Chunk

Loss = Literal["reordered", "reranked_away", "searched_again", "deduplicated", "merged", "rejected"]
"""How a document that was among the hits before a step is lost by it, as `ragembed explain` names it."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """One query's list as a step finds it."""

    ranking: Ranking
    number: int
    """Of the query, in the ranking."""
    hits: Sequence[Fused]
    """Best first."""
    changed: dict[int, list[Any]] = field(default_factory=dict)
    """By the query's number how a step has changed its encodings, which the next step finds."""

    @property
    def query(self) -> str:
        """The text of the query."""
        return self.ranking.queries[self.number]

    def chunks(self, hits: Sequence[Fused]) -> list[Chunk]:
        """The chunks of some hits, in their order."""
        found = self.ranking.chunks([hit.row for hit in hits])
        return [found[hit.row] for hit in hits]

    def encoded(self) -> list[Any]:
        """For each side this query alone as it is encoded by now, at position 0: what `search_again` takes."""
        number = self.number
        if number in self.changed:
            return list(self.changed[number])
        return [None if encoded is None else encoded[number : number + 1] for encoded in self.ranking.encoded]

    def search_again(self, encoded: Sequence[Any], k: int) -> list[Fused]:
        """The k best for changed encodings of the query, one for each side; hits known keep what steps noted."""
        self.changed[self.number] = list(encoded)
        (found,) = self.ranking.joined([0], k, encoded)
        known = {hit.row: hit for hit in self.hits}
        for hit in found:
            if hit.row in known:
                hit.trail.update(known[hit.row].trail)
        return found


class Step(ABC):
    """Something done with a ranked list. Subclasses are dataclasses, their fields the spec's parameters.

    The first hits that a step gives are the same whatever k is, up to its depth.
    """

    name: ClassVar[str]
    loss: ClassVar[Loss] = "reordered"
    """What to call it when it takes a document out of the hits."""

    @property
    def spec(self) -> Spec:
        """The spec that makes it again."""
        return spec_of(self, self.name)

    def reach(self, k: int) -> int:
        """How many hits it must be given to give k good ones."""
        return k

    @abstractmethod
    def apply(self, given: Candidates, k: int) -> list[Fused]:
        """Up to k hits, best first, their scores falling; those of `given` may be changed in place."""


def scaled(hits: Sequence[Fused]) -> list[float]:
    """The scores of `hits`, best first, on a scale from 0, the last, to 1, the first; all 1 where they are equal.

    Min-max scaling (Lee 1997): a step that weighs relevance against something else needs one scale for BM25, cosines
    and sums of reciprocal ranks.
    """
    if not hits:
        return []
    best, worst = hits[0].score, hits[-1].score
    width = best - worst
    if not width > 0:
        return [1.0] * len(hits)
    return [(hit.score - worst) / width for hit in hits]


def followed(top: Sequence[Fused], rest: Sequence[Fused]) -> list[Fused]:
    """`top`, then `rest` in its order, with scores that go on falling below the last of `top`.

    The scores of `rest` keep their differences; between the two lists is a gap that a float32 can hold.
    """
    if not top or not rest:
        return [*top, *rest]
    last, first = top[-1].score, rest[0].score
    start = last - 1e-3 * max(1e-3, abs(last))
    for hit in rest:
        hit.score = start - (first - hit.score)
    return [*top, *rest]
