"""A threshold keeps what is probably relevant, and nothing where nothing is."""

from __future__ import annotations

from pathlib import Path

import pytest

from ragembed import Pipeline
from ragembed.datasets import load
from ragembed.errors import QueryError, SpecError
from ragembed.eval.tune import tune


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    """The small collection of the project, calibrated by its own queries."""
    collection = load("primer")
    made = Pipeline.create(tmp_path_factory.mktemp("primer") / "i", "bm25+tfidf", "whole")
    made.add(collection.documents)
    made.learnt = tune(made, collection.queries, collection.qrels).learnt()
    return made


QUESTION = "why does BM25 not grow without bound when a word repeats?"


def test_hits_have_probabilities_that_differ(pipeline: Pipeline) -> None:
    hits = pipeline.search(QUESTION, 10)
    marks = [hit.probability for hit in hits]
    assert all(mark is not None and 0 < mark < 1 for mark in marks)
    assert marks[0] is not None
    assert marks[0] > 0.5 > (marks[-1] or 0)


def test_probabilities_do_not_depend_on_k_or_on_other_queries(pipeline: Pipeline) -> None:
    one = [hit.probability for hit in pipeline.search(QUESTION, 2)]
    many = pipeline.search_many(["what is a chunk?", QUESTION], 10)[1]
    assert one == [hit.probability for hit in many[:2]]


def test_it_keeps_those_above_in_their_order(pipeline: Pipeline) -> None:
    every = pipeline.search(QUESTION, 50)
    kept = pipeline.search(QUESTION, 50, steps="threshold(probability=0.3)")
    assert 0 < len(kept) < len(every)
    assert [hit.chunk.id for hit in kept] == [hit.chunk.id for hit in every if (hit.probability or 0) >= 0.3]
    assert [hit.rank for hit in kept] == list(range(1, len(kept) + 1))
    assert len(pipeline.search(QUESTION, 50, steps="threshold(probability=0)")) == len(every)


def test_a_question_about_something_else_has_no_answer(pipeline: Pipeline) -> None:
    assert pipeline.search("how do I bake a cake with the apples of my garden?", steps="threshold") == []
    assert pipeline.search("zzzz", steps="threshold") == []


def test_it_works_with_filters_documents_and_other_steps(pipeline: Pipeline) -> None:
    documents = pipeline.search_documents([QUESTION], 5, steps="threshold(probability=0.3)")[0]
    assert 0 < len(documents) <= 5
    assert pipeline.search(QUESTION, steps="threshold+mmr")
    assert pipeline.search(QUESTION, steps="mmr+threshold")


def test_by_precision(pipeline: Pipeline) -> None:
    learnt = pipeline.learnt
    assert learnt is not None
    assert learnt.calibration is not None
    reached = learnt.calibration.best_precision()
    assert reached is not None
    least = learnt.calibration.least_for(reached)
    by_precision = pipeline.search(QUESTION, steps=f"threshold(precision={reached})")
    assert [hit.chunk for hit in by_precision] == [
        hit.chunk for hit in pipeline.search(QUESTION, steps=f"threshold(probability={least})")
    ]
    with pytest.raises(QueryError, match="the best is"):
        pipeline.search(QUESTION, steps="threshold(precision=1)")


def test_one_list_is_calibrated_too(tmp_path: Path) -> None:
    collection = load("primer")
    with Pipeline.create(tmp_path / "i", "bm25", "whole") as alone:
        alone.add(collection.documents)
        with pytest.raises(QueryError, match="has not learnt any"):
            alone.search(QUESTION, steps="threshold")
        found = tune(alone, collection.queries, collection.qrels)
        assert found.gain is None
        assert found.recommended is None
        alone.learnt = found.learnt()
        assert alone.search(QUESTION, 3, steps="threshold(probability=0.2)")


def test_probabilities_of_another_fusion_are_not_taken(pipeline: Pipeline) -> None:
    assert pipeline.search(QUESTION, fusion="rrf(k=3)")[0].probability is None
    with pytest.raises(QueryError, match=r"not for rrf\(k=3\)"):
        pipeline.search(QUESTION, fusion="rrf(k=3)", steps="threshold")


@pytest.mark.parametrize(
    "spec",
    ["threshold(probability=2)", "threshold(precision=0)", "threshold(probability=0.5, precision=0.5)"],
)
def test_bad_parameters(pipeline: Pipeline, spec: str) -> None:
    with pytest.raises(SpecError, match="threshold"):
        pipeline.search(QUESTION, steps=spec)
