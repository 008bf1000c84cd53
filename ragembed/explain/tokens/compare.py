"""A query and a passage token by token: which are alike, and what each token of the passage adds to the score."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ragembed.embed.base import Embedder
from ragembed.embed.model_settings import Role
from ragembed.explain.tokens.reader import TOKENS, Reader, Reading, cosines
from ragembed.explain.tokens.words import Word, greatest, summed

if TYPE_CHECKING:
    from ragembed.encoder.sentence import SentenceEncoder

__all__ = ["TOKENS", "Compared", "compare"]

Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True, eq=False)
class Compared:
    """A query with m tokens and a passage with n."""

    embedder: str
    query: Reading
    passage: Reading
    similarity: Floats
    """``(m, n)``: the cosine of each token of the query with each of the passage."""
    score: float
    """The inner product of the two vectors: the cosine, unless the embedder was told not to normalise."""
    shares: Floats | None
    """``(n,)``: what each token of the passage adds to the score; None where the score is no sum over tokens."""
    rest: float
    """What the score is beside its shares: 0, but for a layer with a bias behind the pooling."""
    note: str
    """Why there are no shares; empty where there are."""

    @property
    def word_similarity(self) -> Floats:
        """Of each word of the query with each of the passage, that of the pair of their tokens that are most alike."""
        rows = greatest(self.similarity, self.passage.words)
        found: Floats = greatest(rows.T, self.query.words).T
        return found

    @property
    def word_shares(self) -> Floats | None:
        """What each word of the passage adds to the score."""
        return None if self.shares is None else summed(self.shares, self.passage.words)

    def best_words(self, most: int) -> list[tuple[Word, float]]:
        """The words that add most to the score, or where it is no sum, those that are most like one of the query."""
        told = [place for place, word in enumerate(self.query.words) if not word.special]
        values = self.word_shares
        if values is None:
            values = self.word_similarity[told].max(axis=0)
        order = [place for place in np.argsort(-values) if not self.passage.words[place].special]
        return [(self.passage.words[place], float(values[place])) for place in order[:most]]

    def as_json(self) -> dict[str, Any]:
        """As JSON values, attention left out: see docs/explain.md."""
        return {
            "embedder": self.embedder,
            "score": self.score,
            "rest": self.rest,
            "note": self.note,
            "query": _told(self.query, None, None),
            "passage": _told(self.passage, self.shares, self.word_shares),
            "similarity": self.similarity.round(4).tolist(),
        }


def compare(embedder: Embedder | Reader, query: str, passage: str) -> Compared:
    """Read both with the embedder's model in float32; of a passage that is too long only its beginning.

    Raises:
        EmbeddingError: The embedder does not run in the built-in encoder.
        QueryError: The model makes no token of one of the texts.
    """
    reader = embedder if isinstance(embedder, Reader) else Reader(embedder)
    asked, found = reader.read(query, "query"), reader.read(passage, "document")
    model = reader.model
    vector, _, _ = _pooled(model, asked, "query")
    pooled, shares, rest = _pooled(model, found, "document")
    note = ""
    if shares is None:
        note = "the model's vector is no sum over tokens, so the score has no shares: similarity only"
    return Compared(
        str(reader.embedder.spec),
        asked,
        found,
        cosines(asked.vectors, found.vectors),
        float(vector @ pooled),
        None if shares is None else shares @ vector,
        float(rest @ vector),
        note,
    )


def _pooled(model: SentenceEncoder, reading: Reading, role: Role) -> tuple[Floats, Floats | None, Floats]:
    """A text's vector ``(d,)``, the summand of each token ``(n, d)`` where it is a sum, and what is left.

    In a sum all that stands behind the pooling has to be linear, but for the division by the length, which is known.
    """
    import torch

    from ragembed.encoder import pooling
    from ragembed.encoder.packing import Packing

    def after(x: torch.Tensor) -> torch.Tensor:
        for each in model.after:
            x = each(x)
        return x[:, : model.dimension]

    with torch.inference_mode():
        vectors = torch.from_numpy(reading.vectors).double()
        packing = Packing.of([len(vectors)])
        pool = model.pools[role]
        whole = after(pool(vectors, packing))
        length = whole.norm().clamp(min=1e-12) if model.normalize else torch.ones(())
        vector = (whole / length)[0]
        sums: set[Callable[..., torch.Tensor]] = {pooling.mean, pooling.mean_sqrt_len, pooling.weighted_mean}
        linear = all(isinstance(each, torch.nn.Linear) for each in model.after)
        if model.pool not in sums or not linear:
            return vector.numpy(), None, np.zeros(len(vector))
        weights = pool(torch.eye(len(vectors), dtype=torch.float64), packing)[0]
        offset = after(torch.zeros_like(vectors[:1]))
        summands = (after(vectors) - offset) * weights[:, None] / length
        return vector.numpy(), summands.numpy(), (offset / length)[0].numpy()


def _told(reading: Reading, shares: Floats | None, of_words: Floats | None) -> dict[str, Any]:
    """A text as JSON values."""

    def share(values: Floats | None, place: int) -> dict[str, float]:
        return {} if values is None else {"share": float(values[place])}

    return {
        "text": reading.text,
        "prompt": reading.prompt,
        "left_out": reading.left_out,
        "tokens": [
            {
                "piece": each.piece,
                "id": each.id,
                "start": each.start,
                "end": each.end,
                "special": each.special,
            }
            | share(shares, place)
            for place, each in enumerate(reading.tokens)
        ],
        "words": [
            {"text": each.text, "start": each.start, "end": each.end, "tokens": [each.first, each.last]}
            | share(of_words, place)
            for place, each in enumerate(reading.words)
        ],
    }
