"""Checks of what the search does before it compares: the filter, the approximate index, the vocabulary."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from ragembed.explain.case import Case, Finding
from ragembed.explain.conditions import failing
from ragembed.explain.result import List
from ragembed.explain.words import Additive, Spelled, term_set
from ragembed.retrieve.sides import SparseSide

_TEXTS = 256
"""Most chunks whose words are compared with the query's."""


def found(case: Case) -> Finding | None:
    """It is among the hits."""
    if case.way.answer is None:
        return None
    return Finding("found", "", f"{case.name} is hit {case.way.answer}", "")


def filtered(case: Case) -> Finding | None:
    """The filter lets none of its chunks through, or not the one that would have been found."""
    if case.condition is None or len(case.passing) == len(case.target.rows):
        return None
    state, stopped = case.state, [row for row in case.target.rows if row not in set(case.passing)]
    if case.passing:
        selected = case.state.ranking.selection
        assert selected is not None
        wider = sorted({*selected.rows.tolist(), *stopped})
        hits = state.answer_of(state.restricted(np.array(wider, np.int64)))[: case.k]
        reached = [hit.row for hit in hits if hit.row in set(stopped)]
        if not reached:
            case.notes.append(
                f"the filter lets {len(case.passing)} of its {len(case.target.rows)} chunks through"
            )
            return None
        stopped = reached
    chunk = state.catalog.chunks(stopped[:1])[stopped[0]]
    failed = failing(case.condition, chunk)
    shown = "; ".join(_told(failed))
    whole = "none of its chunks" if not case.passing else f"not its chunk {chunk.id!r}"
    return Finding(
        "filtered",
        "all" if not case.passing else "some",
        f"the filter lets {whole} through: {shown}",
        "leave that condition out, or change the metadata and index again",
        {"failing": failed, "chunk": chunk.id, "passing": len(case.passing), "chunks": len(case.target.rows)},
    )


def lost_by_index(case: Case) -> Finding | None:
    """Exact scores put it among the hits, and the index's own search does not find it."""
    state = case.state
    if all(step.passed for step in case.way.steps if step.step == "index"):
        return None
    exact = state.answer_of(state.exact)[: case.k]
    mine = set(case.target.rows)
    rank = next((rank for rank, hit in enumerate(exact, 1) if hit.row in mine), None)
    if rank is None:
        case.notes.append(
            "an approximate index loses it, but it would not be among the hits without that loss"
        )
        return None
    losing = [step.embedder for step in case.way.steps if step.step == "index" and not step.passed]
    return Finding(
        "lost_by_index",
        "approximate",
        f"exact search has it at rank {rank}; the index of {', '.join(map(str, losing))} does not find it",
        "raise what the index searches, or index with --index-type flat, which is exact",
        {"exact_rank": rank, "embedders": losing},
    )


def out_of_vocabulary(case: Case) -> Finding | None:
    """No list can bring query and document together, for want of words that it knows in both."""
    blocked = [_blocked(case, number, seen) for number, seen in enumerate(case.lists)]
    if any(one is None for one in blocked):
        for seen, one in zip(case.lists, blocked, strict=True):
            if one is not None:
                case.notes.append(f"{seen.embedder} cannot rank it: {one['message']}")
        return None
    first = blocked[0]
    assert first is not None
    evidence = [
        {"embedder": seen.embedder, **(one or {})} for seen, one in zip(case.lists, blocked, strict=True)
    ]
    return Finding(
        "out_of_vocabulary",
        first["reason"],
        first["message"],
        _REMEDIES[first["reason"]],
        {"lists": evidence},
    )


_REMEDIES = {
    "no_terms": "ask with words that say what is wanted",
    "not_in_index": "ask with words of the documents, or index into a new folder with an embedder that goes by meaning,"
    " such as bm25+minilm",
    "not_in_document": "ask with words of that document, or index into a new folder with an embedder that goes by"
    " meaning, such as bm25+minilm",
    "not_learnt": "index into a new folder, so that the embedder learns from all documents",
}


def _blocked(case: Case, number: int, seen: List) -> dict[str, Any] | None:
    """Why one list cannot rank the document by the query's words; None where it can."""
    side = case.state.ranking.sides[number]
    listed = case.state.exact[number].top_of(set(case.passing)) is not None
    if seen.terms is None:
        return None if listed else _words("no_terms", f"{seen.embedder} makes nothing of the query", [], [])
    if not seen.terms:
        return _words("no_terms", "the query has stop words only, or no words", [], [])
    unknown = [term.term for term in seen.terms if not term.known]
    typed = {term.term: term.words[0] for term in seen.terms}
    if isinstance(side, SparseSide):
        if listed:
            return None
        if len(unknown) == len(seen.terms):
            message = f"no chunk of the index has a word of the query ({_list(typed.values())})"
            return _words("not_in_index", message, unknown, [])
        message = f"no word of the query is in it ({_list(typed.values())})"
        return _words("not_in_document", message, unknown, [])
    embedder = case.state.embedders[number]
    if not isinstance(embedder, Additive):
        return None
    if len(unknown) == len(seen.terms):
        message = f"{seen.embedder} has learnt no word of the query ({_list(typed.values())})"
        return _words("not_learnt", message, unknown, [])
    texts = case.state.catalog.embedded_texts(case.passing[:_TEXTS], embedder.field)
    if not any(embedder.summands(text)[0] for text in texts):
        return _words("not_learnt", f"{seen.embedder} has learnt no word of it", unknown, [])
    analyzer = getattr(embedder, "analyzer", case.analyzer)
    held: set[str] = set().union(
        *(
            embedder.known(text) if isinstance(embedder, Spelled) else term_set(text, analyzer)
            for text in texts
        )
    )
    shared = [term for term in typed if term in held]
    lost = [term for term in shared if term in unknown]
    if lost and 2 * len(lost) >= len(shared):
        words = _list(typed[term] for term in lost)
        message = f"of the words that query and document share, {seen.embedder} has not learnt {words}"
        return _words("not_learnt", message, unknown, shared)
    return None


def _words(reason: str, message: str, unknown: list[str], shared: list[str]) -> dict[str, Any]:
    return {"reason": reason, "message": message, "unknown": unknown, "shared": shared}


def _told(failed: list[dict[str, Any]]) -> list[str]:
    """Each value with the conditions that it fails."""
    told: dict[str, list[str]] = {}
    for one in failed:
        told.setdefault(_values(one["values"]), []).append(one["condition"])
    return [
        f"{', '.join(conditions)} {'fail' if len(conditions) > 1 else 'fails'}, as {values}"
        for values, conditions in told.items()
    ]


def _list(words: Iterable[str], most: int = 8) -> str:
    distinct = list(dict.fromkeys(words))
    return ", ".join(map(repr, distinct[:most])) + (", ..." if len(distinct) > most else "")


def _values(values: dict[str, list[Any]]) -> str:
    return ", ".join(
        f"{key} is {', '.join(map(repr, found)) if found else 'missing'}" for key, found in values.items()
    )
