"""What is written is read back the same, by this toolkit and by gensim."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from ragembed.embed.words import WordVectors, open_word_vectors
from ragembed.embed.words.formats.fasttext_write import write_fasttext_bin
from ragembed.embed.words.formats.write import (
    write_fasttext_vec,
    write_glove_text,
    write_word2vec_binary,
    write_word2vec_text,
)
from ragembed.embed.words.subwords import Subwords
from ragembed.errors import EmbeddingError, StoreError

TEXT = (write_word2vec_text, write_fasttext_vec, write_glove_text)
ALL = (*TEXT, write_word2vec_binary)
STRANGE = [
    "</s>",
    "new york",
    ". . .",
    "é",
    "日本",
    "\u00a0",
    "\u2028",
    "\ufeff",
    "a\x0bb",
    "1",
    "nan",
    "0.5",
    "x\ty",
    "\x00",
]
WORDS = st.lists(
    st.text(min_size=1, max_size=8)
    | st.sampled_from([*STRANGE, "", " ", "a\nb", "a 1", " a", "a\r", "\ud800"]),
    min_size=1,
    max_size=8,
    unique=True,
)
NUMBERS = st.floats(width=32, allow_nan=False, allow_infinity=False)


@pytest.mark.parametrize("write", ALL)
@pytest.mark.parametrize("end", ["", ".gz"])
@given(words=WORDS, data=st.data())
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_round_trip(write: Any, end: str, words: list[str], data: st.DataObject) -> None:
    dimension = data.draw(st.integers(1, 4))
    table = data.draw(arrays.arrays(np.float32, (len(words), dimension), elements=NUMBERS))
    vectors = WordVectors(words, table)
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"a{end}"
        kept = [word for word in words if holds(word, write)]
        if not kept:
            with pytest.raises(EmbeddingError, match="can hold none"):
                write(vectors, path)
            assert not list(Path(folder).iterdir())
            return
        done = write(vectors, path)
        assert (done.words, done.left_out) == (len(kept), len(words) - len(kept))
        spaced = 0 if write is write_word2vec_binary else sum(" " in word or "\t" in word for word in kept)
        assert done.with_spaces == spaced
        assert [each.name for each in Path(folder).iterdir()] == [path.name]
        found = open_word_vectors(path)
        assert list(found.words) == kept
        expected = table[[words.index(word) for word in kept]]
        assert found.vectors.tobytes() == expected.tobytes()
        assert found.info["warnings"] == {}


def holds(word: str, write: Any) -> bool:
    """Whether the format can hold `word`, said another way than the code does."""
    if not word or "\n" in word or any("\ud800" <= character <= "\udfff" for character in word):
        return False
    if write is write_word2vec_binary:
        return " " not in word
    parts = word.replace("\t", " ").split(" ")
    if "\r" in word or not parts[0] or not parts[-1]:
        return False
    try:
        return len(parts) == 1 or "_" in parts[-1] or not parts[-1].isascii() or float(parts[-1]) is None
    except ValueError:
        return True


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # gensim leaves files open
@pytest.mark.parametrize("write", ALL)
def test_gensim_reads_it(tmp_path: Path, small: WordVectors, write: Any) -> None:
    from gensim.models import KeyedVectors

    for name in ("a", "a.gz"):
        write(small, tmp_path / name)
        found = KeyedVectors.load_word2vec_format(
            str(tmp_path / name), binary=write is write_word2vec_binary, no_header=write is write_glove_text
        )
        assert found.index_to_key == list(small.words)
        assert (found.vectors == small.vectors).all()


def test_what_the_files_hold(tmp_path: Path) -> None:
    vectors = WordVectors(["a", "new york"], np.array([[0.1, 1], [1e-7, -3e20]], np.float32))
    write_word2vec_text(vectors, tmp_path / "w")
    assert (tmp_path / "w").read_bytes() == b"2 2\na 0.1 1.0\nnew york 1e-07 -3e+20\n"
    write_glove_text(vectors, tmp_path / "g")
    assert (tmp_path / "g").read_bytes() == b"a 0.1 1.0\nnew york 1e-07 -3e+20\n"
    assert write_word2vec_binary(vectors, tmp_path / "b").left_out == 1
    assert (tmp_path / "b").read_bytes() == b"1 2\na " + np.array([0.1, 1], "<f4").tobytes()


@pytest.mark.parametrize("write", [*ALL, write_fasttext_bin])
def test_a_mapped_folder_in_pieces(tmp_path: Path, small: WordVectors, write: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr("ragembed.embed.words.formats.write._ROWS", 3)
    monkeypatch.setattr("ragembed.embed.words.formats.fasttext_write._ROWS", 3)
    small.save(tmp_path / "folder")
    opened = WordVectors.open(tmp_path / "folder")
    assert write(opened, tmp_path / "a").words == 4
    found = open_word_vectors(tmp_path / "a")
    assert list(found.words) == list(small.words)
    assert np.allclose(found.vectors, small.vectors, atol=1e-6)


def test_ngrams_survive(tmp_path: Path, small: WordVectors) -> None:
    write_fasttext_bin(small, tmp_path / "a")
    found = open_word_vectors(tmp_path / "a")
    assert found.counts is not None
    assert found.counts.tolist() == [9, 4, 2, 1]
    assert isinstance(found.subwords, Subwords)
    assert small.subwords is not None
    assert (found.subwords.vectors_of_ngrams == small.subwords.vectors_of_ngrams).all()
    assert np.allclose(found.word_vectors(["unseen"])[1], small.word_vectors(["unseen"])[1])


@pytest.mark.parametrize("write", [*ALL, write_fasttext_bin])
def test_a_full_disk_leaves_nothing_half(
    tmp_path: Path, small: WordVectors, write: Any, monkeypatch: Any
) -> None:
    (tmp_path / "a").write_bytes(b"what was there")

    def full(file: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("ragembed.embed.words.formats.write.sync", full)
    with pytest.raises(StoreError, match="No space left"):
        write(small, tmp_path / "a")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_bytes() == b"what was there"
    with pytest.raises(StoreError, match="cannot be written"):
        write(small, tmp_path / "no folder" / "a")


def test_no_words(tmp_path: Path) -> None:
    with pytest.raises(EmbeddingError, match="no words"):
        write_word2vec_text(WordVectors([], np.zeros((0, 3), np.float32)), tmp_path / "a")
