"""Word vectors: lookups, and the folder that is mapped."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ragembed.embed.words import WordVectors
from ragembed.embed.words.explore.neighbors import Neighbors, parse_question
from ragembed.embed.words.formats import folder as module
from ragembed.embed.words.formats.folder import STATE, arrays_digest, verify_folder
from ragembed.embed.words.formats.npy import array_digest
from ragembed.embed.words.pooling.bags import Lookup
from ragembed.embed.words.subwords import Subwords
from ragembed.errors import EmbeddingError, LockedError, QueryError, StoreError

TABLE = np.arange(30, dtype=np.float32).reshape(10, 3)


def example(**more: Any) -> WordVectors:
    return WordVectors(["the", "Paris", "paris", "the"], TABLE[:4], **more)


def full() -> WordVectors:
    used = np.array([1, 3, 5, 7])
    return example(
        counts=np.array([9, 4, 2, 1]),
        subwords=Subwords(2, 3, 9, TABLE[:4] + 0.5, used),
        info={"method": "fasttext", "tokenizer": {"kind": "words"}},
    )


def test_lookups() -> None:
    vectors = example()
    assert (len(vectors), vectors.dimension) == (4, 3)
    assert vectors.rows(["paris", "the", "PARIS", ""]).tolist() == [2, 0, -1, -1]  # the first of equal words
    known, found = vectors.word_vectors(["Paris", "PARIS", "London"])
    assert known.tolist() == [True, True, False]
    assert found.tolist() == [
        TABLE[1].tolist(),
        TABLE[2].tolist(),
        [0, 0, 0],
    ]  # as written, in lower case, not at all
    assert vectors.rows([]).shape == (0,)
    assert vectors.word_vectors([])[1].shape == (0, 3)


def test_unknown_words_are_made_of_ngrams() -> None:
    subwords = Subwords(1, 2, 10, TABLE)
    known, found = example(subwords=subwords).word_vectors(["the", "xyz"])
    assert known.tolist() == [True, True]
    assert (found[1] == subwords.vectors(["xyz"])[1][0]).all()
    assert (found[0] == TABLE[0]).all()


@pytest.mark.parametrize(
    ("parts", "fault"),
    [
        ({"vectors": TABLE[:2]}, r"1 words and vectors of shape \(2, 3\)"),
        ({"counts": np.ones(2, np.int64)}, "1 words and 2 counts"),
        ({"subwords": Subwords(1, 2, 10, TABLE[:, :2])}, "have 3 dimensions, those of n-grams 2"),
    ],
)
def test_parts_that_do_not_fit(parts: dict[str, Any], fault: str) -> None:
    with pytest.raises(EmbeddingError, match=fault):
        WordVectors(**{"words": ["a"], "vectors": TABLE[:1], **parts})


@settings(max_examples=30)
@given(words=st.lists(st.text(st.characters(), max_size=9), min_size=1, max_size=9), counted=st.booleans())
def test_what_is_saved_is_opened(words: list[str], counted: bool) -> None:
    table = np.arange(2 * len(words), dtype=np.float32).reshape(-1, 2)
    vectors = WordVectors(
        words, table, counts=np.arange(len(words)) if counted else None, info={"a": [1, "b"]}
    )
    with TemporaryDirectory() as folder:
        vectors.save(Path(folder) / "new" / "er")
        opened = WordVectors.open(Path(folder) / "new" / "er")
        assert list(opened.words) == words
        assert (opened.vectors == table).all()
        assert (opened.counts is None) == (not counted)
        assert opened.counts is None or opened.counts.tolist() == list(range(len(words)))
        assert opened.rows(words).tolist() == vectors.rows(words).tolist()
        assert (opened.info, opened.digest) == (vectors.info, vectors.digest)


def test_ngrams_are_saved(tmp_path: Path) -> None:
    full().save(tmp_path)
    opened = WordVectors.open(tmp_path)
    assert opened.digest == full().digest
    known, found = opened.word_vectors(["paristhe", "x"])
    expected = full().word_vectors(["paristhe", "x"])
    assert (known == expected[0]).all()
    assert (found == expected[1]).all()


def test_nothing_is_held_and_nothing_is_pickled(tmp_path: Path) -> None:
    full().save(tmp_path)
    opened = WordVectors.open(tmp_path)
    assert isinstance(opened.vectors.base, np.memmap)
    assert not opened.vectors.flags.writeable
    for path in tmp_path.glob("*.npy"):
        np.load(path, allow_pickle=False)
    state = json.loads((tmp_path / STATE).read_text())
    assert {path.name for path in tmp_path.iterdir()} == {STATE, *(f"{name}.npy" for name in state["arrays"])}


def test_the_digest_is_of_what_decides_vectors() -> None:
    digests = {
        example().digest,
        example(counts=np.arange(4)).digest,
        example(info={"tokenizer": {"kind": "whitespace"}}).digest,
        example(subwords=Subwords(1, 2, 10, TABLE)).digest,
        example(subwords=Subwords(1, 3, 10, TABLE)).digest,
        WordVectors(["the", "Paris", "pari", "sthe"], TABLE[:4]).digest,
        WordVectors(["the", "Paris", "paris", "the"], TABLE[1:5]).digest,
        full().digest,
    }
    assert len(digests) == 8
    assert example(info={"losses": [1.0], "source": {"name": "x"}}).digest == example().digest


def test_saving_again_replaces_and_leaves_other_files(tmp_path: Path) -> None:
    (tmp_path / "embedder.json").write_text("{}")
    full().save(tmp_path)
    WordVectors.open(tmp_path).save(tmp_path)  # from its own files
    assert WordVectors.open(tmp_path).digest == full().digest
    example().save(tmp_path)
    opened = WordVectors.open(tmp_path)
    assert (opened.digest, opened.counts, opened.subwords) == (example().digest, None, None)
    assert not (tmp_path / "counts.npy").exists()
    assert (tmp_path / "embedder.json").read_text() == "{}"


@pytest.mark.parametrize("call", range(9))
def test_a_full_disk_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: int
) -> None:
    example().save(tmp_path / "old")
    calls = iter(range(100))

    def sync(file: Any) -> None:
        if next(calls) == call:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr("ragembed.embed.words.formats.npy.sync", sync)
    monkeypatch.setattr(module, "sync", sync)
    for name in ("old", "new/deep"):
        calls = iter(range(100))
        with pytest.raises(StoreError, match=r"cannot be written .No space left"):
            full().save(tmp_path / name)
    assert WordVectors.open(tmp_path / "old").digest == example().digest
    assert [path.name for path in tmp_path.iterdir()] == ["old"]
    assert not list(tmp_path.rglob("*.tmp"))


ARRAYS = ("vectors", "words", "offsets", "hashes", "order", "counts", "ngrams", "buckets")


@pytest.mark.parametrize("name", ARRAYS)
@pytest.mark.parametrize("how", ["gone", "empty", "short", "other", "shape", "pickle"])
def test_a_damaged_array(tmp_path: Path, name: str, how: str) -> None:
    full().save(tmp_path)
    path = tmp_path / f"{name}.npy"
    if how == "gone":
        path.unlink()
    elif how == "empty":
        path.write_bytes(b"")
    elif how == "short":
        path.write_bytes(path.read_bytes()[:-1])
    elif how == "other":
        path.write_bytes(b"%PDF-1.4 no numbers")
    elif how == "shape":
        np.save(path, np.zeros((1, 2), np.float64))
    else:
        np.save(path, np.array([{}], object))
    with pytest.raises(EmbeddingError, match=rf"{name}\.npy") as caught:
        WordVectors.open(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "change",
    [
        lambda state: state.update(kind="recipes"),
        lambda state: state.update(version=2),
        lambda state: state.pop("arrays"),
        lambda state: state.update(arrays=[]),
        lambda state: state["arrays"].pop("words"),
        lambda state: state["arrays"].update(other=state["arrays"]["words"]),
        lambda state: state.update(ngrams=[1, 2]),
        lambda state: state.update(ngrams="few"),
        lambda state: state.update(ngrams=[2, 3, 1 << 32]),
        lambda state: state.update(ngrams=[2, 3, float("inf")]),
        lambda state: state.update(info=7),
        lambda state: state["info"].update(tokenizer="words"),
        lambda state: state["info"].update(reading=["words"]),
        lambda state: state["info"].update(warnings=3),
        lambda state: state["info"].update(phrases=[["a"]]),
        lambda state: state["info"].update(phrases=[["a", 1]]),
        lambda state: state["info"].update(phrases="ab"),
        lambda state: state["arrays"].update(counts=state["arrays"]["words"]),
    ],
)
def test_a_damaged_state(tmp_path: Path, change: Any) -> None:
    full().save(tmp_path)
    state = json.loads((tmp_path / STATE).read_text())
    change(state)
    (tmp_path / STATE).write_text(json.dumps(state))
    with pytest.raises(EmbeddingError):
        WordVectors.open(tmp_path)


@pytest.mark.parametrize("content", [b"", b"[]", b"null", b"{", b"\xff", b"[" * 100_000])
def test_a_foreign_state(tmp_path: Path, content: bytes) -> None:
    (tmp_path / STATE).write_bytes(content)
    with pytest.raises(EmbeddingError):
        WordVectors.open(tmp_path)


def test_a_folder_without_words(tmp_path: Path) -> None:
    with pytest.raises(EmbeddingError, match="holds no word vectors"):
        WordVectors.open(tmp_path)


def rewritten(folder: Path, name: str, array: Any) -> None:
    """Put `array` in place of one that was saved, and let the state say that it is the one that was written."""
    np.save(folder / f"{name}.npy", array)
    state = json.loads((folder / STATE).read_text())
    state["arrays"][name]["sha256"] = array_digest(array)
    arrays = {each: np.load(folder / f"{each}.npy") for each in state["arrays"]}
    digests = {each: entry["sha256"] for each, entry in state["arrays"].items()}
    state["arrays_digest"] = arrays_digest(arrays, state["ngrams"], digests)
    (folder / STATE).write_text(json.dumps(state))


@pytest.mark.parametrize(
    ("name", "array", "fault"),
    [
        ("order", np.array([0, 1, 2, 4], np.int32), "names a row that is none of 4"),
        ("order", np.array([0, 1, 2, -1], np.int32), "names a row that is none of 4"),
        ("offsets", np.array([0, 8, 3, 13, 16]), "a word ends before it begins"),
        ("buckets", np.array([1, 3, 3, 7]), "do not rise from 0 to 8"),
        ("buckets", np.array([1, 3, 5, 9]), "do not rise from 0 to 8"),
    ],
)
def test_arrays_that_lookups_cannot_rely_on(tmp_path: Path, name: str, array: Any, fault: str) -> None:
    full().save(tmp_path)
    rewritten(tmp_path, name, array)
    with pytest.raises(EmbeddingError, match=fault):
        WordVectors.open(tmp_path)


def test_sha256_that_do_not_fit_one_another(tmp_path: Path) -> None:
    full().save(tmp_path)
    state = json.loads((tmp_path / STATE).read_text())
    state["arrays"]["vectors"]["sha256"] = "0" * 64
    (tmp_path / STATE).write_text(json.dumps(state))
    with pytest.raises(EmbeddingError, match="sha256 do not fit"):
        WordVectors.open(tmp_path)


def test_what_opening_cannot_see_verifying_reads(tmp_path: Path) -> None:
    full().save(tmp_path)
    verify_folder(tmp_path)
    np.save(tmp_path / "vectors.npy", TABLE[1:5])  # of the same shape
    assert WordVectors.open(tmp_path).digest == full().digest
    with pytest.raises(EmbeddingError, match=r"vectors\.npy was changed after it was written"):
        verify_folder(tmp_path)


def test_a_folder_written_anew_while_it_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    example().save(tmp_path / "words")
    full().save(tmp_path / "other")
    map_before = module._map

    def replaced_meanwhile(folder: Path, text: bytes) -> Any:
        if (tmp_path / "other").exists():
            shutil.rmtree(folder)
            (tmp_path / "other").rename(folder)
        return map_before(folder, text)

    monkeypatch.setattr(module, "_map", replaced_meanwhile)
    assert WordVectors.open(tmp_path / "words").digest == full().digest


def test_one_writer_at_a_time_moves_files(tmp_path: Path) -> None:
    """Another process stops in the midst of its moves: nobody else moves files then, and it can end."""
    example().save(tmp_path / "words")
    example().save(tmp_path / "other")
    writer = subprocess.Popen(
        [sys.executable, "-c", STOPPED_WRITER, tmp_path / "other", tmp_path / "words"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with writer:
        assert writer.stdin is not None
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"stopped\n"
        with pytest.raises(LockedError, match=f"is being written by process {writer.pid}"):
            full().save(tmp_path / "words")
        writer.stdin.close()
        assert writer.wait() == 0
    verify_folder(tmp_path / "words")
    assert WordVectors.open(tmp_path / "words").digest == example().digest
    full().save(tmp_path / "words")
    verify_folder(tmp_path / "words")
    assert WordVectors.open(tmp_path / "words").digest == full().digest


STOPPED_WRITER = """
import sys
from pathlib import Path
from ragembed.embed.words import WordVectors

