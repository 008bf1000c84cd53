"""fastText's .bin, against gensim; and files that lie about their sizes."""

from __future__ import annotations

import gzip
import struct
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ragembed.embed.words import WordVectors, open_word_vectors
from ragembed.embed.words.formats import fasttext as module
from ragembed.embed.words.formats.fasttext_write import write_fasttext_bin
from ragembed.embed.words.subwords import Subwords, ngram_buckets
from ragembed.errors import EmbeddingError

SENTENCES = [["lettuce", "über", "日本語", "a", "lettuces", "q"] * 3] * 9


@pytest.fixture(scope="module")
def model() -> Any:
    from gensim.models import FastText

    return FastText(
        SENTENCES, vector_size=5, min_count=1, bucket=60, min_n=2, max_n=4, sg=1, window=3, epochs=1
    )


@pytest.mark.parametrize("name", ["a.bin", "a.bin.gz"])
def test_what_gensim_wrote(model: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    from gensim.models.fasttext import save_facebook_model

    monkeypatch.setattr(module, "_READ", 16)  # the words are read in many pieces
    save_facebook_model(model, str(tmp_path / "a.bin"))
    if name.endswith(".gz"):
        (tmp_path / name).write_bytes(gzip.compress((tmp_path / "a.bin").read_bytes()))
    found = open_word_vectors(tmp_path / name)
    assert list(found.words) == model.wv.index_to_key
    assert np.allclose(found.vectors, model.wv.vectors, atol=1e-7)
    assert found.counts is not None
    assert found.counts.tolist() == [27] * 6
    known, vectors = found.word_vectors(["übermut", "日本", "lettuce"])
    assert known.all()
    assert np.allclose(vectors, [model.wv[word] for word in ("übermut", "日本", "lettuce")], atol=1e-7)
    settings = found.info["settings"]
    assert (settings["window"], settings["minn"], settings["maxn"], settings["model"]) == (
        3,
        2,
        4,
        "skipgram",
    )
    assert (found.info["method"], settings["loss"]) == ("fasttext", "negative sampling")


def test_limit_keeps_the_ngrams(model: Any, tmp_path: Path) -> None:
    from gensim.models.fasttext import save_facebook_model

    save_facebook_model(model, str(tmp_path / "a.bin"))
    found = open_word_vectors(tmp_path / "a.bin", limit=2)
    assert list(found.words) == model.wv.index_to_key[:2]
    assert np.allclose(found.vectors, model.wv.vectors[:2], atol=1e-7)
    assert np.allclose(found.word_vectors(["übermut"])[1][0], model.wv["übermut"], atol=1e-7)


def test_words_of_unlearnt_ngrams_stay_unknown(tmp_path: Path) -> None:
    """A .bin has a row for every bucket: zeros where nothing was learnt."""
    rows = np.eye(2, 3, dtype=np.float32)
    used = np.unique(ngram_buckets(["ab"], 2, 3, 1000)[0])
    grams = Subwords(2, 3, 1000, np.ones((len(used), 3), np.float32), used)
    write_fasttext_bin(WordVectors(["ab", "cd"], rows, subwords=grams), tmp_path / "a.bin")
    found = open_word_vectors(tmp_path / "a.bin")
    assert ("ab" in found, "abx" in found, "日本" in found) == (True, True, False)
    assert found.word_vectors(["zzqqx"])[0].tolist() == [False]


def test_what_gensim_reads(model: Any, tmp_path: Path) -> None:
    from gensim.models.fasttext import load_facebook_model, load_facebook_vectors

    from ragembed.embed.words.formats.gensim import from_gensim

    ours = from_gensim(model)
    assert write_fasttext_bin(ours, tmp_path / "a.bin").words == 6
    theirs = load_facebook_vectors(str(tmp_path / "a.bin"))
    assert theirs.index_to_key == model.wv.index_to_key
    assert np.allclose(theirs.vectors, model.wv.vectors, atol=1e-6)
    assert np.allclose(theirs["übermut"], model.wv["übermut"], atol=1e-7)
    load_facebook_model(str(tmp_path / "a.bin"))
    for name in ("a.bin", "a.bin.gz"):
        write_fasttext_bin(ours, tmp_path / name)
        assert np.allclose(open_word_vectors(tmp_path / name).vectors, ours.vectors, atol=1e-6)


def test_used_buckets_are_written_among_zeros(tmp_path: Path) -> None:
    used, table = np.array([2, 5]), np.array([[1, 2], [3, 4]], np.float32)
    vectors = WordVectors(
        ["ab", "</s>"], np.array([[4, 4], [5, 5]], np.float32), subwords=Subwords(2, 3, 7, table, used)
    )
    write_fasttext_bin(vectors, tmp_path / "a.bin")
    found = open_word_vectors(tmp_path / "a.bin")
    assert np.allclose(found.vectors, vectors.vectors, atol=1e-6)
    assert found.subwords is not None
    assert found.subwords.vectors_of_ngrams.tolist() == [
        [0, 0],
        [0, 0],
        [1, 2],
        [0, 0],
        [0, 0],
        [3, 4],
        [0, 0],
    ]
    assert found.counts is not None
    assert found.counts.tolist() == [2, 1]  # not known, so by rank


@pytest.mark.parametrize(
    ("told", "model", "loss"),
    [
        ({}, "skipgram", "negative sampling"),
        ({"skipgram": False, "epochs": 7}, "cbow", "negative sampling"),
        ({"skipgram": True, "hierarchical_softmax": True}, "skipgram", "hierarchical softmax"),
        ({"model": "supervised", "loss": "softmax", "epochs": 7}, "supervised", "softmax"),
    ],
)
def test_how_it_was_trained_is_written(tmp_path: Path, told: dict[str, Any], model: str, loss: str) -> None:
    grams = Subwords(2, 3, 1, np.ones((1, 2), np.float32))
    vectors = WordVectors(["ab"], np.ones((1, 2), np.float32), subwords=grams, info={"settings": told})
    write_fasttext_bin(vectors, tmp_path / "a.bin")
    settings = open_word_vectors(tmp_path / "a.bin").info["settings"]
    assert (settings["model"], settings["loss"], settings["epochs"]) == (model, loss, told.get("epochs", 5))


@pytest.mark.parametrize(("window", "written"), [(1 << 40, (1 << 31) - 1), (-(1 << 40), 0)])
def test_settings_too_large_for_the_file(tmp_path: Path, window: int, written: int) -> None:
    grams = Subwords(2, 3, 1, np.ones((1, 2), np.float32))
    vectors = WordVectors(
        ["ab"], np.ones((1, 2), np.float32), subwords=grams, info={"settings": {"window": window}}
    )
    write_fasttext_bin(vectors, tmp_path / "a.bin")
    assert open_word_vectors(tmp_path / "a.bin").info["settings"]["window"] == written


def test_words_without_ngrams_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(EmbeddingError, match="no n-grams"):
        write_fasttext_bin(WordVectors(["a"], np.ones((1, 2), np.float32)), tmp_path / "a.bin")
    assert not (tmp_path / "a.bin").exists()


def made(
    words: tuple[tuple[bytes, int, int], ...] = ((b"</s>", 9, 0), (b"ab", 2, 0), (b"__label__x", 4, 1)),
    **changed: Any,
) -> bytes:
    """A file with two words, a label and three buckets of two numbers; `changed` says what is otherwise."""
    values: dict[str, Any] = {
        "version": 12, "dimension": 2, "window": 5, "epochs": 5, "min_count": 1, "negative": 5, "word_ngrams": 1,
        "loss": 3, "model": 2, "buckets": 3, "minn": 2, "maxn": 3, "lr_update_rate": 100, "size": len(words),
        "nwords": 2, "pruned": -1, "quantised": 0, "rows": 5, "columns": 2, **changed,
    }  # fmt: skip
    header = module.MAGIC + struct.pack("<i", values["version"])
    header += struct.pack("<12id", *(values[name] for name in module.SETTINGS), 1e-4)
    header += struct.pack("<iiiqq", values["size"], values["nwords"], 1, 15, values["pruned"])
    entries = b"".join(word + struct.pack("<bqb", 0, count, kind) for word, count, kind in words)
    table = np.arange(1, 11, dtype=np.float32)
    return (
        header
        + entries
        + struct.pack("<bqq", values["quantised"], values["rows"], values["columns"])
        + table.tobytes()
    )


def test_by_hand(opened: Any) -> None:
    found = opened(made())
    assert list(found.words) == ["</s>", "ab"]  # labels are no words
    assert found.counts.tolist() == [9, 2]
    rows, count = found.subwords.rows(["ab"])
    assert count.tolist() == [5]  # <a ab b> <ab ab>
    table = np.arange(1, 11, dtype=np.float64).reshape(5, 2)
    mean = (table[1] + table[2:][rows].sum(axis=0)) / 6
    assert found.vectors[0].tolist() == [1, 2]  # the end of a sentence has no n-grams
    assert np.allclose(found.vectors[1], mean, atol=1e-6)


@pytest.mark.parametrize("changed", [{"version": 11, "model": 3}, {"maxn": 0}, {"minn": 0, "maxn": 0}])
def test_models_without_character_ngrams(opened: Any, changed: dict[str, int]) -> None:
    found = opened(made(**changed))
    assert found.subwords is None
    assert found.vectors.tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize("packer", [bytes, gzip.compress])
@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (made(version=13), "of version 13; 11 and 12 are read"),
        (made(quantised=1), "quantised"),
        (made(pruned=5), "quantised"),
        (made(size=2_000_000_000, nwords=2_000_000_000), "cut off or damaged"),
        (made(nwords=3), "entry 3 of 3 is of kind 1, 3 are words"),
        (made(nwords=1), "entry 2 of 3 is of kind 0, 1 are words"),
        (made(nwords=-1), "-1 words"),
        (made(buckets=2_000_000_000, rows=2_000_000_002), "cut off or damaged"),
        (made(buckets=-1), "-1 buckets"),
        (made(maxn=2_000_000_000), "n-grams of up to 2000000000 characters"),
        (made(rows=6), "2 words and 3 buckets of 2 numbers, but a table of 6 x 2"),
        (made(columns=3), "a table of 5 x 3"),
        (made(dimension=2_000_000_000, columns=2_000_000_000), "2000000000 numbers"),
        (made()[:-1], "cut off or damaged"),
        (made()[:100], "cut off or damaged"),
        (made()[:20], "cut off or damaged"),
        (made(words=((b"x" * 30_000, 1, 0),) * 3), "cut off or damaged|kind 0"),
    ],
)
def test_what_is_an_error(opened: Any, data: bytes, fault: str, packer: Any) -> None:
    data = packer(data)
    tracemalloc.start()
    with pytest.raises(EmbeddingError, match=fault):
        opened(data)
    assert tracemalloc.get_traced_memory()[1] < 1 << 24
    tracemalloc.stop()


@pytest.mark.parametrize("value", [float("inf"), float("nan")])
@pytest.mark.parametrize("used", [True, False])
def test_infinite_ngrams(opened: Any, value: float, used: bool) -> None:
    words = ((b"</s>", 9, 0), (b"ab" if used else b"xx", 2, 0))
    data = made(words, maxn=2)[:-4] + struct.pack("<f", value)
    assert (2 in ngram_buckets([words[1][0].decode()], 2, 2, 3)[0]) == used
    with pytest.raises(EmbeddingError, match="an n-gram holds NaN or infinity"):
        opened(data)
