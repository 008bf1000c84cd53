"""Whether what the query asks for lies in a document, but in different chunks of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from ragembed.analysis import Analyzer, highlight_spans
from ragembed.explain.state import State
from ragembed.explain.whatif import Outcome, best_outcome
from ragembed.explain.words import term_set
from ragembed.types import Chunk

_PAIRS = 8
"""Most pairs of neighbours that are tried: those that share most words with the query."""


@dataclass(frozen=True, slots=True)
class Split:
    """Terms of the query that several chunks of a document have between them, and no one has alone."""

    terms: tuple[str, ...]
    """Those of the query that the document has."""
    most: tuple[str, ...]
    """Those that the one chunk has which has most."""
    joined: tuple[str, ...]
    """Ids of the chunks that, joined, would stand highest."""
    outcome: Outcome | None

    @property
    def rank(self) -> int | None:
        """Where they would stand; None where no list would have them."""
        return self.outcome.rank if self.outcome else None

    def as_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "terms": list(self.terms),
            "most_in_one_chunk": list(self.most),
            "joined": list(self.joined),
            "would_be": self.outcome.as_json() if self.outcome else None,
        }


def best_split(
    state: State, chunks: Sequence[Chunk], own: Sequence[int], terms: set[str], analyzer: Analyzer
) -> Split | None:
    """How high the chunks of one document, in order, would stand if they were joined; None where that adds no term.

    Tried are pairs of neighbours, a chunk as long as the longer of both that is cut elsewhere, and the whole; each as a
    chunk of its own instead of the rows `own`.
    """
    held = [terms & term_set(chunk.text, analyzer) for chunk in chunks]
    together = set().union(*held)
    most = max(held, key=len, default=set())
    if len(together) <= len(most):
        return None
    gains = [
        (len(held[a] | held[b]), a, b)
        for a, b in pairwise(range(len(chunks)))
        if len(held[a] | held[b]) > max(len(held[a]), len(held[b]))
    ]
    best = sorted(gains, key=lambda gain: (-gain[0], gain[1]))[:_PAIRS]
    spans = [(a, b) for _, a, b in best]
    if (0, len(chunks) - 1) not in spans:
        spans.append((0, len(chunks) - 1))
    texts = [joined(chunks[a : b + 1]) for a, b in spans]
    for _, a, b in best:
        length = max(len(chunks[a].text), len(chunks[b].text))
        texts.append(_window(joined([chunks[a], chunks[b]]), length, terms, analyzer))
        spans.append((a, b))
    outcome = best_outcome(state, texts, own)
    first, last = spans[outcome.text] if outcome else (0, 0)
    ids = tuple(chunk.id for chunk in chunks[first : last + 1])
    return Split(tuple(sorted(together)), tuple(sorted(most)), ids, outcome)


def _window(text: str, length: int, terms: set[str], analyzer: Analyzer) -> str:
    """The part of about `length` characters that holds most of the terms, in its middle: a chunk cut elsewhere."""
    places = highlight_spans(analyzer, text, sorted(terms))
    held = [terms & term_set(text[start:end], analyzer) for start, end in places]
    best, last = (0, 0, 0, 0), 0
    for first, (start, _) in enumerate(places):
        while last < len(places) and places[last][1] <= start + length:
            last += 1
        if first < last:
            end = places[last - 1][1]
            best = max(best, (len(set().union(*held[first:last])), start - end, start, end))
    _, _, start, end = best
    slack = max(0, length - (end - start)) // 2
    start, end = max(0, start - slack), end + slack
    return text[text.rfind(" ", 0, start + 1) + 1 : end]


def joined(chunks: Sequence[Chunk]) -> str:
    """The text that neighbouring chunks cover: overlaps once, a line break for white space that is in none of them."""
    text, end = "", None
    for chunk in chunks:
        if end is None or chunk.start > end:
            text += ("\n" if text else "") + chunk.text
        elif chunk.end > end:
            text += chunk.text[end - chunk.start :]
        end = max(chunk.end, end or 0)
    return text
