"""Embedders made ready to be judged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ragembed.embed import EMBEDDERS
from ragembed.errors import DatasetError, EmbeddingError, SpecError
from ragembed.eval.quality.prepare import ready
from ragembed.eval.quality.words import word_vectors_of

GERMAN = [
    "der Hund schläft im Garten und träumt",
    "die Katze jagt nachts die Mäuse",
    "ein Haus am See ist schön",
]


def test_one_that_learns_needs_a_corpus() -> None:
    with pytest.raises(EmbeddingError, match=r"lsa learns from texts.*give a corpus.*--corpus"):
        ready("lsa", None, GERMAN)
    embedder, learnt = ready("lsa(dimension=2)", iter(GERMAN), ["cat"])
    assert learnt == "3 texts of the corpus"
    assert embedder.embed(["Hund"]).any()
    assert str(embedder.spec) == 'lsa(dimension=2, language="german")' or "german" in str(embedder.spec)


def test_a_lexical_one_takes_the_words_of_the_file() -> None:
    embedder, learnt = ready("onehot(language=none)", None, ["cat", "dog"])
    assert learnt == "the file's own 2 texts"
    assert embedder.dimension == 2
    embedder, learnt = ready("onehot(language=none)", ["cat bird"], ["cat", "dog"])
    assert learnt == "1 texts of the corpus"
    assert embedder.embed_queries(["cat", "dog"]).sum(axis=1).tolist() == [1, 0]


def test_one_that_learns_nothing() -> None:
    embedder, learnt = ready("random-projection", GERMAN, ["cat"])
    assert learnt is None
    assert "german" in str(embedder.spec)  # the language is settled all the same


def test_one_that_has_words_learns_nothing_for_words(tmp_path: Path) -> None:
    model = tmp_path / "model.txt"
    model.write_text("2 2\ncat 1 0\ndog 0 1\n", encoding="utf-8")
    embedder, learnt = ready(f"glove(path={model})", None, ["cat", "dog"], words=True)
    assert learnt is None
    assert word_vectors_of(embedder).word_vectors(["cat", "bird"])[0].tolist() == [True, False]
    with pytest.raises(EmbeddingError, match="glove learns from texts"):
        ready(f"glove(path={model})", None, ["cat", "dog"])  # how to pool them, which sentences need


def test_a_ready_one_stays_as_it_is() -> None:
    made = EMBEDDERS.create("lsa(dimension=2, language=german)")
    made.fit(GERMAN)
    before = np.array(made.embed(GERMAN))
    embedder, learnt = ready(made, None, ["cat"])
    assert embedder is made
    assert learnt is None
    assert np.array_equal(embedder.embed(GERMAN), before)


def test_all_of_a_long_corpus_is_learnt() -> None:
    texts = [f"word{number}" for number in range(2_500)]
    embedder, learnt = ready("bow(language=none)", iter(texts), [])
    assert learnt == "2500 texts of the corpus"
    assert embedder.dimension == 2_500


def test_bad_specs_and_empty_corpora() -> None:
    with pytest.raises(SpecError, match="joins 2 parts"):
        ready("onehot+bow", None, ["cat"])
    with pytest.raises(DatasetError, match="the corpus holds no text"):
        ready("lsa", [], ["cat"])
