"""LSA against a dense SVD, and on a corpus whose two topics a reader sees."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.sparse import issparse

from ragembed.datasets import load
from ragembed.embed import EMBEDDERS, Embedder, load_embedder
from ragembed.embed.lsa import LSA
from ragembed.errors import EmbeddingError, SpecError

# a car and an automobile never meet, but share the company of engines and wheels
CORPUS = [
    "car engine wheel",
    "automobile engine wheel",
    "car engine driver",
    "automobile wheel driver",
    "flower garden rose",
    "rose garden tulip",
    "tulip flower garden",
]


def dense(matrix: Any) -> NDArray[np.float32]:
    return np.asarray(matrix.toarray() if issparse(matrix) else matrix)


def fitted(**params: int) -> LSA:
    embedder = LSA(language="none", **params)
    embedder.fit(CORPUS)
    return embedder


def test_synonyms_meet_in_the_space() -> None:
    embedder = fitted(dimension=2)
    car, automobile, rose = embedder.embed_queries(["car", "automobile", "rose"])
    assert car @ automobile > 0.99
    assert abs(car @ rose) < 1e-6


def test_scores_are_those_of_the_dense_formula() -> None:
    embedder = fitted(dimension=3)
    terms = sorted({term for text in CORPUS for term in text.split()})
    counts = np.array([[text.split().count(term) for term in terms] for text in CORPUS], dtype=float)
    idf = np.log(1 + len(CORPUS) / (counts > 0).sum(axis=0))
    rows = counts * idf  # every word stands once, 1 + ln 1 = 1
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    _, _, directions = np.linalg.svd(rows)
    expected = rows @ directions[:3].T
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    vectors = embedder.embed_documents(CORPUS)
    np.testing.assert_allclose(vectors @ vectors.T, expected @ expected.T, atol=1e-5)


def test_full_rank_is_the_cosine_of_tfidf() -> None:
    # the first two documents share engine and wheel (df 3 of 7) and differ in car and automobile (df 2)
    shared, own = 2 * math.log(1 + 7 / 3) ** 2, math.log(1 + 7 / 2) ** 2
    first, second = fitted(dimension=50).embed(CORPUS[:2])
    assert first @ second == pytest.approx(shared / (shared + own), abs=1e-6)


def test_repetition_counts_by_its_logarithm() -> None:
    embedder = LSA(language="none", dimension=2)
    embedder.fit(["a", "b"])  # df 1 each: the two axes, equal idf
    vector = embedder.embed(["a a a b"])[0]
    a, b = embedder.embed(["a", "b"])
    weight = 1 + math.log(3)
    assert vector @ a == pytest.approx(weight / math.hypot(weight, 1), abs=1e-6)
    assert vector @ b == pytest.approx(1 / math.hypot(weight, 1), abs=1e-6)


def test_low_rank_is_filled_with_zeros() -> None:
    embedder = fitted(dimension=50)
    vectors = embedder.embed(CORPUS)
    assert vectors.shape == (7, 50)
    assert not vectors[:, 7:].any()
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-6)


def test_unknown_words_give_zeros_and_never_nan() -> None:
    vectors = fitted(dimension=4).embed(["", "zebra", "zebra car", "..."])
    assert not vectors[[0, 1, 3]].any()
    assert np.linalg.norm(vectors[2]) == pytest.approx(1)


def test_order_of_the_corpus_does_not_matter() -> None:
    first, second = fitted(dimension=3), LSA(language="none", dimension=3)
    second.fit(reversed(CORPUS))
    ours, others = first.embed(CORPUS), second.embed(CORPUS)
    np.testing.assert_allclose(ours @ ours.T, others @ others.T, atol=1e-5)


def test_one_pass_over_a_stream_is_enough() -> None:
    streamed = LSA(language="none", dimension=3)
    streamed.fit(text for text in CORPUS)
    assert streamed.state_hash() == fitted(dimension=3).state_hash()


def test_rare_and_surplus_terms_are_left_out() -> None:
    # in CORPUS engine, wheel and garden stand in 3 documents, all others in 2
    by_df = fitted(dimension=4, min_df=3)
    assert by_df.embed(["garden"]).any()
    assert not by_df.embed(["rose"]).any()
    by_number = fitted(dimension=4, max_features=4)  # and the alphabetically first of the others, automobile
    assert [bool(by_number.embed([word]).any()) for word in ("wheel", "automobile", "car")] == [
        True,
        True,
        False,
    ]


def test_saved_state_is_plain_and_comes_back(tmp_path: Path) -> None:
    embedder = fitted(dimension=3)
    embedder.save(tmp_path / "lsa")
    assert {file.name for file in (tmp_path / "lsa").iterdir()} == {
        "embedder.json",
        "lsa.json",
        "lsa.safetensors",
    }
    again = load_embedder(tmp_path / "lsa")
    assert again.identity() == embedder.identity()
    np.testing.assert_array_equal(again.embed(CORPUS), embedder.embed(CORPUS))


def test_damaged_state_is_told(tmp_path: Path) -> None:
    fitted(dimension=3).save(tmp_path)
    with pytest.raises(EmbeddingError, match=r"shape \(9, 3\), not \(9, 5\); .*fit"):
        LSA(dimension=5).load_state(tmp_path)
    for terms in ('{"terms": 5}', '{"terms": [[]]}', '["car"]'):
        (tmp_path / "lsa.json").write_text(terms)
        with pytest.raises(EmbeddingError, match=r"holds no saved lsa .*; fit"):
            load_embedder(tmp_path)
    (tmp_path / "lsa.safetensors").write_bytes(b"nonsense")
    with pytest.raises(EmbeddingError, match=r"holds no saved lsa .*; fit"):
        load_embedder(tmp_path)


def test_state_changes_with_the_corpus() -> None:
    other = LSA(language="none", dimension=3)
    other.fit([*CORPUS, "car"])
    assert other.state_hash() != fitted(dimension=3).state_hash()
    assert LSA().state_hash() is None


def test_words_of_deleted_texts_are_forgotten(tmp_path: Path) -> None:
    embedder = fitted(dimension=4)
    before, state = embedder.embed(CORPUS), embedder.state_hash()
    kept = [text for text in CORPUS if "tulip" not in text]
    assert embedder.forget(iter(kept))
    assert embedder.state_hash() != state
    assert not embedder.embed(["tulip"]).any()
    places = [CORPUS.index(text) for text in kept]
    np.testing.assert_array_equal(embedder.embed(kept), before[places])  # to the last bit
    assert not embedder.forget(kept)
    embedder.save(tmp_path)
    assert all(b"tulip" not in file.read_bytes() for file in tmp_path.iterdir())
    again = load_embedder(tmp_path)
    assert again.state_hash() == embedder.state_hash()
    np.testing.assert_array_equal(again.embed(kept), before[places])


def test_everything_may_be_forgotten(tmp_path: Path) -> None:
    embedder = fitted(dimension=4)
    assert embedder.forget([])
    embedder.save(tmp_path)
    again = load_embedder(tmp_path)
    np.testing.assert_array_equal(again.embed(["car engine", ""]), np.zeros((2, 4), np.float32))
    assert not again.forget(["car"])


def test_what_keeps_no_words_forgets_none() -> None:
    for spec in ("bm25", "tfidf", "random-projection"):
        assert not EMBEDDERS.create(spec).forget([])


def test_errors() -> None:
    with pytest.raises(EmbeddingError, match="not fitted; call fit"):
        LSA().embed(["car"])
    with pytest.raises(EmbeddingError, match="not fitted; call fit"):
        LSA().save_state(Path("never"))
    for corpus in ([], ["", "..."]):
        with pytest.raises(EmbeddingError, match=f"no term stands in 1 of {len(corpus)} texts; fit it"):
            LSA().fit(corpus)
    with pytest.raises(EmbeddingError, match="lower min_df"):
        fitted(min_df=8)
    for params in ("dimension=0", "max_features=0", "min_df=0"):
        with pytest.raises(SpecError, match="at least 1"):
            EMBEDDERS.create(f"lsa({params})")


def test_finds_more_than_word_matching_on_med(shared_data: Path) -> None:
    """On MED, a collection of Deerwester et al., LSA beats the vectors that it is made from."""
    dataset = load(shared_data / "med")
    ids = [document.id for document in dataset.documents]
    texts = [document.text for document in dataset.documents]

    def precision_at_10(embedder: Embedder) -> float:
        embedder.fit(texts)
        queries = embedder.embed_queries(list(dataset.queries.values()))
        scores = queries @ embedder.embed_documents(texts).T
        found = 0
        for query, row in zip(dataset.queries, dense(scores), strict=True):
            found += sum(dataset.qrels[query].get(ids[column], 0) > 0 for column in np.argsort(-row)[:10])
        return found / (10 * len(dataset.queries))

    lsa, tfidf = (EMBEDDERS.create(spec) for spec in ("lsa(dimension=100)", "tfidf"))
    assert precision_at_10(lsa) > precision_at_10(tfidf) + 0.05
