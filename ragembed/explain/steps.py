"""How far an expected document comes at each step of a search: its best chunk's rank and score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ragembed.explain.result import Step, StepName
from ragembed.explain.state import Hits, State
from ragembed.retrieve.fusion import Fused

if TYPE_CHECKING:
    from ragembed.retrieve.steps import Step as Taken

LARGEST_K = 1000
"""Beyond it, a larger k is no remedy."""


@dataclass(frozen=True, slots=True)
class Course:
    """What became of some rows."""

    steps: tuple[Step, ...]
    answer: int | None
    """Rank in the answer; None where it is not among the k."""
    rank: int | None
    """Rank before any step: to the depth of the search, or else to the end of the lists."""
    final: int | None
    """Rank in the whole answer, after all steps."""
    lost: Taken | None
    """The last step that took it out of the first k."""


def course(state: State, rows: Sequence[int]) -> Course:
    """The way of the best of `rows` through the search."""
    mine = set(rows)
    steps: list[Step] = []
    for number, embedder in enumerate(state.embedders):
        name = str(embedder.spec)
        listed = state.everything[number].top_of(mine)
        steps.append(_step(state, "list", name, listed, len(state.everything[number])))
        if state.selected is not None:
            listed = state.exact[number].top_of(mine)
            steps.append(_step(state, "filter", name, listed, len(state.exact[number])))
        found = _first(state.found[number], mine)
        searched = _step(state, "index", name, found, len(state.found[number]))
        steps.append(replace(searched, passed=bool(found) or listed is None or listed[0] > state.depth))
    place = full = state.full.top_of(mine)
    if state.hybrid:
        joined = state.joined(state.found)
        near = _first_fused(joined, mine)
        steps.append(_step(state, "fusion", None, near, len(joined)))
        steps.append(_step(state, "full_fusion", None, full, len(state.full)))
        place = near or full
    steps.append(_documents(state, mine))
    lost = None
    before = _first_fused(state.answer, mine) is not None
    ranked = place
    for step, hits in state.after_steps if state.ranking.steps else []:
        ranked = _first(hits, mine)
        steps.append(_after(state, str(step.spec), ranked, len(hits)))
        now = steps[-1].passed
        lost = step if before and not now else None if now else lost
        before = now
    answer = _first_fused(state.final, mine)
    steps.append(_step(state, "answer", None, answer, len(state.final)))
    return Course(
        tuple(steps),
        answer[0] if answer else None,
        place[0] if place else None,
        ranked[0] if ranked else None,
        lost,
    )


def k_to_find(state: State, rank: int, rows: Sequence[int]) -> int | None:
    """The smallest k found that has one of `rows` in the answer, at least `rank`; None beyond `LARGEST_K`.

    A hybrid looks as deep as k into each list, and deeper lists change the ranks.
    """
    mine = set(rows)
    k = rank
    while k <= LARGEST_K:
        if not state.hybrid or k <= state.depth:
            return k
        hits = state.joined([listing.top(k) for listing in state.exact])
        found = _first_fused(hits, mine)
        if found and found[0] <= k:
            return k
        k = found[0] if found else 2 * k
    return None


_Place = tuple[int, int, float]
"""Rank, row and score."""


def _step(state: State, step: StepName, embedder: str | None, place: _Place | None, of: int) -> Step:
    if place is None:
        return Step(step, embedder, None, of, None, None, False)
    rank, row, score = place
    chunk = state.catalog.chunks([row])[row].id
    passed = embedder is not None or rank <= state.k
    return Step(step, embedder, rank, of, score, chunk, passed)


def _after(state: State, spec: str, place: _Place | None, of: int) -> Step:
    """As `_step`, of one of the steps that `--steps` names."""
    found = _step(state, "step", None, place, of)
    return replace(found, embedder=spec)


def _first(hits: Hits, mine: set[int]) -> _Place | None:
    return next(((rank, row, score) for rank, (row, score) in enumerate(hits, 1) if row in mine), None)


def _first_fused(hits: Sequence[Fused], mine: set[int]) -> _Place | None:
    return next(((rank, hit.row, hit.score) for rank, hit in enumerate(hits, 1) if hit.row in mine), None)


def _documents(state: State, mine: set[int]) -> Step:
    """The rank among documents, each at the place of its best chunk."""
    place = state.full.top_of(mine)
    of = state.catalog.document_count()
    if place is None:
        return _step(state, "documents", None, None, of)
    rank, row, score = place
    (owners,) = state.catalog.db.execute("SELECT count(DISTINCT document) FROM chunks").fetchone()
    if owners != state.catalog.chunk_count():  # else each has one chunk, and none need be counted
        above = state.catalog.places(state.full.rows[:rank].tolist())
        rank = len({document for document, _ in above.values()})
    return _step(state, "documents", None, (rank, row, score), of)
