"""Checks of how it compares: cut off, split over chunks, diluted by the fusion, or outranked by better ones."""

from __future__ import annotations

from typing import Any

from ragembed.explain.case import Case, Finding
from ragembed.explain.cut import best_cut
from ragembed.explain.lexical import contributions
from ragembed.explain.split import Split, best_split
from ragembed.explain.steps import k_to_find
from ragembed.index.sparse import SparseIndex
from ragembed.retrieve.sides import SparseSide

_DOCUMENTS = 8
"""Most documents whose chunks are joined."""
_CHUNKS = 500
"""Most chunks of a document that are joined."""


def truncated(case: Case) -> Finding | None:
    """What would have matched lies beyond what an embedder reads of the chunk."""
    cut = best_cut(case.state, case.passing, case.target.rows, case.terms, case.analyzer)
    if cut is None:
        return None
    rank = cut.outcome.rank if cut.outcome else None
    length = f"{cut.embedder} reads {cut.read:,} of the {cut.tokens:,} tokens of {cut.chunk!r}"
    if rank is None or rank > case.k:
        case.notes.append(f"{length}, but nothing of the rest would have been found")
        return None
    return Finding(
        "truncated",
        "limit",
        f"{length}; of the rest a passage would be hit {rank}",
        "index into a new folder with smaller chunks: --chunker"
        f" 'recursive(tokens={cut.size}, overlap={cut.size // 4})'",
        cut.as_json(),
    )


def split(case: Case) -> Finding | None:
    """The query's words lie in different chunks of the document, which joined would be found."""
    if case.target.kind == "chunk":
        return None
    chunks = case.state.catalog.chunks(case.passing)
    tried: list[Split] = []
    for document in case.target.documents[:_DOCUMENTS]:
        own = [row for row in case.passing if chunks[row].document_id == document][:_CHUNKS]
        if len(own) > 1:
            one = best_split(case.state, [chunks[row] for row in own], own, case.terms, case.analyzer)
            if one is not None:
                tried.append(one)
    if not tried:
        return None
    best = min(tried, key=lambda one: (one.rank is None, one.rank))
    rank = best.rank
    words = f"it has {len(best.terms)} words of the query, no chunk of it more than {len(best.most)}"
    if rank is None or rank > case.k:
        place = "would not be ranked" if rank is None else f"would be at rank {rank}"
        case.notes.append(f"{words}; {len(best.joined)} chunks joined, or cut elsewhere, {place}")
        return None
    return Finding(
        "split",
        "neighbours" if len(best.joined) == 2 else "document",
        f"{words}; {len(best.joined)} chunks joined, or cut elsewhere, would be hit {rank}",
        "index into a new folder with larger chunks or more overlap: --chunker 'recursive(tokens=512, overlap=128)'",
        best.as_json(),
    )


def diluted(case: Case) -> Finding | None:
    """One list has it among its first k, or the whole lists do together, but the fusion does not."""
    state = case.state
    if not state.hybrid:
        return None
    mine = set(case.passing)
    ranks: dict[str, int | None] = {}
    for embedder, listing in zip(state.embedders, state.exact, strict=True):
        place = listing.top_of(mine)
        ranks[str(embedder.spec)] = place[0] if place else None
    near = [name for name, rank in ranks.items() if rank is not None and rank <= case.k]
    full = next((step.rank for step in case.way.steps if step.step == "full_fusion"), None)
    if not near and (full is None or full > case.k):
        return None
    told = "; ".join(
        f"{name} {f'has it at rank {rank}' if rank else 'cannot rank it'}" for name, rank in ranks.items()
    )
    joined = f"joined, {state.depth} deep, it is at rank {case.way.rank}"
    if not near:
        joined += f", over their whole length at rank {full}"
    return Finding(
        "diluted",
        "one_list" if near else "depth",
        f"{told}; {joined}",
        f"{_raise_k(case)}, or search an index of {near[0]} alone" if near else _raise_k(case),
        {"lists": ranks, "depth": state.depth, "full_rank": full},
    )


def outranked(case: Case) -> Finding:
    """Others are better: what is left when it was lost nowhere else."""
    state = case.state
    evidence: dict[str, Any] = {"lists": [], "better": []}
    mine = set(case.passing)
    for number, embedder in enumerate(state.embedders):
        listing = state.exact[number]
        place = listing.top_of(mine)
        last = listing.top(case.k)[-1:] or [(0, 0.0)]
        score = place[2] if place else None
        evidence["lists"].append(
            {
                "embedder": str(embedder.spec),
                "rank": place[0] if place else None,
                "score": score,
                "score_at_k": last[0][1],
                "gap": None if score is None else last[0][1] - score,
            }
        )
        side, encoded = state.ranking.sides[number], state.ranking.encoded[number]
        if isinstance(side, SparseSide):
            evidence["better"] += _better(case, side.index, encoded[0], place[1] if place else None)
    rank = case.way.rank
    typed = {term.term: term.words[0] for seen in case.lists for term in seen.terms or ()}
    words = dict.fromkeys(typed[one["term"]] for one in evidence["better"])
    why = f"; the hits have more of {', '.join(map(repr, list(words)[:4]))}" if words else ""
    return Finding(
        "outranked",
        "",
        f"it is at rank {rank}{why}",
        _raise_k(case),
        evidence,
    )


def _better(case: Case, index: SparseIndex, terms: list[str], row: int | None) -> list[dict[str, Any]]:
    """The query's terms that add more to the hits, on average, than to the document; largest difference first."""
    hits = [hit.row for hit in case.state.answer]
    sums: dict[str, float] = dict.fromkeys(terms, 0.0)
    for hit in hits:
        for one in contributions(index, terms, hit).contributions:
            sums[one.what] += one.score / len(hits)
    here = contributions(index, terms, row).contributions if row is not None else []
    own = {one.what: one.score for one in here}
    gaps = sorted(((mean - own.get(term, 0.0), term) for term, mean in sums.items()), reverse=True)
    return [{"term": term, "hits": sums[term], "here": own.get(term, 0.0)} for gap, term in gaps if gap > 0]


def _raise_k(case: Case) -> str:
    rank = case.way.rank
    k = k_to_find(case.state, rank, case.passing) if rank else None
    return f"raise k to {k}" if k else "ask with words of the document"
