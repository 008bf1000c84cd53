"""A hit with more of its document around it: what the steps `neighbours` and `parent` share."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar, NamedTuple

from ragembed.retrieve.fusion import Fused
from ragembed.retrieve.steps.base import Candidates, Loss, Step
from ragembed.types import Chunk, Context


class Place(NamedTuple):
    """Where a chunk lies in its document."""

    row: int
    start: int
    end: int


Outline = Sequence[Place]
"""The chunks of a document that may be shown, in order of their starts."""


class ContextStep(Step):
    """Gives each hit a stretch of its document; hits whose stretches overlap become the best of them."""

    loss: ClassVar[Loss] = "merged"

    def reach(self, k: int) -> int:
        """2k: half of the hits may lie in the context of others."""
        return 2 * k

    @abstractmethod
    def stretch(self, given: Candidates, outline: Outline, at: int) -> tuple[int, int]:
        """Start and end of the context of the chunk ``outline[at]``, which lies within."""

    def apply(self, given: Candidates, k: int) -> list[Fused]:
        """Up to k hits with their contexts; what a filter does not let through is in none of them."""
        outlines, owners = _outlines(given)
        kept: list[Fused] = []
        spans: dict[str, list[list[int]]] = {}
        """By document: start and end of each context, and which of `kept` has it."""
        names = given.ranking.catalog.chunk_ids([hit.row for hit in given.hits])
        for hit in given.hits:
            if len(kept) == k:
                break
            document, at = owners[hit.row]
            start, end = self.stretch(given, outlines[document], at)
            others = spans.setdefault(document, [])
            met = [span for span in others if start < span[1] and span[0] < end]
            if not met:
                others.append([start, end, len(kept)])
                kept.append(hit)
                continue
            mine = min(met, key=lambda span: span[2])
            kept[mine[2]].stands_for += [names[hit.row], *hit.stands_for]
            _widen(mine, start, end, others)
        for document, stretches in spans.items():
            for start, end, number in stretches:
                kept[number].context = _context(given, document, outlines[document], start, end)
        return kept


def _widen(mine: list[int], start: int, end: int, others: Sequence[Sequence[int]]) -> None:
    """Let a context take in ``[start, end)`` up to where the next ones begin and end: contexts never overlap."""
    below = [span[1] for span in others if span is not mine and span[1] <= mine[0]]
    above = [span[0] for span in others if span is not mine and span[0] >= mine[1]]
    mine[0] = min(mine[0], max([start, *below]))
    mine[1] = max(mine[1], min([end, *above]))


def _outlines(given: Candidates) -> tuple[Mapping[str, Outline], Mapping[int, tuple[str, int]]]:
    """The outline of each hit's document, and for each hit's row its document and place in the outline."""
    ranking = given.ranking
    rows = [hit.row for hit in given.hits]
    documents = {document for document, _ in ranking.catalog.places(rows).values()}
    allowed = None if ranking.selection is None else set(ranking.selection.rows.tolist())
    outlines = {
        document: [Place(*place) for place in places if allowed is None or place[0] in allowed]
        for document, places in ranking.catalog.outline(sorted(documents)).items()
    }
    wanted = set(rows)
    owners = {
        place.row: (document, at)
        for document, outline in outlines.items()
        for at, place in enumerate(outline)
        if place.row in wanted
    }
    return outlines, owners


def _context(given: Candidates, document: str, outline: Outline, start: int, end: int) -> Context:
    """What the chunks between `start` and `end` hold, in order; gaps between them are told."""
    inside = [place for place in outline if place.start < end and start < place.end]
    chunks = given.ranking.chunks([place.row for place in inside])
    pieces: list[str] = []
    gaps: list[tuple[int, int]] = []
    used: list[str] = []
    at = start
    for place in inside:
        if place.end <= at:
            continue
        if place.start > at:
            gaps.append((at, place.start))
            pieces.append("\n".ljust(place.start - at))
            at = place.start
        chunk: Chunk = chunks[place.row]
        pieces.append(chunk.text[at - place.start : min(end, place.end) - place.start])
        used.append(chunk.id)
        at = min(end, place.end)
    return Context(document, "".join(pieces), start, end, tuple(gaps), tuple(used))
