"""A passage cut into few pieces, so that each can be left out in turn, or looked at by itself."""

from __future__ import annotations

import re
from itertools import pairwise

from ragembed.chunk.sentences import first_sentence

Span = tuple[int, int]

_BREAK = re.compile(r"\n[^\S\n]*\n\s*|\n(?=[^\S\n]*(?:[-*+#>|]|\d+[.)]\s))")
"""Ends of paragraphs, and of lines before an item of a list, a heading, a quotation or a row of a table."""
_WORD = re.compile(r"\s*\S+\s*")


def sentences(text: str) -> list[Span]:
    """The sentences, paragraphs' ends and items of lists, in order, with nothing between them left out."""
    cuts = {match.end() for match in _BREAK.finditer(text)}
    at = 0
    while (at := first_sentence(text, at + 1, len(text))) < len(text):
        cuts.add(at)
    return _spans(text, cuts)


def words(text: str) -> list[Span]:
    """The words with the white space around them, in order."""
    return _spans(text, {match.start() for match in _WORD.finditer(text)})


def pieces(text: str, most: int) -> list[Span]:
    """At most `most` pieces of `text`: its sentences, or the words of a single one, neighbours joined if need be."""
    found = sentences(text)
    if len(found) == 1:
        found = words(text)
    return grouped(found, most)


def grouped(spans: list[Span], most: int) -> list[Span]:
    """Neighbours joined until there are at most `most`, about as many to each."""
    if len(spans) <= most:
        return spans
    bounds = [len(spans) * number // most for number in range(most + 1)]
    return [(spans[first][0], spans[last - 1][1]) for first, last in pairwise(bounds)]


def _spans(text: str, cuts: set[int]) -> list[Span]:
    """The parts between cuts; one of white space only belongs to the one before it."""
    found: list[Span] = []
    for start, end in pairwise(sorted({0, *cuts, len(text)})):
        if found and text[start:end].isspace():
            found[-1] = found[-1][0], end
        else:
            found.append((start, end))
    return found
