"""Our embedders as models of MTEB: what it asks of a model, and whole evaluations that it runs, without a network."""

from __future__ import annotations

import gc
import json
import math
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ragembed.connect.mteb import EncodeModel, SearchModel, mteb_model, mteb_task
from ragembed.datasets import load
from ragembed.embed import EMBEDDERS
from ragembed.errors import DatasetError, MissingExtraError, QueryError, SpecError
from ragembed.eval.evaluate import evaluate_embedder
from ragembed.eval.measures import evaluate

CORPUS = [
    {"id": "cat", "title": "Cats", "text": "They purr and sleep."},
    {"id": "dog", "title": "", "text": "Dogs bark and sleep."},
    {"id": "fish", "text": "Fish swim."},
    {"id": "nothing", "title": None, "text": ""},
]
DENSE = "random-projection(dimension=64)"


@pytest.fixture
def bm25() -> Iterator[SearchModel]:
    model = mteb_model("bm25(language=english)")
    model.index(
        CORPUS, task_metadata=None, hf_split="test", hf_subset="default", encode_kwargs={}, num_proc=None
    )
    yield model
    model.close()


def test_the_corpus_is_searched_titles_included(bm25: SearchModel) -> None:
    queries = [{"id": "q1", "text": "sleep cats"}, {"id": "q2", "text": "swim"}, {"id": "q3", "text": " "}]
    found = bm25.search(queries, top_k=10, encode_kwargs={})
    assert {query: list(answer) for query, answer in found.items()} == {
        "q1": ["cat", "dog"],
        "q2": ["fish"],
        "q3": [],
    }
    assert found["q1"]["cat"] > found["q1"]["dog"] > 0
    assert {q: list(a) for q, a in bm25.search(queries[:1], top_k=1).items()} == {"q1": ["cat"]}


def test_instructions_and_conversations_are_part_of_a_query(bm25: SearchModel) -> None:
    queries = [
        {"id": "instructed", "text": "animals", "instruction": "that bark"},
        {
            "id": "talk",
            "text": [{"role": "user", "content": "hello"}, {"role": "user", "content": "who purrs"}],
        },
        {"id": "lines", "text": ["hello", "who swims"], "instruction": "find"},
    ]
    found = bm25.search(queries, top_k=3)
    assert {query: list(answer) for query, answer in found.items()} == {
        "instructed": ["dog"], "talk": ["cat"], "lines": ["fish"],
    }  # fmt: skip


def test_reranking_scores_the_candidates_and_no_others(bm25: SearchModel) -> None:
    queries = [{"id": "q1", "text": "sleep cats"}, {"id": "q2", "text": "swim"}]
    found = bm25.search(queries, top_k=2, top_ranked={"q1": ["fish", "dog", "nothing"]})
    assert list(found["q1"]) == ["dog", "nothing"]  # the larger id of the two that score 0
    assert found["q1"]["nothing"] == 0.0 < found["q1"]["dog"]
    assert found["q2"] == {}


@pytest.mark.parametrize("spec", ["tfidf", "lsa(dimension=2)", f"bm25+{DENSE}"])
def test_learning_and_hybrid_embedders_search_and_do_not_encode(spec: str) -> None:
    model = mteb_model(spec)
    model.index(CORPUS)
    assert "cat" in model.search([{"id": "q", "text": "cats purr"}], top_k=2)["q"]
    assert not hasattr(model, "encode")
    model.close()


def test_a_dense_embedder_encodes_queries_and_documents_as_itself() -> None:
    model = mteb_model(DENSE)
    assert isinstance(model, EncodeModel)
    batches = [{"text": ["cats purr", "dogs bark"]}, {"text": ["fish swim"]}]
    embedder = EMBEDDERS.create(DENSE)
    documents = model.encode(batches, task_metadata=None, hf_split="test", hf_subset="default", batch_size=2)
    assert documents.dtype == np.float32
    np.testing.assert_array_equal(
        documents, embedder.embed_documents(["cats purr", "dogs bark", "fish swim"])
    )
    np.testing.assert_array_equal(
        model.encode(batches[1:], prompt_type="query"), embedder.embed_queries(["fish swim"])
    )
    assert model.encode([]).shape == (0, 64)


