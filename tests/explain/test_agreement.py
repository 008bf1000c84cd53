"""What an explanation says of ranks is what a search does."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ragembed import Document, Pipeline
from ragembed.explain.lexical import text_score
from ragembed.explain.state import State
from ragembed.explain.whatif import best_outcome

WORDS = ["fox", "bee", "den", "owl", "elm"]
texts = st.lists(
    st.lists(st.sampled_from(WORDS), min_size=1, max_size=6).map(" ".join), min_size=1, max_size=25
)
SPECS = [
    "bm25(language=none)",
    "onehot(language=none)",
    "random-projection(dimension=16, language=none)",
    "bm25(language=none)+random-projection(dimension=16, language=none)",
]


def pipeline_of(folder: str, spec: str, documents: list[str]) -> Pipeline:
    pipeline = Pipeline.create(Path(folder) / "i", embedder=spec, chunker="fixed(tokens=3, overlap=1)")
    pipeline.add([Document(f"d{n}", text, {"n": n}) for n, text in enumerate(documents)])
    return pipeline


@pytest.mark.parametrize("spec", SPECS)
@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    documents=texts,
    query=st.sampled_from(["fox", "bee den", "elm elm owl"]),
    k=st.integers(1, 8),
    data=st.data(),
)
def test_ranks_are_those_of_a_search(
    spec: str, documents: list[str], query: str, k: int, data: st.DataObject
) -> None:
    expected = data.draw(st.integers(0, len(documents) - 1))
    least = data.draw(st.none() | st.integers(0, len(documents)))
    where = None if least is None else f"n >= {least}"
    with tempfile.TemporaryDirectory() as folder, pipeline_of(folder, spec, documents) as pipeline:
        verdict = pipeline.explain(query, f"d{expected}", k, where).expected
        everything = pipeline.search(query, 1000, where)
        hits = pipeline.search(query, k, where)
        assert verdict is not None
        steps = {(step.step, step.embedder): step for step in verdict.steps}
        ranks = [hit.rank for hit in hits if hit.chunk.document_id == f"d{expected}"]
        assert steps["answer", None].rank == (ranks[0] if ranks else None)
        assert (verdict.stage == "found") == bool(ranks)
        whole = [hit for hit in everything if hit.chunk.document_id == f"d{expected}"]
        assert verdict.rank == (whole[0].rank if whole else None)
        unfiltered = pipeline.search(query, 1000)
        for embedder in pipeline.embedders:
            name = str(embedder.spec)
            own = [
                hit.parts[name]
                for hit in unfiltered
                if hit.chunk.document_id == f"d{expected}" and name in hit.parts
            ]
            step = steps["list", name]
            assert (step.rank, step.score) == (min(own) if own else (None, None))
            if where is not None:
                own = [hit.parts[name] for hit in whole if name in hit.parts]
                assert steps["filter", name].rank == (min(own)[0] if own else None)
        documents_above = list(pipeline.search_documents([query], 1000, where)[0])
        place = documents_above.index(f"d{expected}") + 1 if f"d{expected}" in documents_above else None
        assert steps["documents", None].rank == place


@pytest.mark.parametrize("spec", ["bm25", "onehot", "bow", "tfidf"])
@given(documents=texts, query=st.lists(st.sampled_from(WORDS), min_size=1, max_size=4))
@settings(max_examples=6)
def test_a_text_that_is_there_would_have_the_score_that_it_has(
    spec: str, documents: list[str], query: list[str]
) -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        Pipeline.create(Path(folder) / "i", embedder=f"{spec}(language=none)", chunker="whole") as pipeline,
    ):
        pipeline.add([Document(f"d{n}", text) for n, text in enumerate(documents)])
        hits = {hit.chunk.text: hit.score for hit in pipeline.search(" ".join(query), 100)}
        with pipeline._search().ranking(" ".join(query)) as ranking:
            index = ranking.sides[0].index  # type: ignore[attr-defined]
            for text in documents:
                assert text_score(index, query, text.split()) == pytest.approx(hits.get(text, 0.0), abs=1e-5)


@pytest.mark.parametrize("spec", SPECS[:3])
def test_the_rank_that_a_text_would_have_is_the_one_that_it_gets(spec: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    documents = [" ".join(rng.choice(WORDS, rng.integers(1, 4))) + f" x{n}" for n in range(60)]
    with pipeline_of(str(tmp_path), spec, documents) as pipeline:
        with pipeline._search().ranking("fox owl") as ranking:
            outcome = best_outcome(State(ranking, pipeline.embedders, 10), ["fox den y"])
        pipeline.add([Document("new", "fox den y", {"n": 1})])
        hits = pipeline.search("fox owl", 300)
    own = next(hit.score for hit in hits if hit.chunk.document_id == "new")
    rank = 1 + sum(hit.score > own + 1e-6 for hit in hits)  # among equal ones it is the first
    slack = 2 if spec.startswith("bm25") else 0  # one chunk more changes idf a little
    assert outcome is not None
    assert outcome.rank is not None
    assert abs(outcome.rank - rank) <= slack
