"""One query explained, all of it on one state of the index."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ragembed.explain.case import Case
from ragembed.explain.hits import explained_hits
from ragembed.explain.result import Explanation
from ragembed.explain.state import State
from ragembed.explain.target import locate
from ragembed.explain.vectors import VARIANTS
from ragembed.explain.verdict import verdict
from ragembed.explain.words import seen
from ragembed.retrieve.options import SearchOptions
from ragembed.retrieve.search import Searcher, check

if TYPE_CHECKING:
    from ragembed.filters.conditions import Condition


def explain(
    searcher: Searcher,
    query: str,
    *,
    expected: str | None = None,
    k: int = 10,
    condition: Condition | None = None,
    fusion: str | None = None,
    steps: str | None = None,
    variants: int = VARIANTS,
) -> Explanation:
    """Why the k hits of `query` have their scores, and what became of the document `expected`.

    `variants` is how many texts may be embedded to take the scores of embedders apart that do not sum over terms.
    Raises `QueryError` for a query that makes no sense and an expected document that nothing is known of.
    """
    check([query], k)
    with searcher.ranking(query, condition, SearchOptions(fusion, steps)) as ranking:
        state = State(ranking, searcher.embedders, k)
        lists = tuple(seen(query, *pair) for pair in zip(searcher.embedders, ranking.sides, strict=True))
        found = None
        if expected is not None:
            files = state.catalog.files()
            target = locate(expected, state.catalog, files)
            found = verdict(Case(state, target, files, lists, query, condition))
        return Explanation(
            query,
            k,
            None if condition is None else str(condition),
            str(state.ranking.fusion.spec) if state.hybrid else None,
            lists,
            explained_hits(state, variants),
            found,
            state.catalog.chunk_count(),
            "+".join(str(step.spec) for step in ranking.steps) or None,
        )
