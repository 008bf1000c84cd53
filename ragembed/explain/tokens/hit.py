"""The passage of an index that is to be looked at: the first hit, or an expected document's best chunk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ragembed.embed.built_in import BuiltInEmbedder
from ragembed.errors import EmbeddingError, QueryError
from ragembed.explain.state import State
from ragembed.explain.target import locate
from ragembed.explain.tokens.compare import Compared, compare
from ragembed.retrieve.options import SearchOptions
from ragembed.retrieve.search import Searcher, check
from ragembed.types import Chunk

if TYPE_CHECKING:
    from ragembed.filters.conditions import Condition


@dataclass(frozen=True, slots=True)
class TokenExplanation:
    """A query and a chunk of an index, token by token."""

    chunk: Chunk
    rank: int | None
    """Of the chunk in the built-in encoder's own list of all chunks."""
    indexed: float | None
    """Its score by the vectors of the index, which may be rounded."""
    compared: Compared

    def as_json(self) -> dict[str, Any]:
        """As JSON values."""
        chunk = {
            "id": self.chunk.id,
            "document_id": self.chunk.document_id,
            "rank": self.rank,
            "indexed": self.indexed,
        }
        return {"chunk": chunk, **self.compared.as_json()}


def explain_tokens(
    searcher: Searcher,
    query: str,
    *,
    expected: str | None = None,
    condition: Condition | None = None,
    fusion: str | None = None,
) -> TokenExplanation:
    """The first hit of `query`, or the best chunk of the document `expected`, by the index's built-in encoder.

    In a hybrid the hit is that of all lists together. Raises `QueryError` where there is no such passage, and
    `EmbeddingError` where no embedder of the index runs in the built-in encoder.
    """
    check([query], 1)
    number = _built_in(searcher)
    with searcher.ranking(query, condition, SearchOptions(fusion)) as ranking:
        state = State(ranking, searcher.embedders, 1)
        catalog = state.catalog
        if expected is None:
            rows = [hit.row for hit in state.answer]
            if not rows:
                raise QueryError("there are no hits", "index documents, or give another --where")
        else:
            rows = list(locate(expected, catalog, catalog.files()).rows)
            if not rows:
                raise QueryError(
                    f"{expected!r} has no chunk in the index", "leave out --tokens to see where it was lost"
                )
        rank, row, score = state.everything[number].top_of(set(rows)) or (None, rows[0], None)
        chunk, text = catalog.chunks([row])[row], catalog.embedded_texts([row])[0]
    return TokenExplanation(chunk, rank, score, compare(searcher.embedders[number], query, text))


def _built_in(searcher: Searcher) -> int:
    for number, embedder in enumerate(searcher.embedders):
        if isinstance(embedder, BuiltInEmbedder) and embedder.field is None:
            return number
    names = "+".join(embedder.name for embedder in searcher.embedders)
    raise EmbeddingError(
        f"the index's embedder is {names}, whose tokens cannot be looked at",
        "that works with the built-in encoder: index into a new folder with minilm or hf:NAME-OR-FOLDER",
    )