def test_similarity_is_the_cosine() -> None:
    model = mteb_model(DENSE)
    assert isinstance(model, EncodeModel)
    one, other = [[3.0, 4.0], [0.0, 0.0]], [[8.0, 6.0], [1.0, 0.0]]
    np.testing.assert_allclose(model.similarity(one, other), [[0.96, 0.6], [0, 0]], atol=1e-6)
    np.testing.assert_allclose(model.similarity_pairwise(one, other), [0.96, 0], atol=1e-6)


def test_prompts_of_a_model_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    class Prefixed(type(EMBEDDERS.create(DENSE))):  # type: ignore[misc]
        def embed_queries(self, texts: Any) -> Any:
            return self.embed([f"query: {text}" for text in texts])

    model = EncodeModel([Prefixed(dimension=64)], "whole")
    as_query, as_document = (
        model.encode([{"text": ["cats"]}], prompt_type=role) for role in ("query", "document")
    )
    assert not np.array_equal(as_query, as_document)
    np.testing.assert_array_equal(as_document, model.encode([{"text": ["cats"]}], prompt_type=None))


def test_the_index_goes_with_the_model(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    model = mteb_model("bm25")
    model.index(CORPUS)
    model.index(CORPUS[:1])
    assert len(os.listdir(tmp_path)) == 1  # noqa: PTH208
    assert list(model.search([{"id": "q", "text": "bark purr"}], top_k=9)["q"]) == ["cat"]
    del model
    gc.collect()
    assert os.listdir(tmp_path) == []  # noqa: PTH208


def test_what_goes_wrong_is_said() -> None:
    with pytest.raises(QueryError, match=r"searches before it has indexed; call index\(corpus\) first"):
        mteb_model("bm25").search([{"id": "q", "text": "a"}], top_k=1)
    with pytest.raises(SpecError, match="bm52"):
        mteb_model("bm52")
    with pytest.raises(DatasetError, match=r"documents of the corpus cannot be indexed, the first is "):
        mteb_model("bm25").index([{"id": "a", "text": "half a pair \ud800"}])


def test_without_mteb_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mteb", None)
    with pytest.raises(MissingExtraError, match=r"needs mteb.*ragembed\[mteb\]"):
        mteb_task(load("primer"))
    with pytest.raises(MissingExtraError, match=r"ragembed\[mteb\]"):
        _ = mteb_model("bm25").mteb_model_meta


# MTEB itself


@pytest.fixture
def mteb(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")
    return pytest.importorskip("mteb", reason="needs mteb: pip install 'ragembed[mteb]'")


pytestmark = pytest.mark.filterwarnings("ignore")  # of MTEB and what it brings


def scores(mteb: Any, model: SearchModel, task: Any, **options: Any) -> dict[str, Any]:
    """What MTEB reports for the only split."""
    (result,) = mteb.evaluate(model, task, cache=None, co2_tracker=False, **options)
    ((found,),) = result.scores.values()
    return dict(found)


@pytest.mark.parametrize("spec", ["bm25", "onehot", DENSE, f"bm25+{DENSE}"])
def test_mteb_reports_what_we_report(mteb: Any, spec: str, tmp_path: Path) -> None:
    dataset = load("primer")
    ours = evaluate_embedder(dataset, spec, measures="nDCG@10,R@100,AP@1000,RR@10,P@5", k=1000).measures
    theirs = scores(mteb, mteb_model(spec), mteb_task(dataset), prediction_folder=tmp_path)
    names = {"nDCG@10": "ndcg_at_10", "R@100": "recall_at_100", "AP@1000": "map_at_1000", "RR@10": "mrr_at_10",
             "P@5": "precision_at_5"}  # fmt: skip
    assert theirs["main_score"] == theirs["ndcg_at_10"]
    for our_name, their_name in names.items():  # MTEB rounds to five digits
        assert theirs[their_name] == pytest.approx(ours[our_name], abs=5.1e-6), our_name
    (written,) = tmp_path.glob("*.json")
    run = json.loads(written.read_text())["default"]["test"]
    assert evaluate(dataset.qrels, run, "nDCG@10").means["nDCG@10"] == pytest.approx(
        ours["nDCG@10"], abs=1e-9
    )


def test_mteb_reranks(mteb: Any) -> None:
    dataset = load("primer")
    task = mteb_task(dataset)
    candidates = {query: sorted(judged) for query, judged in dataset.qrels.items()}
    task.dataset["default"]["test"]["top_ranked"] = candidates
    found = scores(mteb, mteb_model("bm25"), task)
    assert found["recall_at_1000"] == 1.0  # all that is judged is a candidate
    assert found["ndcg_at_10"] > scores(mteb, mteb_model("bm25"), mteb_task(dataset))["ndcg_at_10"]


def test_mteb_measures_similarity(mteb: Any) -> None:
    from mteb.abstasks.sts import AbsTaskSTS
    from mteb.abstasks.task_metadata import TaskMetadata
    from scipy.stats import spearmanr

    import datasets

    pairs = [
        ("a cat sleeps on the mat", "a cat sleeps on the mat", 5.0),
        ("a cat sleeps on the mat", "the cat sleeps", 3.5),
        ("the index stores vectors", "vectors are stored in an index", 3.0),
        ("a dog barks", "a dog eats a bone", 1.5),
        ("rain in spring", "the price of oil", 0.0),
    ]
    metadata = TaskMetadata(
        name="Pairs", description="Five pairs.", dataset={"path": "local/pairs", "revision": "1"}, type="STS",
        category="t2t", eval_splits=["test"], eval_langs=["eng-Latn"], main_score="cosine_spearman",
    )  # fmt: skip
    task = type("Pairs", (AbsTaskSTS,), {"metadata": metadata})()
    columns = dict(zip(("sentence1", "sentence2", "score"), map(list, zip(*pairs, strict=True)), strict=True))
    task.dataset = datasets.DatasetDict({"test": datasets.Dataset.from_dict(columns)})
    task.data_loaded = True
    found = scores(mteb, mteb_model(DENSE), task)
    embedder = EMBEDDERS.create(DENSE)
    one, other = (np.asarray(embedder.embed(columns[name])) for name in ("sentence1", "sentence2"))
    cosines = [float(a @ b) / math.sqrt(float(a @ a) * float(b @ b)) for a, b in zip(one, other, strict=True)]
    assert found["cosine_spearman"] == pytest.approx(spearmanr(cosines, columns["score"])[0], abs=1e-9)
    assert found["spearman"] == found["cosine_spearman"]


def test_the_description_names_the_embedder(mteb: Any) -> None:
    one, other = (
        mteb_model("bm25").mteb_model_meta,
        mteb_model("bm25(k1=0.9, b=0.4)", "fixed(tokens=9)").mteb_model_meta,
    )
    assert (one.name, other.name) == ("ragembed/bm25", "ragembed/bm25-k1-0.9-b-0.4")
    assert one.experiment_kwargs != other.experiment_kwargs
    assert one.model_type == ["sparse"]
    dense = mteb_model(DENSE).mteb_model_meta
    assert (dense.model_type, dense.embed_dim) == (["dense"], 64)
    assert dense.similarity_fn_name.value == "cosine"
    assert mteb_model(f"bm25+{DENSE}").mteb_model_meta.model_type == ["hybrid"]
    assert one.to_dict()["name"] == "ragembed/bm25"


def test_what_mteb_looks_for_is_there(mteb: Any) -> None:
    from mteb.models import EncoderProtocol, SearchProtocol

    assert isinstance(mteb_model("bm25"), SearchProtocol)
    assert not isinstance(mteb_model("bm25"), EncoderProtocol)
    assert isinstance(mteb_model(DENSE), SearchProtocol)
    assert isinstance(mteb_model(DENSE), EncoderProtocol)
