"""word2vec, glove and fasttext as embedders: with a path and without, saved, forgetting, in an index."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from ragembed import Pipeline
from ragembed.embed import EMBEDDERS, load_embedder
from ragembed.embed.words.embedder import WordEmbedder
from ragembed.embed.words.subwords import Subwords
from ragembed.embed.words.vectors import WordVectors
from ragembed.errors import CorruptError, EmbeddingError, IdentityError, SpecError
from ragembed.eval.quality.run import evaluate_quality
from ragembed.explain.words import Additive
from ragembed.types import Document

CORPUS = [
    "the cat sat on the mat",
    "the dog ran after the cat",
    "a search engine answers a query",
    "the engine ran far",
    "secret wombat",
]
WORDS = ["the", "a", "cat", "dog", "mat", "engine", "query", "search", "ran", "far"]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A folder of word vectors of 4 dimensions."""
    folder = tmp_path / "model"
    WordVectors(WORDS, np.random.default_rng(1).normal(size=(len(WORDS), 4)).astype(np.float32)).save(folder)
    return folder


def made(spec: str) -> WordEmbedder:
    embedder = EMBEDDERS.create(spec)
    assert isinstance(embedder, WordEmbedder)
    return embedder


def trained(spec: str) -> WordEmbedder:
    pytest.importorskip("gensim", reason="needs the extra words")
    embedder = made(spec)
    embedder.fit(CORPUS)
    return embedder


@pytest.mark.parametrize(
    ("spec", "fault"),
    [
        ("glove(path=x, dimension=50)", "glove got a path and dimension"),
        ("word2vec(path=x, epochs=3)", "word2vec got a path and epochs"),
        ("glove(path=x, pooling=sum)", "there is no pooling 'sum'"),
        ("glove(path=x, pooling=mean, a=0.1)", "pooling mean with a=0.1"),
        ("glove(path=x, a=0)", "pooling sif with a=0"),
        ("glove(path=x, directions=-1)", "pooling sif with directions=-1"),
        ('glove(path=x, pooling="mean+max", directions=1)', r"pooling mean\+max with directions=1"),
        ("word2vec(dimension=0)", "dimension=0"),
    ],
)
def test_what_makes_no_sense_is_refused(spec: str, fault: str) -> None:
    with pytest.raises(SpecError, match=fault):
        EMBEDDERS.create(spec)


def test_a_path_is_looked_at_when_it_is_needed(tmp_path: Path) -> None:
    embedder = EMBEDDERS.create(f"glove(path={tmp_path / 'gone'}, pooling=mean)")
    assert not embedder.learns
    with pytest.raises(EmbeddingError, match="gone"):
        embedder.embed(["cat"])


@pytest.mark.parametrize(
    ("spec", "learns", "length"),
    [
        ("pooling=mean", False, 4),
        ("pooling=max", False, 4),
        ("pooling=mean+max", False, 8),
        ("pooling=tfidf", True, 4),
        ("pooling=sif", True, 4),
        ("pooling=mean, directions=1", True, 4),
    ],
)
def test_with_a_path_only_statistics_are_learnt(model: Path, spec: str, learns: bool, length: int) -> None:
    embedder = made(f"fasttext(path={model}, {spec})")
    assert (embedder.learns, embedder.dimension) == (learns, length)
    if learns:
        with pytest.raises(EmbeddingError, match="fasttext is not fitted"):
            embedder.embed(["cat"])
        embedder.fit(CORPUS)
    else:
        with pytest.raises(EmbeddingError, match="learns nothing"):
            embedder.fit(CORPUS)
    assert embedder.embed(["cat", "unknown"]).any(axis=1).tolist() == [True, False]


def test_as_many_directions_as_dimensions_leave_nothing(model: Path) -> None:
    size = WordVectors.open(model).dimension
    embedder = EMBEDDERS.create(f"word2vec(path={json.dumps(str(model))}, directions={size})")
    with pytest.raises(SpecError, match=f"{size} directions taken out of vectors of {size} numbers"):
        embedder.fit(CORPUS)


def test_statistics_are_saved_and_vectors_of_a_path_are_not(model: Path, tmp_path: Path) -> None:
    embedder = made(f"glove(path={model})")
    embedder.fit(CORPUS)
    embedder.save(tmp_path / "saved")
    names = {path.name for path in (tmp_path / "saved").iterdir()}
    assert names == {"embedder.json", "pooling.json", "pooling.safetensors"}
    again = load_embedder(tmp_path / "saved")
    assert again.identity() == embedder.identity()
    assert again.embed(CORPUS).tobytes() == embedder.embed(CORPUS).tobytes()
    (tmp_path / "saved" / "pooling.json").write_text(
        json.dumps({"words": ["cat"], "unseen": 1, "tokens": 3, "unknown": 0})
    )
    with pytest.raises(EmbeddingError, match="in shapes"):
        load_embedder(tmp_path / "saved")
    (tmp_path / "saved" / "pooling.json").unlink()
    with pytest.raises(EmbeddingError, match="nothing that pooling has learnt"):
        load_embedder(tmp_path / "saved")


