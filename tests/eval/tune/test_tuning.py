"""The whole of it on the project's own small collection."""

from __future__ import annotations

import json

import pytest

from ragembed import Pipeline
from ragembed.datasets import load
from ragembed.errors import DatasetError, QueryError, SpecError
from ragembed.eval.tune import tune
from ragembed.retrieve.learnt import Learnt

COLLECTION = load("primer")


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    made = Pipeline.create(tmp_path_factory.mktemp("primer") / "i", "bm25+onehot")
    made.add(COLLECTION.documents)
    return made


def test_it_tells_what_was_tried(pipeline: Pipeline) -> None:
    found = tune(pipeline, COLLECTION.queries, COLLECTION.qrels, fusions=["rrf", "convex"])
    assert [tried.plain for tried in found.tried] == ["rrf", "convex"]
    assert found.queries == 50
    assert found.missing == 0
    assert found.gain is not None
    assert found.chosen in {tried.spec for tried in found.tried}
    assert found.recommended == (found.chosen if found.gain.real else None)
    assert all(sum(tried.weights) == pytest.approx(1) for tried in found.tried)
    assert json.loads(json.dumps(found.to_json()))["measure"] == "nDCG@10"
    stored = json.loads(json.dumps(found.learnt().to_json()))
    assert Learnt.from_json(stored) == found.learnt()


def test_the_default_scores_as_eval_says(pipeline: Pipeline) -> None:
    from ragembed.eval.measures import evaluate

    asked = {query: COLLECTION.queries[query] for query in COLLECTION.qrels}
    answers = dict(zip(asked, pipeline.search_documents(list(asked.values()), 100), strict=True))
    found = tune(pipeline, COLLECTION.queries, COLLECTION.qrels, fusions=["rrf"])
    assert found.gain is not None
    expected = evaluate(COLLECTION.qrels, answers, "nDCG@10").means["nDCG@10"]
    assert found.gain.default == pytest.approx(expected)


def test_the_same_again_whatever_the_order(pipeline: Pipeline) -> None:
    first = tune(pipeline, COLLECTION.queries, COLLECTION.qrels, fusions=["rrf"])
    turned = dict(reversed(COLLECTION.qrels.items()))
    again = tune(pipeline, COLLECTION.queries, turned, fusions=["rrf"])
    assert again.chosen == first.chosen
    assert again.gain is not None
    assert first.gain is not None
    assert again.gain.learnt == pytest.approx(first.gain.learnt)


def test_nothing_is_written(pipeline: Pipeline) -> None:
    tune(pipeline, COLLECTION.queries, COLLECTION.qrels, fusions=["rrf"])
    assert pipeline.learnt is None


def test_bad_input(pipeline: Pipeline) -> None:
    few = dict(list(COLLECTION.qrels.items())[:9])
    with pytest.raises(DatasetError, match="9 judged queries are too few"):
        tune(pipeline, COLLECTION.queries, few)
    with pytest.raises(DatasetError, match="has a judgement"):
        tune(pipeline, {"x": "y"}, COLLECTION.qrels)
    with pytest.raises(DatasetError, match="is in the index"):
        tune(pipeline, COLLECTION.queries, {query: {"nowhere": 1} for query in COLLECTION.qrels})
    with pytest.raises(DatasetError, match="no document is judged relevant: no gain is above 0"):
        tune(
            pipeline,
            COLLECTION.queries,
            {query: dict.fromkeys(of, 0) for query, of in COLLECTION.qrels.items()},
        )
    with pytest.raises(SpecError, match="cannot be tuned for"):
        tune(pipeline, COLLECTION.queries, COLLECTION.qrels, measure="ERR@10")
    with pytest.raises(SpecError):
        tune(pipeline, COLLECTION.queries, COLLECTION.qrels, fusions=["nothing"])
    with pytest.raises(QueryError, match="share of unanswerable"):
        tune(pipeline, COLLECTION.queries, COLLECTION.qrels, unanswerable=1.0)


def test_an_empty_index(tmp_path_factory: pytest.TempPathFactory) -> None:
    with (
        Pipeline.create(tmp_path_factory.mktemp("empty") / "i", "bm25+tfidf") as empty,
        pytest.raises(DatasetError, match="is in the index"),
    ):
        tune(empty, COLLECTION.queries, COLLECTION.qrels)