vectors, replace = WordVectors.open(sys.argv[1]), Path.replace

def stopping(path, target):
    if path.name == "vectors.npy":
        print("stopped", flush=True)
        sys.stdin.read()
    return replace(path, target)

Path.replace = stopping
vectors.save(sys.argv[2])
"""


def test_info_that_is_no_json(tmp_path: Path) -> None:
    with pytest.raises(EmbeddingError, match="kept as JSON"):
        example(info={"settings": object()}).save(tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_what_users_of_gensim_expect() -> None:
    table = np.array([[1, 0], [0, 2], [3, 3], [-1, 0]], np.float32)
    vectors = WordVectors(["king", "queen", "royal", "peasant"], table, info={"method": "word2vec"})
    assert repr(vectors) == "<WordVectors: 4 words x 2, word2vec>"
    assert list(vectors) == ["king", "queen", "royal", "peasant"]
    assert "King" in vectors  # in lower case
    assert "zebra" not in vectors
    assert vectors["King"].tolist() == [1, 0]
    assert vectors.similarity("king", "royal") == pytest.approx(1 / np.sqrt(2))
    assert vectors.similarity("king", "peasant") == pytest.approx(-1)
    assert [word for word, _ in vectors.most_similar("king", 2)] == ["royal", "queen"]
    (nearest,) = vectors.most_similar(["king", "queen"], 1)
    assert nearest == ("royal", pytest.approx(1))
    assert vectors.most_similar("royal", 1, negative=["king"])[0][0] == "queen"
    with pytest.raises(QueryError, match=r"no vector of 'kings' among 4 words; there are: king$"):
        vectors["kings"]


@pytest.mark.parametrize("kind", [None, "words"])  # a vocabulary that keeps case, and one that does not
def test_one_word_has_one_vector_everywhere(kind: str | None) -> None:
    info = {} if kind is None else {"tokenizer": {"kind": kind}}
    subwords = Subwords(3, 3, 7, TABLE[:7] - 11)
    for grams in (None, subwords):
        vectors = WordVectors(["the", "Paris", "do", "n't", "NATO"], TABLE[:5], subwords=grams, info=info)
        lookup = Lookup(vectors)
        search = Neighbors(vectors)
        for word in ("the", "THE", "paris", "Nato", "don't", "Thesaurus", "WOMBAT"):
            ids, _, made = lookup.resolve([word])
            rows = [vectors.vectors[row] if row < 5 else subwords.vectors(made)[1][0] for row in ids]
            known, found = vectors.word_vectors([word])
            assert known[0] == (len(ids) > 0)
            if not known[0]:
                with pytest.raises(QueryError):
                    search.ask(word)
                continue
            assert np.allclose(found[0], np.mean(rows, axis=0))
            _, units = search._terms(parse_question(word))
            assert np.allclose(units[0], found[0] / np.linalg.norm(found[0]))


def test_saving_replaces_nothing_of_others(tmp_path: Path) -> None:
    vectors = WordVectors(["a"], np.ones((1, 2), np.float32))
    vectors.save(tmp_path / "ours")
    vectors.save(tmp_path / "ours")  # its own it may
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    np.save(theirs / "counts.npy", np.arange(3))
    with pytest.raises(StoreError, match=r"holds a counts\.npy that is not of ragembed; name another"):
        vectors.save(theirs)
    assert np.load(theirs / "counts.npy").tolist() == [0, 1, 2]
    (tmp_path / "ours" / "training").mkdir()
    with pytest.raises(StoreError, match="holds a trained model"):
        vectors.save(tmp_path / "ours")
