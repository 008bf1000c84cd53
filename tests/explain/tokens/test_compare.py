"""Shares sum up to the score, and the score is the embedder's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from ragembed.explain.tokens import compare

Make = Callable[..., Any]
QUERY = "how often do I have to change the key?"
PASSAGE = (
    "The signing key is kept in a vault. Rotate it every ninety days. Old keys stay valid for a week.\n\n"
    "Lunch is served at noon."
)


def scored(embedder: Any, query: str = QUERY, passage: str = PASSAGE) -> float:
    """As the embedder itself has it."""
    return float(embedder.embed_queries([query])[0] @ embedder.embed_documents([passage])[0])


@pytest.mark.parametrize("pooling", ["mean_tokens", "weightedmean_tokens", "mean_sqrt_len_tokens"])
@pytest.mark.parametrize("options", ["", "truncate_dim=6"])
def test_shares_sum_up_to_the_score(pooling: str, options: str, make_model: Make) -> None:
    embedder = make_model(pooling, options=options)
    found = compare(embedder, QUERY, PASSAGE)
    assert found.score == pytest.approx(scored(embedder), abs=1e-5)
    assert found.shares.shape == (len(found.passage.tokens),)
    assert found.shares.sum() == pytest.approx(found.score, abs=1e-6)
    assert found.word_shares.sum() == pytest.approx(found.score, abs=1e-6)
    assert (found.rest, found.note) == (0, "")


@pytest.mark.parametrize("pooling", ["cls_token", "lasttoken", "max_tokens"])
def test_no_shares_where_the_vector_is_no_sum(pooling: str, make_model: Make) -> None:
    embedder = make_model(pooling)
    found = compare(embedder, QUERY, PASSAGE)
    assert found.score == pytest.approx(scored(embedder), abs=1e-5)
    assert (found.shares, found.word_shares, found.rest) == (None, None, 0)
    assert "no sum over tokens" in found.note
    similar = found.word_similarity[1:-1]
    word, value = found.best_words(1)[0]
    assert value == similar[:, found.passage.words.index(word)].max()
    assert not word.special
    assert "share" not in found.as_json()["passage"]["tokens"][0]


@pytest.mark.parametrize("bias", [True, False])
def test_a_projection_behind_the_pooling(bias: bool, make_model: Make) -> None:
    embedder = make_model(dense="linear.Identity", bias=bias)
    found = compare(embedder, QUERY, PASSAGE)
    assert found.score == pytest.approx(scored(embedder), abs=1e-5)
    assert found.shares.sum() + found.rest == pytest.approx(found.score, abs=1e-6)
    assert (found.rest != 0) is bias


def test_no_shares_behind_an_activation(make_model: Make) -> None:
    embedder = make_model(dense="activation.Tanh")
    found = compare(embedder, QUERY, PASSAGE)
    assert found.score == pytest.approx(scored(embedder), abs=1e-5)
    assert found.shares is None


def test_the_prompt_of_queries_is_read_too(make_model: Make) -> None:
    embedder = make_model(query="key: ")
    found = compare(embedder, QUERY, PASSAGE)
    assert found.query.text == f"key: {QUERY}"
    assert found.query.prompt == len("key: ")
    assert found.query.words[1].text == "key"
    assert found.score == pytest.approx(scored(embedder), abs=1e-5)


def test_similarity_and_the_words_that_answered(reader: Any) -> None:
    found = compare(reader, QUERY, PASSAGE)
    words = [word.text for word in found.passage.words]
    asked = [word.text for word in found.query.words]
    similar = found.word_similarity
    assert similar.shape == (len(asked), len(words))
    assert words[similar[asked.index("often")].argmax()] == "every"
    assert words[similar[asked.index("key")].argmax()] == "key"
    best = [word.text for word, _ in found.best_words(5)]
    assert {"key", "keys", "every"} <= set(best)
    assert "Lunch" not in best
    vectors = found.query.vectors[2], found.passage.vectors[3]
    expected = vectors[0] @ vectors[1] / np.linalg.norm(vectors[0]) / np.linalg.norm(vectors[1])
    assert found.similarity[2, 3] == pytest.approx(expected, abs=1e-6)


def test_a_text_against_itself(reader: Any) -> None:
    found = compare(reader, PASSAGE, PASSAGE)
    assert found.score == pytest.approx(1, abs=1e-6)
    np.testing.assert_allclose(np.diag(found.similarity), 1, atol=1e-6)


def test_as_json(reader: Any) -> None:
    told = compare(reader, "the key", "an unbelievable key").as_json()
    assert list(told) == ["embedder", "score", "rest", "note", "query", "passage", "similarity"]
    assert [word["text"] for word in told["passage"]["words"]] == [
        "[CLS]",
        "an",
        "unbelievable",
        "key",
        "[SEP]",
    ]
    first, last = told["passage"]["words"][2]["tokens"]
    tokens = told["passage"]["tokens"]
    assert told["passage"]["words"][2]["share"] == pytest.approx(
        sum(each["share"] for each in tokens[first:last])
    )
    assert len(told["similarity"]) == len(told["query"]["tokens"])
    assert len(told["similarity"][0]) == len(tokens)


def test_of_a_passage_that_is_too_long_the_beginning_counts(reader: Any) -> None:
    long = compare(reader, QUERY, PASSAGE + " filler" * 1_000)
    assert long.passage.left_out > 700
    assert long.shares.sum() == pytest.approx(long.score, abs=1e-6)
