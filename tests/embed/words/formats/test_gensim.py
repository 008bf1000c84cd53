"""gensim's files, read without unpickling them."""

from __future__ import annotations

import os
import pickle
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ragembed.embed.words import open_word_vectors
from ragembed.embed.words.formats.gensim import from_gensim
from ragembed.embed.words.subwords import ngram_buckets
from ragembed.errors import EmbeddingError

SENTENCES = [["the", "naïve", "日本", "a"], ["the", "a"], ["the"]] * 9
REMEDY = "save_word2vec_format"


@pytest.fixture(scope="module")
def word2vec() -> Any:
    from gensim.models import Word2Vec

    return Word2Vec(SENTENCES, vector_size=5, min_count=1, epochs=1)


@pytest.fixture(scope="module")
def fasttext() -> Any:
    from gensim.models import FastText

    return FastText(SENTENCES, vector_size=5, min_count=1, epochs=1, bucket=40)


@pytest.mark.parametrize("name", ["a.kv", "a.kv.gz", "[a]*.kv"])
@pytest.mark.parametrize("apart", [0, 10**9], ids=["apart", "inline"])
@pytest.mark.parametrize("whole", [False, True], ids=["vectors", "model"])
def test_word2vec(word2vec: Any, tmp_path: Path, name: str, apart: int, whole: bool) -> None:
    (word2vec if whole else word2vec.wv).save(str(tmp_path / name), sep_limit=apart)
    found = open_word_vectors(tmp_path / name)
    assert list(found.words) == word2vec.wv.index_to_key == ["the", "a", "日本", "naïve"]
    assert (found.vectors == word2vec.wv.vectors).all()
    assert found.counts is not None
    assert found.counts.tolist() == [27, 18, 9, 9]
    assert (found.info["format"], found.info["warnings"]) == ("gensim KeyedVectors", {})


@pytest.mark.parametrize("apart", [0, 10**9], ids=["apart", "inline"])
@pytest.mark.parametrize("whole", [False, True], ids=["vectors", "model"])
def test_fasttext(fasttext: Any, tmp_path: Path, apart: int, whole: bool) -> None:
    (fasttext if whole else fasttext.wv).save(str(tmp_path / "a"), sep_limit=apart)
    found = open_word_vectors(tmp_path / "a")
    assert np.allclose(found.vectors, fasttext.wv.vectors, atol=1e-7)
    assert np.allclose(found.word_vectors(["theatre"])[1][0], fasttext.wv["theatre"], atol=1e-7)


@pytest.mark.parametrize("apart", [0, 10**9], ids=["apart", "inline"])
def test_fasttext_without_buckets(tmp_path: Path, apart: int) -> None:
    from gensim.models import FastText

    model = FastText(SENTENCES, vector_size=5, min_count=1, epochs=1, bucket=0)
    model.save(str(tmp_path / "a"), sep_limit=apart)
    found = open_word_vectors(tmp_path / "a")
    assert found.subwords is None
    assert np.allclose(found.vectors, model.wv.vectors_vocab, atol=1e-7)


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e300])
def test_ngrams_of_no_word_must_be_finite_too(tmp_path: Path, value: float) -> None:
    table = np.ones((40, 2))
    used = set(ngram_buckets(["a"], 3, 6, 40)[0].tolist())
    table[next(row for row in range(40) if row not in used)] = value
    ngrams = {"vectors_vocab": table[:1], "vectors_ngrams": table, "bucket": 40, "compatible_hash": True}
    saved(tmp_path / "a", index_to_key=["a"], **ngrams, min_n=3, max_n=6)
    with pytest.raises(EmbeddingError, match="an n-gram holds NaN or infinity"):
        open_word_vectors(tmp_path / "a")


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_every_protocol(word2vec: Any, tmp_path: Path, protocol: int) -> None:
    (tmp_path / "a").write_bytes(pickle.dumps(word2vec.wv, protocol))
    found = open_word_vectors(tmp_path / "a")
    assert (found.vectors == word2vec.wv.vectors).all()
    assert list(found.words) == word2vec.wv.index_to_key


def test_limit(word2vec: Any, tmp_path: Path) -> None:
    word2vec.wv.save(str(tmp_path / "a"))
    found = open_word_vectors(tmp_path / "a", limit=2)
    assert list(found.words) == ["the", "a"]
    assert found.counts is not None
    assert found.counts.tolist() == [27, 18]


