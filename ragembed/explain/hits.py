"""Why the hits of a query have their scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ragembed.embed.base import Embedder
from ragembed.errors import CorruptError
from ragembed.explain.lexical import contributions
from ragembed.explain.result import ExplainedHit, Part
from ragembed.explain.state import State
from ragembed.explain.vectors import Occlusion, by_terms
from ragembed.explain.words import Additive
from ragembed.retrieve.fusion import Fused
from ragembed.retrieve.sides import SparseSide


def explained_hits(state: State, budget: int) -> tuple[ExplainedHit, ...]:
    """The hits of the search, each list's part in them taken apart; `budget` texts may be embedded for it."""
    rows = [hit.row for hit in state.final]
    first = {hit.row: (rank, hit) for rank, hit in enumerate(state.first, 1)}
    fused = [first[row][1] for row in rows if row in first]
    chunks = state.catalog.chunks(rows)
    if len(chunks) < len(rows):
        raise CorruptError("the index lacks chunks that its segments hold", "run: ragembed verify INDEX")
    shares = state.shares(fused)
    parts: dict[int, list[Part]] = {row: [] for row in rows}
    for number, embedder in enumerate(state.embedders):
        texts = dict(zip(rows, state.catalog.embedded_texts(rows, embedder.field), strict=True))
        bodies = {
            row: len(text) - len(chunks[row].text) if embedder.field is None else 0
            for row, text in texts.items()
        }
        mine = [hit for hit in fused if number in hit.parts]
        for hit, apart in zip(mine, _apart(state, number, mine, texts, bodies, budget), strict=True):
            rank, score = hit.parts[number]
            apart = replace(apart, rank=rank, score=score, share=shares[number][hit.row])
            parts[hit.row].append(replace(apart, rest=score - sum(one.score for one in apart.contributions)))
    return tuple(
        ExplainedHit(
            rank,
            hit.score,
            chunks[hit.row],
            tuple(parts[hit.row]),
            first[hit.row][0] if hit.row in first else None,
            hit.trail,
            tuple(hit.stands_for),
        )
        for rank, hit in enumerate(state.final, 1)
    )


def _apart(
    state: State,
    number: int,
    hits: Sequence[Fused],
    texts: dict[int, str],
    bodies: dict[int, int],
    budget: int,
) -> list[Part]:
    """One list's part in each of `hits` taken apart; rank, score, share and rest are left to the caller."""
    embedder: Embedder = state.embedders[number]
    side, encoded = state.ranking.sides[number], state.ranking.encoded[number]
    blank = Part(str(embedder.spec), 0, 0.0, 0.0, "terms", (), 0.0)
    if isinstance(side, SparseSide):
        average = side.index.statistics.average_length
        sums = [contributions(side.index, encoded[0], hit.row) for hit in hits]
        return [
            replace(
                blank,
                contributions=tuple(one.contributions),
                length=one.length,
                average_length=average,
                length_factor=one.factor,
            )
            for one in sums
        ]
    if isinstance(embedder, Additive):
        return [
            replace(blank, contributions=tuple(by_terms(embedder, encoded[0], texts[hit.row])))
            for hit in hits
        ]
    if not hits:
        return []
    found = Occlusion(embedder, encoded[0], budget).explain(
        [texts[hit.row] for hit in hits],
        [bodies[hit.row] for hit in hits],
        [hit.parts[number][1] for hit in hits],
    )
    beyond = f"not taken apart: at most {budget} texts are embedded for that, and a passage needs two pieces"
    return [
        replace(blank, method="none", note=beyond)
        if pieces is None
        else replace(blank, method="leave_one_out", contributions=tuple(pieces))
        for pieces in found
    ]
