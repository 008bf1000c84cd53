"""Whether the words that would have matched lie beyond what an embedder reads of a chunk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ragembed.analysis import Analyzer
from ragembed.chunk.recursive import Recursive
from ragembed.embed.base import Embedder
from ragembed.errors import SpecError
from ragembed.explain.state import State
from ragembed.explain.whatif import Outcome, best_outcome
from ragembed.explain.words import term_set
from ragembed.tokens import tokenizer
from ragembed.types import Document

_SIZES = (128, 64, 32)
"""Tokens of the passages that are tried, each as far as the embedder reads."""
_PASSAGES = 48
"""Most passages of a chunk that are embedded: those that share most words with the query."""
_CHUNKS = 8
"""Most chunks that are looked at."""
_SHOWN = 240
"""Characters of the best passage that are told."""


@dataclass(frozen=True, slots=True)
class Cut:
    """A chunk of which an embedder reads only the beginning."""

    embedder: str
    chunk: str
    tokens: int
    read: int
    beyond: tuple[str, ...]
    """Terms of the query that stand only in what is not read."""
    passage: str
    """Of what is not read, the part that would have stood highest."""
    size: int
    """Tokens that such a part may have."""
    outcome: Outcome | None

    def as_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "embedder": self.embedder,
            "chunk": self.chunk,
            "tokens": self.tokens,
            "read": self.read,
            "beyond": list(self.beyond),
            "passage": self.passage,
            "size": self.size,
            "would_be": self.outcome.as_json() if self.outcome else None,
        }


@dataclass(frozen=True, slots=True)
class _Overlong:
    """A chunk that is longer than an embedder reads."""

    embedder: Embedder
    row: int
    text: str
    first: int
    """Where the part begins that is not read."""
    tokens: int


def best_cut(
    state: State, rows: Sequence[int], own: Sequence[int], terms: set[str], analyzer: Analyzer
) -> Cut | None:
    """Of what embedders do not read of the chunks `rows`, the part that would stand highest as a chunk of its own.

    `own` are all rows of its document, which it would stand instead of. None where everything is read.
    """
    found = [
        _looked_at(state, chunk, own, terms, analyzer)
        for embedder in state.embedders
        for chunk in _overlong(state, embedder, rows)[:_CHUNKS]
    ]
    return min(found, key=_order) if found else None


def _overlong(state: State, embedder: Embedder, rows: Sequence[int]) -> list[_Overlong]:
    """The chunks that are longer than `embedder` reads."""
    if embedder.tokenizer_name is None or embedder.max_tokens is None or embedder.field is not None:
        return []
    try:
        counter = tokenizer(embedder.tokenizer_name)
    except SpecError:  # its tokens cannot be counted here
        return []
    found = []
    for row, text in zip(rows, state.catalog.embedded_texts(rows), strict=True):
        starts = counter.starts(text)
        if len(starts) > embedder.max_tokens:
            found.append(_Overlong(embedder, row, text, int(starts[embedder.max_tokens]), len(starts)))
    return found


def _looked_at(
    state: State, chunk: _Overlong, own: Sequence[int], terms: set[str], analyzer: Analyzer
) -> Cut:
    unread = chunk.text[chunk.first :]
    limit = chunk.embedder.max_tokens or 0
    tried: dict[str, int] = {}
    for size in sorted({min(size, limit) for size in _SIZES}):
        chunker = Recursive(
            tokens=size, overlap=size // 2, tokenizer=chunk.embedder.tokenizer_name or "words"
        )
        for start, end in chunker.spans(Document("", unread)):
            tried.setdefault(unread[start:end], size)
    shared = {passage: len(terms & term_set(passage, analyzer)) for passage in tried}
    passages = sorted(tried, key=lambda passage: -shared[passage])[:_PASSAGES]
    outcome = best_outcome(state, passages, own)
    best = passages[outcome.text] if outcome else ""
    beyond = (terms & term_set(unread, analyzer)) - term_set(chunk.text[: chunk.first], analyzer)
    return Cut(
        str(chunk.embedder.spec),
        state.catalog.chunks([chunk.row])[chunk.row].id,
        chunk.tokens,
        limit,
        tuple(sorted(beyond)),
        best[:_SHOWN],
        tried.get(best, limit),
        outcome,
    )


def _order(cut: Cut) -> tuple[bool, int, int]:
    rank = cut.outcome.rank if cut.outcome else None
    return rank is None, rank or 0, -len(cut.beyond)
