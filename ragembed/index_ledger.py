"""What became of the tokens of the documents in an index: embedded, cut off, or in no chunk.

An index keeps chunks, not documents, so files are read again. A document that has no file, or whose file has changed
since or is gone, cannot be counted; how many these are is told.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ragembed.ledger import TokenLedger
from ragembed.reread import documents_again
from ragembed.tokens import Tokenizer, tokenizer
from ragembed.types import Chunk

if TYPE_CHECKING:
    from ragembed.embed.base import Embedder
    from ragembed.pipeline import Pipeline

_AT_ONCE = 100
"""Losing documents kept beyond twice those that are asked for, before the list is cut."""


@dataclass(slots=True)
class IndexLedger:
    """The ledgers of all documents of an index."""

    tokenizer: str
    """In whose tokens it is counted."""
    total: TokenLedger = field(default_factory=TokenLedger)
    documents: int = 0
    """Those that `total` counts."""
    not_at_hand: int = 0
    """Documents whose text cannot be read again as it was."""
    worst: list[tuple[str, TokenLedger]] = field(default_factory=list)
    """Documents that lose tokens, those that lose most first."""

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "tokenizer": self.tokenizer,
            **self.total.to_json(),
            "documents": self.documents,
            "not_at_hand": self.not_at_hand,
            "worst": [{"document": identifier, **ledger.to_json()} for identifier, ledger in self.worst],
        }


def ledger_of(pipeline: Pipeline, most: int = 10) -> IndexLedger:
    """The ledger of an index, by the first of its embedders that has tokens of its own; `most`: length of `worst`."""
    owner = next((one for one in pipeline.embedders if one.tokenizer_name and one.field is None), None)
    counted = tokenizer((owner and owner.tokenizer_name) or "words")
    found = IndexLedger(counted.name)
    losing: list[tuple[int, str, TokenLedger]] = []
    with pipeline.store.snapshot() as catalog:
        for document, chunks in documents_again(catalog):
            ledger = document_ledger(document.text, chunks, counted, _limit(owner))
            found.total += ledger
            found.documents += 1
            if ledger.lost:
                losing.append((ledger.lost, document.id, ledger))
                if len(losing) > 2 * most + _AT_ONCE:
                    losing = heapq.nlargest(most, losing, key=lambda one: one[0])
        found.not_at_hand = catalog.document_count() - found.documents
    best = heapq.nsmallest(most, losing, key=lambda one: (-one[0], one[1]))
    found.worst = [(identifier, ledger) for _, identifier, ledger in best]
    return found


def document_ledger(
    text: str, chunks: Sequence[Chunk], counted: Tokenizer, limit: int | None = None
) -> TokenLedger:
    """The ledger of one document, of each of whose chunks the first `limit` tokens are embedded, context included.

    A token belongs to the chunk in which it begins.
    """
    starts = counted.starts(text)
    spans = np.array([(chunk.start, chunk.end) for chunk in chunks], np.int64).reshape(-1, 2)
    first, last = np.searchsorted(starts, spans[:, 0]), np.searchsorted(starts, spans[:, 1])
    read = last
    if limit is not None:
        context = [counted.count(str(chunk.metadata.get("context") or "")) for chunk in chunks]
        read = np.minimum(last, first + np.maximum(0, limit - np.array(context, np.int64)))
    held, embedded = _union(first, last, len(starts)), _union(first, read, len(starts))
    return TokenLedger(
        len(starts), embedded, held - embedded, len(starts) - held, int((read - first).sum()) - embedded
    )


def _union(first: np.ndarray, last: np.ndarray, size: int) -> int:
    """How many of `size` tokens lie in one range at least."""
    steps = np.bincount(first, minlength=size + 1) - np.bincount(last, minlength=size + 1)
    return int((steps.cumsum()[:size] > 0).sum())


def _limit(owner: Embedder | None) -> int | None:
    return None if owner is None else owner.max_tokens
