"""Training in one call, as the documentation shows it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ragembed.embed.words import open_word_vectors, train_word_vectors
from ragembed.embed.words.train.reading import Reading
from ragembed.errors import EmbeddingError

pytest.importorskip("gensim", reason="needs the extra words")

TEXTS = ["apple pear plum fig", "saw drill hammer plane"] * 20
SPEC = "word2vec(dimension=6, epochs=2, workers=1)"


def test_in_memory_and_in_a_folder_are_the_same(tmp_path: Path) -> None:
    one, other = train_word_vectors(SPEC, TEXTS), train_word_vectors(SPEC, TEXTS, tmp_path / "model")
    assert one.words == list(other.words)
    assert np.array_equal(one.vectors, other.vectors)
    assert open_word_vectors(tmp_path / "model").digest == other.digest == one.digest


def test_how_it_reads_and_what_it_goes_on_from(tmp_path: Path) -> None:
    old = train_word_vectors(
        SPEC, ["A b"] * 3, tmp_path / "a", reading=Reading(tokens="whitespace", min_count=1)
    )
    new = train_word_vectors("word2vec", ["A b C"], tmp_path / "b", update=tmp_path / "a")
    assert (list(old.words), list(new.words)) == (["A", "b"], ["A", "b", "C"])
    assert new.dimension == 6
    with pytest.raises(EmbeddingError, match="name the folder for the new model"):
        train_word_vectors("word2vec", ["A b C"], update=tmp_path / "a")