def test_dimension_is_asked_for_or_found(model: Path) -> None:
    assert str(made("word2vec(dimension=12)").spec) == "word2vec(dimension=12)"
    assert made('word2vec(dimension=12, pooling="mean+max")').dimension == 24
    assert str(made("word2vec").spec) == "word2vec"
    assert made("word2vec").dimension == 100
    with_path = made(f"word2vec(path={model})")
    assert (with_path.dimension, dict(with_path.spec.params)) == (4, {"path": str(model)})


def test_trained_on_the_corpus_and_saved_whole(tmp_path: Path) -> None:
    embedder = trained("word2vec(dimension=6, min_count=1, epochs=2)")
    assert embedder.embed(CORPUS).shape == (5, 6)
    embedder.save(tmp_path / "saved")
    again = load_embedder(tmp_path / "saved")
    assert again.embed(CORPUS).tobytes() == embedder.embed(CORPUS).tobytes()
    assert again.identity() == embedder.identity()
    file = tmp_path / "saved" / "vectors.npy"
    data = bytearray(file.read_bytes())
    data[-3] ^= 1
    file.write_bytes(bytes(data))
    assert load_embedder(tmp_path / "saved").state_hash() != embedder.state_hash()


def test_any_word_has_a_vector_of_fasttext() -> None:
    embedder = trained("fasttext(dimension=6, min_count=1, epochs=1, minn=2, maxn=3, pooling=tfidf)")
    assert embedder.embed(["catdog", "..."]).any(axis=1).tolist() == [True, False]
    known, found = embedder.word_vectors(["cat", "catdog"])
    assert (known.tolist(), found.shape) == ([True, True], (2, 6))


def test_weights_of_words_that_only_ngrams_make(tmp_path: Path) -> None:
    """ "zebra" is in no vocabulary but in every passage, so it weighs ln(1 + 3/3); "zoo" is in one: ln(1 + 3/1)."""
    ngrams = Subwords(3, 3, 50, np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32))
    WordVectors(["cat"], np.ones((1, 4), np.float32), subwords=ngrams).save(tmp_path / "model")
    embedder = made(f"fasttext(path={tmp_path / 'model'}, pooling=tfidf)")
    embedder.fit(["zebra cat", "zebra zoo", "zebra"])
    zebra, zoo = ngrams.vectors(["zebra", "zoo"])[1]
    expected = np.log(2) * zebra + np.log(4) * zoo
    np.testing.assert_allclose(
        embedder.embed(["zoo zebra"])[0], expected / np.linalg.norm(expected), rtol=1e-5
    )
    embedder.save(tmp_path / "saved")
    again = load_embedder(tmp_path / "saved")
    assert again.embed(["zoo zebra"]).tobytes() == embedder.embed(["zoo zebra"]).tobytes()


@pytest.mark.parametrize("pooling", ["mean", "tfidf", "sif", "usif", "mean+max"])
def test_forgotten_words_are_gone_and_other_vectors_stay(pooling: str, tmp_path: Path) -> None:
    embedder = trained(f'word2vec(dimension=6, min_count=1, epochs=1, phrases=1, pooling="{pooling}")')
    kept = CORPUS[:4]
    before, state = embedder.embed(kept), embedder.state_hash()
    assert not embedder.forget(CORPUS)
    assert embedder.forget(kept)
    assert embedder.embed(kept).tobytes() == before.tobytes()
    assert embedder.state_hash() != state
    assert not embedder.embed(["wombat"]).any()
    embedder.save(tmp_path)
    assert not any(b"wombat" in path.read_bytes() for path in tmp_path.iterdir())
    assert not embedder.forget(kept)


def test_forgetting_with_a_path(model: Path) -> None:
    embedder = made(f"glove(path={model}, pooling=tfidf)")
    embedder.fit(["cat dog", "query"])
    before = embedder.embed(["cat"])
    assert embedder.forget(["cat dog"])
    assert embedder.embed(["cat"]).tobytes() == before.tobytes()
    assert not embedder.forget(["cat dog"])
    mean = made(f"glove(path={model}, pooling=mean)")
    assert not mean.forget(["cat"])


