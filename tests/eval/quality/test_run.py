"""One function for every file: the result, its options, and an embedder that has words of its own."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from ragembed.embed.base import Dense, Embedder, Kind
from ragembed.errors import DatasetError, EmbeddingError, SpecError
from ragembed.eval.quality.run import evaluate_quality
from ragembed.eval.quality.words import WordTable

# first number: woman or man, second: royal, third: human
WORDS = {
    "man": (0.5, 0, 1), "woman": (-0.5, 0, 1), "king": (0.5, 1, 1), "queen": (-0.5, 1, 1), "dog": (0, -1, 0.2),
}  # fmt: skip


@dataclass(eq=False)
class Table(Embedder):
    """Words with vectors; a text is the sum of its words. What loads word2vec's files would look like this."""

    name: ClassVar[str] = "table"
    kind: ClassVar[Kind] = "dense"
    table: WordTable = field(init=False)

    def __post_init__(self) -> None:
        self.table = WordTable(list(WORDS), np.array(list(WORDS.values()), np.float32))

    @property
    def dimension(self) -> int:
        return 3

    def embed(self, texts: Sequence[str]) -> Dense:
        rows = [np.asarray(self.table.word_vectors(text.split())[1]).sum(axis=0) for text in texts]
        return np.array(rows, np.float32).reshape(-1, 3)

    def word_vectors(self, words: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        known, vectors = self.table.word_vectors(words)
        return known, np.asarray(vectors)

    def vocabulary(self) -> tuple[Sequence[str], Dense]:
        return self.table.words, self.table.vectors


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def words(tmp_path: Path) -> Path:
    return write(tmp_path / "words.txt", "man\tking\t7\nman\twoman\t5\nking\tqueen\t8\nman\tcat\t6\n")


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    return write(
        tmp_path / "questions.txt",
        ": family\nman king woman queen\nman king woman cat\n: gram1\nking man queen woman\nman woman king dog\n",
    )


def test_word_similarity(words: Path) -> None:
    found = evaluate_quality(words, Table()).to_json()
    assert json.loads(json.dumps(found)) == found
    # cosines: man-king 0.75, man-woman 0.6, king-queen 0.78: in the order of the scores 7, 5, 8
    assert found["measures"]["Spearman"] == pytest.approx(1)
    assert set(found["measures"]) == {"Spearman", "Pearson"}
    assert (found["dataset"], found["task"], found["embedder"]) == ("words.txt", "word-similarity", "table")
    assert (found["pairs"], found["covered"], found["unknown"], found["fitted_on"]) == (4, 3, "skip", None)
    assert set(found["seconds"]) == {"fit", "score"}
    assert len(found["intervals"]["Spearman"]) == 2
    zero = evaluate_quality(words, Table(), unknown="zero").to_json()
    # 0 for man-cat takes the last place from man-woman: squared differences of ranks 0 + 0 + 1 + 1 = 2
    assert zero["measures"]["Spearman"] == pytest.approx(1 - 6 * 2 / (4 * 15))
    assert (zero["covered"], zero["unknown"]) == (3, "zero")


def test_sentences_are_embedded_as_texts_and_unknown_ones_score_0(tmp_path: Path) -> None:
    path = write(
        tmp_path / "sts.tsv", "5\tking queen\tking queen\n3\tman king\tking\n1\tman\tqueen\n0\tman\tnothing\n"
    )
    found = evaluate_quality(path, Table()).to_json()
    assert (found["task"], found["pairs"], found["covered"], found["unknown"]) == (
        "sentence-similarity",
        4,
        3,
        "zero",
    )
    # cosines 1, 0.95, 0.45 and 0 for the unknown one, in the order of 5, 3, 1, 0
    assert found["measures"]["Spearman"] == pytest.approx(1)


def test_analogies_are_answered_from_the_embedders_own_words(questions: Path) -> None:
    found = evaluate_quality(questions, Table()).to_json()
    assert (found["questions"], found["covered"]) == (4, 3)
    assert found["vocabulary"] == {"words": 5, "of": "the embedder"}
    assert found["measures"]["3CosAdd"] == pytest.approx(2 / 3)
    assert found["measures"]["3CosAdd semantic"] == 1
    assert found["measures"]["3CosMul syntactic"] == 0.5
    family = found["sections"][0]
    assert family == {"name": "family", "questions": 2, "covered": 1, "3CosAdd": 1.0, "3CosMul": 1.0}
    zero = evaluate_quality(questions, Table(), unknown="zero").to_json()
    assert zero["measures"]["3CosAdd"] == 0.5


def test_vocabulary_of_analogies(questions: Path) -> None:
    first = evaluate_quality(questions, Table(), vocabulary=4).to_json()
    assert (first["vocabulary"], first["covered"]) == ({"words": 4, "of": "the embedder"}, 2)
    given = evaluate_quality(
        questions, Table(), vocabulary=["man", "king", "woman", "queen", "cat"]
    ).to_json()
    assert given["vocabulary"] == {"words": 4, "of": "the list given"}  # cat is unknown
    embedded = evaluate_quality(questions, "random-projection").to_json()
    assert embedded["vocabulary"] == {"words": 6, "of": "the questions"}
    assert embedded["covered"] == 4
    with pytest.raises(SpecError, match="random-projection has no vocabulary of its own"):
        evaluate_quality(questions, "random-projection", vocabulary=10)
    with pytest.raises(SpecError, match="0 words answers nothing"):
        evaluate_quality(questions, Table(), vocabulary=0)


def test_bias(tmp_path: Path) -> None:
    test = {
        "X_key": "X", "Y_key": "Y", "A_key": "A", "B_key": "B",
        "X": ["man", "king"], "Y": ["woman", "queen"], "A": ["man", "dog"], "B": ["woman", "queen"],
    }  # fmt: skip
    path = write(tmp_path / "weat.json", json.dumps({"gender": test}))
    found = evaluate_quality(path, Table()).to_json()
    (only,) = found["tests"]
    assert found["measures"] == {"gender": only["d"]}
    assert only["d"] > 1
    assert (only["partitions"], only["exact"]) == (6, True)
    assert (found["words"], found["covered"]) == (5, 5)
    with pytest.raises(SpecError, match="unknown words are always left out"):
        evaluate_quality(path, Table(), unknown="zero")


def test_lexical_embedders_learn_the_words_of_the_file(words: Path) -> None:
    path = write(
        words.parent / "sts.tsv", "5\ta cat sleeps\ta cat sleeps\n2\ta cat\tthe dog\n3\tone cat\tcat food\n"
    )
    found = evaluate_quality(path, "onehot(language=none)").to_json()
    assert found["fitted_on"] == "the file's own 5 texts"
    # cosines 1, 0 and 1/2
    assert found["measures"]["Spearman"] == pytest.approx(1)


def test_learners_take_a_corpus(words: Path) -> None:
    corpus = [
        "the man is a king",
        "the woman is a queen",
        "king and queen",
        "man and woman",
        "dog and cat",
        "a cat",
    ]
    found = evaluate_quality(words, "lsa(dimension=3)", corpus=corpus).to_json()
    assert found["fitted_on"] == "6 texts of the corpus"
    assert found["covered"] == 4


def test_the_same_numbers_again(words: Path) -> None:
    first, again = (evaluate_quality(words, Table()).to_json() for _ in range(2))
    first.pop("seconds"), again.pop("seconds")
    assert first == again


def test_options_that_make_no_sense(words: Path) -> None:
    with pytest.raises(SpecError, match="unknown is 'mean'; valid are: skip, zero"):
        evaluate_quality(words, Table(), unknown="mean")  # type: ignore[arg-type]
    with pytest.raises(SpecError, match="has no vocabulary to answer from"):
        evaluate_quality(words, Table(), vocabulary=3)
    with pytest.raises(EmbeddingError, match="lsa learns"):
        evaluate_quality(words, "lsa")


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="cannot be read"):
        evaluate_quality(tmp_path / "nothing.txt", Table())