def test_an_older_gensims_names(tmp_path: Path) -> None:
    from gensim.models import KeyedVectors

    class Vocab:
        def __init__(self, count: int) -> None:
            self.count = count

    keyed = KeyedVectors.__new__(KeyedVectors)
    table = np.array([[1, 2], [3, 4]], np.float64)
    Vocab.__module__, Vocab.__qualname__ = "gensim.models.keyedvectors", "Vocab"
    gensim = __import__("gensim.models.keyedvectors", fromlist=["Vocab"])
    before = getattr(gensim, "Vocab", None)
    gensim.Vocab = Vocab
    try:
        keyed.__dict__.clear()
        keyed.__dict__.update(
            index2word=["a", "b"], syn0=np.asfortranarray(table), vocab={"a": Vocab(7), "b": Vocab(3)}
        )
        (tmp_path / "a").write_bytes(pickle.dumps(keyed, 4))
    finally:
        gensim.Vocab = before
    found = open_word_vectors(tmp_path / "a")
    assert found.vectors.tolist() == table.tolist()
    assert found.counts is not None
    assert found.counts.tolist() == [7, 3]


def test_a_file_beside_it_that_is_gone_or_pickled(word2vec: Any, tmp_path: Path) -> None:
    word2vec.wv.save(str(tmp_path / "a"), sep_limit=0)
    beside = tmp_path / "a.vectors.npy"
    for damage in (
        lambda: np.save(beside, np.array([{}], object)),
        lambda: np.save(beside, np.array(["a"])),
        lambda: np.save(beside, np.zeros((3, 5), np.float32)),
        lambda: beside.write_bytes(b"no numbers"),
        beside.unlink,
    ):
        damage()
        with pytest.raises(EmbeddingError, match=REMEDY):
            open_word_vectors(tmp_path / "a")


def test_a_changed_file_beside_it_is_read_again(word2vec: Any, tmp_path: Path) -> None:
    word2vec.wv.save(str(tmp_path / "a"), sep_limit=0)
    before = open_word_vectors(tmp_path / "a").vectors[0, 0]
    np.save(tmp_path / "a.vectors.npy", word2vec.wv.vectors + 1)
    assert open_word_vectors(tmp_path / "a").vectors[0, 0] != before


