"""The rank that a text would have if it were a chunk of the index: what a change would bring, before it is made."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ragembed.explain.lexical import text_score
from ragembed.explain.state import Hits, Listing, State
from ragembed.explain.vectors import products
from ragembed.index.content import Passage
from ragembed.retrieve.sides import SparseSide

_NEW = -1
"""Stands for the row of the text that is tried; the catalog's begin at 1."""

_EQUAL = 1e-6
"""Relative difference up to which two scores are equal: the index computes its own in float32."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Where the best of some texts would stand."""

    text: int
    """Its number among them."""
    rank: int | None
    """In the answer; None where no list would have it within the depth that is looked at."""
    parts: dict[str, tuple[int | None, float]]
    """Rank and score in each embedder's list."""

    def as_json(self) -> dict[str, Any]:
        """As JSON values."""
        parts = {name: {"rank": rank, "score": score} for name, (rank, score) in self.parts.items()}
        return {"rank": self.rank, "lists": parts}


def best_outcome(
    state: State,
    texts: Sequence[str],
    instead_of: Collection[int] = (),
    passages: Sequence[Passage] = (),
) -> Outcome | None:
    """Where the best of `texts`, as they would be embedded, would stand if the rows `instead_of` were not there.

    Statistics such as idf stay those of the index as it is. None for no texts. Embedders of a field look into
    `passages`; without these the fields stay as they are in the rows.
    """
    if not texts:
        return None
    gone = np.fromiter(instead_of, np.int64)
    lists = [_without(listing, gone) for listing in state.exact]
    scores = [_scores(state, number, texts, instead_of, passages) for number in range(len(lists))]
    outcomes = [_outcome(state, lists, which, [own[which] for own in scores]) for which in range(len(texts))]
    return min(outcomes, key=_order)


def _order(outcome: Outcome) -> tuple[bool, int, float]:
    """Best first; of equal ranks, which many texts share at the top, that with the highest score."""
    return outcome.rank is None, outcome.rank or 0, -max(score for _, score in outcome.parts.values())


def _without(listing: Listing, rows: NDArray[np.int64]) -> Listing:
    kept = ~np.isin(listing.rows, rows)
    return Listing(listing.rows[kept], listing.scores[kept])


def _scores(
    state: State, number: int, texts: Sequence[str], rows: Collection[int], passages: Sequence[Passage]
) -> list[float | None]:
    """The scores of `texts` in one list; None where it would not rank them at all."""
    field = state.embedders[number].field
    if field is not None and not passages:
        top = state.exact[number].top_of(set(rows))
        return [top[2] if top else None] * len(texts)
    if field is not None:
        texts = [passage.embedded(field) for passage in passages]
    side, encoded = state.ranking.sides[number], state.ranking.encoded[number]
    if isinstance(side, SparseSide):
        found = [text_score(side.index, encoded[0], side.embedder.analyzer.terms(text)) for text in texts]
        return [score if score > 0 else None for score in found]
    if encoded is None or not encoded[0].any():
        return [None] * len(texts)
    found = products(state.embedders[number], encoded[0], texts).tolist()
    if field is None:
        return list(found)
    return [score if score > 0 and text.strip() else None for score, text in zip(found, texts, strict=True)]


def _outcome(state: State, lists: Sequence[Listing], which: int, scores: Sequence[float | None]) -> Outcome:
    names = [str(embedder.spec) for embedder in state.embedders]
    ranks = [
        None if score is None else 1 + int(np.count_nonzero(listing.scores > score + _EQUAL * abs(score)))
        for listing, score in zip(lists, scores, strict=True)
    ]
    parts = {name: (rank, score or 0.0) for name, rank, score in zip(names, ranks, scores, strict=True)}
    if not state.hybrid:
        return Outcome(which, ranks[0], parts)
    joined = state.joined([_inserted(state, *one) for one in zip(lists, ranks, scores, strict=True)])
    rank = next((rank for rank, hit in enumerate(joined, 1) if hit.row == _NEW), None)
    return Outcome(which, rank, parts)


def _inserted(state: State, listing: Listing, rank: int | None, score: float | None) -> Hits:
    """The list as far as the search looks, with the new text in its place."""
    top = listing.top(state.depth)
    if rank is not None and score is not None:
        top.insert(rank - 1, (_NEW, score))
    return top[: state.depth]