def test_phrases_that_live_on_are_kept() -> None:
    from ragembed.embed.words.pooling.forgetting import only_words

    words = ["new_york_city", "new_york", "old_town", "cat"]
    pairs = [["new", "york"], ["old", "town"], ["new_york", "city"]]
    vectors = WordVectors(words, np.eye(4, dtype=np.float32), info={"phrases": pairs})
    fewer = only_words(vectors, {"new_york_city", "cat"}, {"new_york_city", "cat"})
    assert fewer is not None
    assert list(fewer.words) == ["new_york_city", "cat"]
    assert fewer.info["phrases"] == [["new", "york"], ["new_york", "city"]]
    assert only_words(vectors, set(words), {"new_york_city", "new_york", "old_town", "cat"}) is None


def test_explained_by_the_words_of_a_text(model: Path) -> None:
    embedder = made(f"glove(path={model}, pooling=sif)")
    embedder.fit(CORPUS)
    assert isinstance(embedder, Additive)
    tokens, shares = embedder.summands("The cat ran: maxEngine unknown cat")
    assert tokens == ["The", "cat", "ran", "maxEngine"]
    whole = shares.sum(axis=0)
    np.testing.assert_allclose(
        whole / np.linalg.norm(whole), embedder.embed(["The cat ran: maxEngine unknown cat"])[0], atol=1e-6
    )
    found = embedder.known("The cat, unknown CAT maxEngine")
    assert found == {"the": (1, True), "cat": (2, True), "unknown": (1, False), "maxengine": (1, True)}
    nothing, none = embedder.summands("?")
    assert (nothing, none.shape) == ([], (0, 4))


def test_in_an_index(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Found by words, opened from another folder than it was made in, refused with another model."""
    monkeypatch.chdir(model.parent)
    spec = "glove(path=model)"
    documents = [Document(str(number), text, {}) for number, text in enumerate(CORPUS)]
    with Pipeline.create(tmp_path / "index", spec, "whole") as pipeline:
        pipeline.add(documents)
        assert pipeline.search("search query", k=1)[0].chunk.document_id == "2"
    monkeypatch.chdir("/")
    with Pipeline.open(tmp_path / "index") as pipeline:
        first = pipeline.search("search query", k=5)
        assert first[0].chunk.document_id == "2"
        pipeline.delete(["4"])
        pipeline.vacuum()
    with Pipeline.open(tmp_path / "index") as pipeline:
        assert [hit.score for hit in pipeline.search("search query", k=1)] == [first[0].score]
    WordVectors(WORDS, np.ones((len(WORDS), 4), np.float32)).save(model)
    with (
        pytest.raises(IdentityError, match=r"vectors [0-9a-f]{12} \| [0-9a-f]{12}"),
        Pipeline.open(tmp_path / "index") as pipeline,
    ):
        pipeline.search("query")


def test_a_model_trained_by_an_index_lies_in_it(tmp_path: Path) -> None:
    pytest.importorskip("gensim", reason="needs the extra words")
    documents = [Document(str(number), text, {}) for number, text in enumerate(CORPUS)]
    with Pipeline.create(tmp_path / "index", "word2vec(dimension=6, min_count=1)", "whole") as pipeline:
        pipeline.add(documents)
        expected = [(hit.chunk.document_id, hit.score) for hit in pipeline.search("cat", k=5)]
    with Pipeline.open(tmp_path / "index") as pipeline:
        assert [(hit.chunk.document_id, hit.score) for hit in pipeline.search("cat", k=5)] == expected
    file = next((tmp_path / "index" / "embedders").glob("*/vectors.npy"))
    data = bytearray(file.read_bytes())
    data[-3] ^= 1
    file.write_bytes(bytes(data))
    with pytest.raises(CorruptError, match="damaged"), Pipeline.open(tmp_path / "index") as pipeline:
        pipeline.search("cat")


def test_words_are_judged_by_their_own_vectors(model: Path, tmp_path: Path) -> None:
    """Pooling is no matter for single words, and no corpus is asked for."""
    pairs = tmp_path / "pairs.txt"
    pairs.write_text("cat\tdog\t9\ncat\tengine\t1\nquery\tsearch\t8\nmat\tfar\t2\n", encoding="utf-8")
    for pooling in ("mean", "sif", "mean+max"):
        result = evaluate_quality(pairs, f'glove(path={model}, pooling="{pooling}")')
        assert (result.found.covered, result.fitted_on) == (4, None)
    vectors = WordVectors.open(model)
    table = dict(zip(vectors.words, vectors.vectors.astype(np.float64), strict=True))
    cosines = [
        table[a] @ table[b] / np.linalg.norm(table[a]) / np.linalg.norm(table[b])
        for a, b in (("cat", "dog"), ("cat", "engine"), ("query", "search"), ("mat", "far"))
    ]
    ranks, wanted = np.argsort(np.argsort(cosines)), np.array([3, 0, 2, 1])
    spearman = 1 - 6 * ((ranks - wanted) ** 2).sum() / (4 * 15)
    assert result.measures["Spearman"] == pytest.approx(spearman)