class Evil:
    """Its pickle calls a function that leaves a mark."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return (os.mkdir, (str(self.mark),))


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_nothing_is_called(word2vec: Any, tmp_path: Path, protocol: int) -> None:
    mark = tmp_path / "called"
    (tmp_path / "evil").write_bytes(pickle.dumps(Evil(mark), protocol))
    with pytest.raises(EmbeddingError, match=REMEDY):
        open_word_vectors(tmp_path / "evil")
    from gensim.models import KeyedVectors

    keyed = KeyedVectors(2)
    keyed.add_vectors(["a"], np.ones((1, 2), np.float32))
    keyed.extra = Evil(mark)
    (tmp_path / "hidden").write_bytes(pickle.dumps(keyed, protocol))
    assert list(open_word_vectors(tmp_path / "hidden").words) == ["a"]
    keyed.vectors = Evil(mark)
    (tmp_path / "vectors").write_bytes(pickle.dumps(keyed, protocol))
    with pytest.raises(EmbeddingError, match=REMEDY):
        open_word_vectors(tmp_path / "vectors")
    assert not mark.exists()


@pytest.mark.parametrize(
    "value",
    [
        {},
        [],
        "text",
        7,
        {"index_to_key": ["a"]},
        np.ones(3),
        b"bytes",
        (1, 2),
        Path("a"),
        {1, 2},
        range(3),
        1.5,
        None,
    ],
)
def test_other_pickles(tmp_path: Path, value: Any) -> None:
    (tmp_path / "a").write_bytes(pickle.dumps(value, 4))
    with pytest.raises(EmbeddingError, match=REMEDY):
        open_word_vectors(tmp_path / "a")


@pytest.mark.parametrize(
    "state",
    [
        {},
        {"index_to_key": "the"},
        {"index_to_key": [1, 2]},
        {"index_to_key": ["a", "b"], "vectors": None},
        {"index_to_key": ["a", "b"], "vectors": np.ones((3, 2))},
        {"index_to_key": ["a", "b"], "vectors": np.ones(2)},
        {"index_to_key": ["a", "b"], "vectors": np.array(["x", "y"])},
        {"index_to_key": ["a", "b"], "vectors": np.array([None, None])},
        {"index_to_key": ["a", "b"], "vectors": np.ones((2, 2), np.complex64)},
        {"index_to_key": ["a", "b"], "vectors": np.full((2, 2), np.nan)},
        {"index_to_key": ["a"], "vectors_vocab": np.ones((1, 2)), "vectors_ngrams": np.ones((1, 2))},
        {
            "index_to_key": ["a"],
            "vectors_vocab": np.ones((1, 2)),
            "vectors_ngrams": np.ones((4, 2)),
            "compatible_hash": True,
            "bucket": 5,
        },
        {
            "index_to_key": ["a"],
            "vectors_vocab": np.ones((1, 2)),
            "vectors_ngrams": np.ones((5, 3)),
            "compatible_hash": True,
            "bucket": 5,
            "min_n": 1,
            "max_n": 3,
        },
    ],
)
def test_damaged_states(tmp_path: Path, state: dict[str, Any]) -> None:
    from gensim.models import KeyedVectors

    keyed = KeyedVectors.__new__(KeyedVectors)
    keyed.__dict__.clear()
    keyed.__dict__.update(state)
    (tmp_path / "a").write_bytes(pickle.dumps(keyed, 4))
    with pytest.raises(EmbeddingError) as caught:
        open_word_vectors(tmp_path / "a")
    assert "\n" not in str(caught.value)


def saved(path: Path, **state: Any) -> None:
    """What gensim would leave of KeyedVectors with that inside."""
    from gensim.models import KeyedVectors

    keyed = KeyedVectors.__new__(KeyedVectors)
    keyed.__dict__.clear()
    keyed.__dict__.update(state)
    path.write_bytes(pickle.dumps(keyed, 4))


def nested(depth: int = 60) -> list[Any]:
    """A list that holds a list twice, and so on."""
    inner: list[Any] = []
    for _ in range(depth):
        inner = [inner, inner]
    return inner


@pytest.mark.parametrize("wrong", [nested(), 10**5000, -1, 1001], ids=["nested", "long", "negative", "many"])
def test_numbers_that_are_none_are_refused_unseen(tmp_path: Path, wrong: Any) -> None:
    table = np.ones((4, 2), np.float32)
    ngrams = {"vectors_vocab": table[:1], "vectors_ngrams": table, "bucket": 4, "compatible_hash": True}
    saved(tmp_path / "a", index_to_key=["a"], **ngrams, min_n=1, max_n=wrong)
    with pytest.raises(EmbeddingError, match="its max_n is no number from 0 to 1000"):
        open_word_vectors(tmp_path / "a")


class Shaped:
    """Pickled as numpy does an array, but of any shape and type."""

    def __init__(self, shape: Any, code: Any = "f4") -> None:
        self.shape, self.code = shape, code

    def __reduce__(self) -> Any:
        from numpy._core.numeric import _frombuffer  # what numpy names in protocol 5

        return _frombuffer, (bytes(8), Typed(self.code), self.shape, "C")


class Typed:
    """Pickled as numpy does a type."""

    def __init__(self, code: Any) -> None:
        self.code = code

    def __reduce__(self) -> Any:
        return np.dtype, (self.code, False, True), (3, "<", None, None, None, -1, -1, 0)

    def __setstate__(self, state: Any) -> None:
        """Never called: it lets the state be written."""


@pytest.mark.parametrize("shape", [(1, 2), (1 << 30, ["x"]), nested(), (-1, -2), (2, 1, 1), (0.5, 4)])
def test_shapes(tmp_path: Path, shape: Any) -> None:
    saved(tmp_path / "a", index_to_key=["a"], vectors=Shaped(shape))
    if shape == (1, 2):
        assert open_word_vectors(tmp_path / "a").vectors.tolist() == [[0, 0]]
        return
    tracemalloc.start()
    with pytest.raises(EmbeddingError, match=REMEDY):
        open_word_vectors(tmp_path / "a")
    assert tracemalloc.get_traced_memory()[1] < 1 << 26
    tracemalloc.stop()


def test_a_type_that_is_none(tmp_path: Path) -> None:
    saved(tmp_path / "a", index_to_key=["a"], vectors=Shaped((1, 2), nested()))
    with pytest.raises(EmbeddingError, match="another type"):
        open_word_vectors(tmp_path / "a")


def test_a_packed_array_of_nothing_but_zeros(tmp_path: Path) -> None:
    saved(tmp_path / "a.gz", index_to_key=["a"], __numpys=["vectors"])
    np.savez_compressed(tmp_path / "a.gz.vectors.npz", val=np.zeros((1, 1 << 24), np.float32))
    tracemalloc.start()
    with pytest.raises(EmbeddingError, match="unpacks to 67108992 bytes"):
        open_word_vectors(tmp_path / "a.gz")
    assert tracemalloc.get_traced_memory()[1] < 1 << 25
    tracemalloc.stop()


def test_in_memory(word2vec: Any, fasttext: Any) -> None:
    for model in (word2vec, word2vec.wv):
        found = from_gensim(model)
        assert list(found.words) == word2vec.wv.index_to_key
        assert (found.vectors == word2vec.wv.vectors).all()
        assert found.counts is not None
        assert found.counts.tolist() == [27, 18, 9, 9]
    found = from_gensim(fasttext)
    assert np.allclose(found.word_vectors(["theatre"])[1][0], fasttext.wv["theatre"], atol=1e-7)
