"""What steps did to the hits, and at which of them a document was lost."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ragembed import Document, Pipeline

Make = Callable[..., Pipeline]

TEXTS = [
    "fox fox fox",
    "fox fox fox hill",
    "Fox  FOX fox",
    "fox river stone night moon cloud door winter bread",
    *(f"bee number{n} honey" for n in range(9)),
]


def test_a_copy_is_deduplicated(make: Make) -> None:
    pipeline = make(TEXTS, "bm25(language=none)")
    found = pipeline.explain("fox", expected="d2", k=3, steps="collapse").expected
    assert found is not None
    assert (found.stage, found.reason, found.rank) == ("deduplicated", "collapse", None)
    assert found.evidence == {"step": "collapse", "before": 2, "after": None, "stands_for_it": "d0::0"}
    assert found.message == "collapse dropped it in favour of the hit 'd0::0'"
    after = [step for step in found.steps if step.step == "step"]
    assert [(step.embedder, step.rank, step.passed) for step in after] == [("collapse", None, False)]
    assert found.steps[-1].step == "answer"


def test_a_neighbour_is_merged(make: Make) -> None:
    text = "The fox is red. The fox is quick. Bees are not."
    pipeline = make([Document("d", text), *TEXTS[4:]], "bm25(language=none)", "sentence(tokens=5, overlap=0)")
    found = pipeline.explain("fox", expected="d::1", k=5, steps="neighbours").expected
    assert found is not None
    assert (found.stage, found.evidence["stands_for_it"]) == ("merged", "d::0")


def test_a_boost_reorders(make: Make) -> None:
    documents = [Document(f"d{n}", text, {"new": n == 3}) for n, text in enumerate(TEXTS)]
    pipeline = make(documents, "bm25(language=none)")
    steps = "boost(field=new, value=true, weight=2.0)"
    found = pipeline.explain("fox", expected="d0", k=1, steps=steps)
    assert found.expected is not None
    assert (found.expected.stage, found.expected.reason, found.expected.rank) == ("reordered", "boost", 2)
    assert "after it at rank 2" in found.expected.message
    (hit,) = found.hits
    assert (hit.rank, hit.first_rank, dict(hit.steps)) == (1, 4, {steps: (1, hit.score)})
    assert hit.parts[0].rank == 4
    assert pipeline.explain("fox", expected="d3", k=1, steps=steps).expected.stage == "found"  # type: ignore[union-attr]


def test_lost_before_the_steps_is_told_as_without_them(make: Make) -> None:
    pipeline = make(TEXTS, "bm25(language=none)")
    with_steps = pipeline.explain("fox", expected="d3", k=2, steps="mmr(weight=1.0)").expected
    without = pipeline.explain("fox", expected="d3", k=2).expected
    assert with_steps is not None
    assert without is not None
    assert (with_steps.stage, with_steps.message) == (without.stage, without.message)
    assert without.stage == "outranked"


def test_what_only_a_step_finds_has_no_parts(make: Make) -> None:
    pipeline = make(["fox den den", "fox den", "den hill", *TEXTS[4:]], "bm25(language=none)")
    found = pipeline.explain("fox", k=3, steps="rm3(documents=2, terms=2)")
    assert found.steps == "rm3(documents=2, terms=2)"
    by_chunk = {hit.chunk.document_id: hit for hit in found.hits}
    assert (by_chunk["d2"].first_rank, by_chunk["d2"].parts) == (None, ())
    assert by_chunk["d0"].parts


@pytest.mark.parametrize("embedder", ["bm25(language=none)", "bm25(language=none)+lsa(dimension=4)"])
@pytest.mark.parametrize(
    "steps", ["collapse", "mmr", "rm3", "rocchio(embedders=all)", "mmr+collapse+neighbours"]
)
def test_it_agrees_with_the_search(make: Make, embedder: str, steps: str) -> None:
    pipeline = make(TEXTS, embedder)
    hits = pipeline.search("fox hill", 3, steps=steps)
    found = pipeline.explain("fox hill", k=3, steps=steps)
    assert [(hit.chunk.id, hit.score) for hit in found.hits] == [(hit.chunk.id, hit.score) for hit in hits]
    assert [dict(hit.steps) for hit in found.hits] == [dict(hit.steps) for hit in hits]
    for number in range(4):
        verdict = pipeline.explain("fox hill", expected=f"d{number}", k=3, steps=steps).expected
        assert verdict is not None
        at = [hit.rank for hit in hits if hit.chunk.document_id == f"d{number}"]
        assert (verdict.stage == "found") == bool(at)
        if at:
            assert verdict.rank == at[0]
