"""Searching again with a changed query: RM3, Rocchio, and expansion by word vectors."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragembed import Document, Pipeline
from ragembed.embed.words import WordVectors
from ragembed.errors import EmbeddingError, QueryError
from ragembed.retrieve.fusion import Fused
from ragembed.retrieve.steps.feedback import largest, sparse_sides, trust
from ragembed.retrieve.steps.rm3 import mixed, relevance_model
from ragembed.retrieve.steps.rocchio import Rocchio, moved

Make = Callable[..., Pipeline]


def scores(pipeline: Pipeline, query: str, steps: str, k: int = 10) -> dict[str, float]:
    return {hit.chunk.document_id: hit.score for hit in pipeline.search(query, k, steps=steps)}


def test_a_relevance_model_by_hand() -> None:
    """Two passages that count 3/4 and 1/4: fox 3/4 * 1/2 + 1/4 * 1/4, den 3/4 * 1/2, hill 1/4 * 3/4."""
    counts = [{"fox": 1, "den": 1}, {"fox": 1, "hill": 3}]
    model = relevance_model(counts, [0.75, 0.25], {"fox", "den", "hill"}, 3)
    assert model == pytest.approx({"fox": 0.4375, "den": 0.375, "hill": 0.1875})
    two = relevance_model(counts, [0.75, 0.25], {"fox", "den", "hill"}, 2)
    assert two == pytest.approx({"fox": 0.4375 / 0.8125, "den": 0.375 / 0.8125})
    assert relevance_model(counts, [0.75, 0.25], {"den", "hill"}, 1) == {"den": 1.0}
    assert relevance_model([], [], set(), 5) == {}


@given(
    st.dictionaries(st.sampled_from("abcde"), st.integers(1, 5), min_size=1),
    st.lists(
        st.dictionaries(st.sampled_from("abcdefg"), st.integers(1, 9), min_size=1), min_size=1, max_size=4
    ),
    st.integers(1, 9),
    st.floats(0, 1),
)
def test_the_sum_of_the_weights_is_kept(
    query: dict[str, int], counts: list[dict[str, int]], most: int, weight: float
) -> None:
    shares = [1 / len(counts)] * len(counts)
    model = relevance_model(counts, shares, set("abcdefg"), most)
    assert math.fsum(model.values()) == pytest.approx(1)
    assert len(model) <= most
    found = mixed({term: float(count) for term, count in query.items()}, model, weight)
    assert math.fsum(found.values()) == pytest.approx(sum(query.values()))


def test_trust() -> None:
    assert trust([Fused(0, 3.0, {}), Fused(1, 1.0, {})]) == [0.75, 0.25]
    assert trust([Fused(0, 3.0, {}), Fused(1, -1.0, {})]) == [0.5, 0.5]
    assert trust([Fused(0, 0.0, {})]) == [1.0]
    assert trust([]) == []


def test_equal_weights_come_in_the_order_of_the_alphabet() -> None:
    assert list(largest({"b": 1.0, "a": 1.0, "c": 2.0}, 2)) == ["c", "a"]


FOXES = ["fox den den", "fox den", "den hill", "bee honey", "bee hill", "fox road"]


def test_rm3_finds_what_shares_terms_with_the_first_hits(make: Make) -> None:
    pipeline = make(FOXES)
    assert set(scores(pipeline, "fox", "none")) == {"d0", "d1", "d5"}
    found = scores(pipeline, "fox", "rm3(documents=2, terms=2, weight=0.5)")
    assert set(found) == {"d0", "d1", "d2", "d5"}
    assert {*list(found)[:2]} == {"d0", "d1"}
    assert scores(pipeline, "fox", "rm3(weight=1.0)") == pytest.approx(scores(pipeline, "fox", "none"))


def test_rm3_is_bm25_of_the_query_model(make: Make) -> None:
    """One relevant passage, d1 of two terms: the model is fox 1/2, den 1/2; mixed by half: fox 3/4, den 1/4."""
    pipeline = make(FOXES)
    fox, den = scores(pipeline, "fox", "none"), scores(pipeline, "den", "none")
    assert next(iter(fox)) in ("d1", "d5")
    found = scores(pipeline, "fox", "rm3(documents=1, terms=2, weight=0.5)")
    other = "den" if next(iter(fox)) == "d1" else "road"
    second = den if other == "den" else scores(pipeline, "road", "none")
    for name, score in found.items():
        assert score == pytest.approx(0.75 * fox.get(name, 0) + 0.25 * second.get(name, 0), rel=1e-5)


def test_rm3_in_a_hybrid_leaves_vectors_alone(make: Make, compass: str) -> None:
    pipeline = make([f"{text} north" for text in FOXES], f"bm25(language=none)+{compass}")
    before = pipeline.search("fox north", 10)
    after = pipeline.search("fox north", 10, steps="rm3")
    assert {h.chunk.id: h.parts["compass"][1] for h in before} == {
        h.chunk.id: h.parts["compass"][1] for h in after
    }
    assert [h.score for h in before] != [h.score for h in after]


@pytest.mark.parametrize("steps", ["rm3", "expand(embedder=FOLDER)"])
def test_an_index_without_terms(make: Make, compass: str, steps: str, tmp_path: Path) -> None:
    words(tmp_path / "w")
    pipeline = make(["north", "east"], compass)
    with pytest.raises(QueryError, match=r"the index has none \(it has compass\)"):
        pipeline.search("north", 2, steps=steps.replace("FOLDER", f"'{tmp_path / 'w'}'"))


def test_an_index_of_token_vectors_alone_is_named() -> None:
    ranking: Any = SimpleNamespace(sides=[SimpleNamespace(embedder=SimpleNamespace(spec="colbert:x"))])
    with pytest.raises(QueryError, match=r"it has colbert:x"):
        sparse_sides(ranking, "rm3", "leave it out")


def test_terms_of_more_than_a_tenth_of_all_passages_are_no_feedback(make: Make) -> None:
    texts = [f"common fox{i}" for i in range(120)] + ["fox rare common", "rare thing"]
    pipeline = make(texts)
    found = pipeline.search("fox", 10, steps="rm3(documents=1)")
    assert {hit.chunk.document_id for hit in found} == {"d120", "d121"}


@given(st.lists(st.floats(-1, 1), min_size=3, max_size=3), st.floats(0, 1))
def test_a_moved_query_keeps_its_length(numbers: list[float], weight: float) -> None:
    query = np.array([numbers], np.float32)
    relevant = np.array([[1, 0, 0], [0, 1, 0]], np.float32)
    found = moved(query, relevant, weight)
    assert np.linalg.norm(found) == pytest.approx(np.linalg.norm(query), rel=1e-5, abs=1e-30)


def test_moved_by_hand() -> None:
    """Half of (2, 0) and half of the mean of (0, 3): halfway between, of length 2."""
    found = moved(np.array([[2, 0]], np.float32), np.array([[0, 3]], np.float32), 0.5)
    assert found == pytest.approx(np.array([[math.sqrt(2), math.sqrt(2)]]))
    query = np.array([[2, 0]], np.float32)
    assert moved(query, np.array([[0, 3]], np.float32), 1.0) == pytest.approx(query)
    zeros = np.zeros((1, 2), np.float32)
    assert moved(zeros, query, 0.5) is zeros
    assert moved(query, -query, 0.5) is query  # they cancel one another


def test_rocchio_turns_towards_the_first_hits(make: Make, compass: str) -> None:
    """The first hit of north is north east; east comes nearer, west goes away."""
    pipeline = make(["north north east", "west north", "east east north"], compass)
    before, after = (
        scores(pipeline, "north", steps) for steps in ("none", "rocchio(documents=1, weight=0.5)")
    )
    assert after["d2"] > before["d2"]
    assert after["d1"] < before["d1"]


def test_rocchio_for_terms_brings_new_ones(make: Make) -> None:
    pipeline = make(FOXES)
    found = scores(pipeline, "fox", "rocchio(documents=2, terms=2)")
    assert {"d0", "d1", "d5"} < set(found)
    plain = scores(pipeline, "fox", "none")
    assert scores(pipeline, "fox", "rocchio(weight=1.0)") == pytest.approx(plain, rel=1e-5)


def words(folder: Path) -> Path:
    """fox and vixen have a cosine of 0.8, fox and bee none."""
    vectors = np.array([[1, 0, 0], [0.8, 0.6, 0], [0, 0, 1], [0.1, 0, 1]], np.float32)
    WordVectors(["fox", "vixen", "bee", "honey"], vectors).save(folder)
    return folder


def test_expansion_adds_near_words(make: Make, tmp_path: Path) -> None:
    near = words(tmp_path / "w")
    pipeline = make(["a fox", "a vixen", "a bee", "some honey"])
    found = scores(pipeline, "fox", f"expand(embedder='{near}', weight=0.5)")
    fox, vixen = scores(pipeline, "fox", "none"), scores(pipeline, "vixen", "none")
    assert found == pytest.approx({"d0": fox["d0"], "d1": 0.5 * 0.8 * vixen["d1"]}, rel=1e-5)
    assert set(scores(pipeline, "fox", f"expand(embedder='{near}', similarity=0.9)")) == {"d0"}
    assert set(scores(pipeline, "wolf", f"expand(embedder='{near}')")) == set()
    path = f"expand(embedder=\"word2vec(path='{near}')\")"
    assert set(scores(pipeline, "fox", path)) == {"d0", "d1"}


@pytest.mark.parametrize(
    ("embedder", "error", "message"),
    [
        ("nowhere", QueryError, "nowhere is no file, no folder and no embedder"),
        ("bm25", QueryError, "embedder bm25 has no word vectors"),
        ("glove", QueryError, "embedder glove has no word vectors"),
        ("EMPTY", EmbeddingError, "a folder without word vectors"),
    ],
)
def test_word_vectors_that_are_none(
    make: Make, tmp_path: Path, embedder: str, error: type[Exception], message: str
) -> None:
    (tmp_path / "e").mkdir()
    pipeline = make(["a fox"])
    with pytest.raises(error, match=message):
        pipeline.search(
            "fox", 1, steps=f"expand(embedder='{embedder.replace('EMPTY', str(tmp_path / 'e'))}')"
        )
    with pytest.raises(
        QueryError, match="has no word vectors, and the index has no embedder that goes by them"
    ):
        pipeline.search("fox", 1, steps="expand")


def test_the_words_of_the_index_itself(make: Make) -> None:
    pipeline = make(
        [Document(f"d{i}", f"fox vixen den number{i % 3} hill river") for i in range(30)],
        "bm25(language=none)+word2vec(dimension=8, epochs=1, min_count=1, seed=1)",
    )
    hits = pipeline.search("vixen", 3, steps="expand(similarity=0.01)")
    assert len(hits) == 3


def test_one_changed_query_is_what_the_next_step_finds(make: Make, tmp_path: Path) -> None:
    near = words(tmp_path / "w")
    pipeline = make(["a fox", "a vixen den", "den hill", "some honey"])
    both = scores(pipeline, "fox", f"expand(embedder='{near}')+rm3(documents=2, terms=5)")
    assert {"d0", "d1", "d2"} <= set(both)


def test_rocchio_without_a_vector_or_terms_to_move_says_so() -> None:
    ranking: Any = SimpleNamespace(sides=[SimpleNamespace(embedder=SimpleNamespace(spec="colbert:x"))])
    given_: Any = SimpleNamespace(ranking=ranking, hits=[], encoded=lambda: [None])
    with pytest.raises(QueryError, match=r"has neither \(it has colbert:x\)"):
        Rocchio().apply(given_, 3)
