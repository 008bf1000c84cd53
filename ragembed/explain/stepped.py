"""Whether a step that the search took with the list lost the document."""

from __future__ import annotations

from ragembed.explain.case import Case, Finding

_REMEDIES = {
    "deduplicated": "it says what that hit says; to see it all the same leave the step out, or raise its similarity",
    "merged": "it is shown in that hit's context; to have it as a hit of its own leave the step out",
    "reranked_away": "leave the step out, or raise k",
    "reordered": "leave the step out, lower its weight, or raise k",
    "searched_again": "leave the step out, or give more weight to the query as it was asked",
    "rejected": "lower what the step demands",
}


def lost_by_step(case: Case) -> Finding | None:
    """The list had it among its first k, and a step took it out."""
    step = case.way.lost
    if step is None:
        return None
    spec = str(step.spec)
    after = next((one for one in case.way.steps if one.embedder == spec and one.step == "step"), None)
    mine = set(case.state.catalog.chunk_ids(case.target.rows).values())
    holder = next((hit for hit in case.state.final if mine.intersection(hit.stands_for)), None)
    place = f"at rank {after.rank}" if after is not None and after.rank else "no hit any more"
    message = f"before {spec} it is among the first {case.k}, after it {place}"
    evidence = {
        "step": spec,
        "before": case.way.rank,
        "after": after.rank if after is not None else None,
        "stands_for_it": None,
    }
    if holder is not None:
        chunk = case.state.catalog.chunk_ids([holder.row])[holder.row]
        evidence["stands_for_it"] = chunk
        message = f"{spec} dropped it in favour of the hit {chunk!r}"
    return Finding(step.loss, step.name, message, _REMEDIES[step.loss], evidence)
