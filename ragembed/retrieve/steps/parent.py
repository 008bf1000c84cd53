"""A hit with the document, or the section, that it stands in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ragembed.errors import SpecError
from ragembed.retrieve.steps.base import Candidates
from ragembed.retrieve.steps.context import ContextStep, Outline

SEPARATOR = " > "
"""Between the titles of a chunk's ``heading``."""


@dataclass(frozen=True)
class Parent(ContextStep):
    """Gives each hit as context the largest of these that is short enough: its document, the sections that it stands
    in from the outermost to the innermost (by ``heading`` in the metadata of chunks), and where even that is too long
    as many of the nearest chunks of the same section as go in, in turn after and before the hit.
    """

    name: ClassVar[str] = "parent"

    most: int = 4000
    """Characters of a context, unless the hit alone has more."""

    def __post_init__(self) -> None:
        if self.most < 1:
            raise SpecError(
                f"parent(most={self.most}) is below 1", "give a number of characters such as 4000"
            )

    def stretch(self, given: Candidates, outline: Outline, at: int) -> tuple[int, int]:
        """Start and end of what is shown around ``outline[at]``."""
        start, end = _span(outline)
        if end - start <= self.most:
            return start, end
        hit = outline[at]
        first, last = at, at + 1  # with one chunk on each side that goes beyond `most`, where there is one
        while first > 0 and outline[first].start > hit.end - self.most:
            first -= 1
        while last < len(outline) and outline[last - 1].end < hit.start + self.most:
            last += 1
        near, at = outline[first:last], at - first
        chunks = given.ranking.chunks([place.row for place in near])
        headings = [str(chunks[place.row].metadata.get("heading") or "") for place in near]
        titles = headings[at].split(SEPARATOR)
        first, last = 0, len(near)
        for level in range(1, len(titles) + 1):
            first, last = _run(headings, at, SEPARATOR.join(titles[:level]))
            start, end = _span(near[first:last])
            if end - start <= self.most:
                return start, end
        return self._grown(near[first:last], at - first)

    def _grown(self, near: Outline, at: int) -> tuple[int, int]:
        """The span of ``near[at]`` and of as many chunks after and before it, in turn, as go in."""
        first, last = at, at + 1
        growing = {"after", "before"}
        while growing:
            for side in ("after", "before"):
                wider = (first, last + 1) if side == "after" else (first - 1, last)
                if wider[0] < 0 or wider[1] > len(near):
                    growing.discard(side)
                elif side in growing:
                    start, end = _span(near[slice(*wider)])
                    if end - start <= self.most:
                        first, last = wider
                    else:
                        growing.discard(side)
        return _span(near[first:last])


def _span(places: Outline) -> tuple[int, int]:
    return places[0].start, max(place.end for place in places)


def _run(headings: list[str], at: int, section: str) -> tuple[int, int]:
    """First, and one after the last, of the chunks around `at` that stand in `section` or below it."""

    def within(heading: str) -> bool:
        return heading == section or heading.startswith(section + SEPARATOR)

    first, last = at, at + 1
    while first > 0 and within(headings[first - 1]):
        first -= 1
    while last < len(headings) and within(headings[last]):
        last += 1
    return first, last
