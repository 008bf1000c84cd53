from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ragembed.embed.elmo.embedder import ElmoEmbedder
from ragembed.embed.elmo.files import ElmoFiles
from ragembed.embed.words.vectors import WordVectors
from ragembed.errors import EmbeddingError, SpecError

TEXTS = [
    "I sat on the bank of the river. It was wet!",
    "",
    "The bank lends money, the bank's customers say.",
    "x",
    " \n\t",
    "word " * 500,
    "東京 \ud800 naïve — 42 %",
]


@pytest.fixture
def embedder(tiny_folder: Path) -> ElmoEmbedder:
    pytest.importorskip("torch", reason="needs the extra elmo")
    return ElmoEmbedder(path=str(tiny_folder))


@pytest.mark.parametrize("pooling", ["mean", "max", "mean+max"])
def test_company_and_order_do_not_matter(tiny_folder: Path, embedder: ElmoEmbedder, pooling: str) -> None:
    made = ElmoEmbedder(path=str(tiny_folder), pooling=pooling, layers="top")
    together = made.embed(TEXTS)
    np.testing.assert_allclose(together, np.vstack([made.embed([text]) for text in TEXTS]), atol=1e-6)
    np.testing.assert_allclose(together[::-1], made.embed(TEXTS[::-1]), atol=1e-6)
    lengths = np.linalg.norm(together, axis=1)
    np.testing.assert_allclose(lengths, [1, 0, 1, 1, 0, 1, 1], atol=1e-6)
    assert together.shape == (7, 20 if pooling == "mean+max" else 10)


def test_the_mean_is_that_of_the_tokens(embedder: ElmoEmbedder) -> None:
    tokens, vectors = embedder.tokens_and_vectors(TEXTS[0])
    assert tokens == ["I", "sat", "on", "the", "bank", "of", "the", "river", ".", "It", "was", "wet", "!"]
    mean = vectors.mean(axis=0)
    np.testing.assert_allclose(embedder.embed(TEXTS[:1])[0], mean / np.linalg.norm(mean), atol=1e-6)
    assert embedder.tokens_and_vectors("")[1].shape == (0, 10)


def test_a_word_has_another_vector_in_another_context(tiny_folder: Path, embedder: ElmoEmbedder) -> None:
    def bank(made: ElmoEmbedder, text: str) -> np.ndarray:
        tokens, vectors = made.tokens_and_vectors(text)
        return vectors[tokens.index("bank")]

    apart = np.abs(bank(embedder, TEXTS[0]) - bank(embedder, TEXTS[2])).max()
    assert apart > 0.01
    without = ElmoEmbedder(path=str(tiny_folder), layers="0")
    np.testing.assert_allclose(bank(without, TEXTS[0]), bank(without, TEXTS[2]), atol=1e-6)


def test_sentences_do_not_see_each_other(embedder: ElmoEmbedder) -> None:
    one, two = "The river runs.", "The bank lends."
    _, both = embedder.tokens_and_vectors(f"{one} {two}")
    apart = np.vstack([embedder.tokens_and_vectors(each)[1] for each in (one, two)])
    np.testing.assert_allclose(both, apart, atol=1e-6)


def test_long_texts_lose_no_token(tiny_folder: Path, embedder: ElmoEmbedder) -> None:
    made = ElmoEmbedder(path=str(tiny_folder), max_sentence=7)
    tokens, vectors = made.tokens_and_vectors("word " * 500)
    assert len(tokens) == len(vectors) == 500
    np.testing.assert_allclose(vectors[:7], vectors[7:14], atol=1e-6)


def test_words_are_texts_of_one_token(embedder: ElmoEmbedder) -> None:
    known, vectors = embedder.word_vectors(["bank", "", "dog's bank"])
    assert known.tolist() == [True, False, True]
    np.testing.assert_allclose(vectors[0], embedder.embed(["bank"])[0], atol=1e-6)
    assert np.abs(vectors[2] - embedder.embed(["dog's bank"])[0]).max() > 0.01  # one token, not three
    assert embedder.vocabulary() is None


def test_frequent_words_count_less(tiny: ElmoFiles, tmp_path: Path, embedder: ElmoEmbedder) -> None:
    """The stands 6 times of 8, bank 2 times, and with a = 1/4 they count 1/4 and 1/2; others 1."""
    words = WordVectors(["the", "bank"], np.zeros((2, 3), np.float32), counts=np.array([6, 2]))
    words.save(tmp_path / "model")
    tiny.save(tmp_path / "model")
    made = ElmoEmbedder(path=str(tmp_path / "model"), a=0.25)
    _, vectors = made.tokens_and_vectors("The bank lends")
    expected = (np.array([1 / 4, 1 / 2, 1]) @ vectors).astype(np.float32)
    np.testing.assert_allclose(
        made.embed(["The bank lends"])[0], expected / np.linalg.norm(expected), atol=1e-6
    )
    np.testing.assert_allclose(
        made.pooled_layers(["The bank lends"]).mean(axis=0)[0], expected / 3, atol=1e-6
    )
    assert made.identity()["pooling"] == "weighted"
    mean = ElmoEmbedder(path=str(tmp_path / "model"), pooling="mean")
    np.testing.assert_array_equal(mean.embed(TEXTS), embedder.embed(TEXTS))
    assert embedder.identity()["pooling"] == "mean"


def test_without_counts_there_is_no_sif(tiny_folder: Path) -> None:
    with pytest.raises(EmbeddingError, match="does not know how frequent words are"):
        ElmoEmbedder(path=str(tiny_folder), pooling="weighted").embed(["a"])


def test_layers_pooled_apart_mix_to_the_same(tiny_folder: Path, embedder: ElmoEmbedder) -> None:
    layers = embedder.pooled_layers(TEXTS)
    assert layers.shape == (3, len(TEXTS), 10)
    mixed = np.einsum("l,lnd->nd", [0.25, 0.5, 0.25], layers)
    mixed /= np.maximum(np.linalg.norm(mixed, axis=1, keepdims=True), 1e-12)
    made = ElmoEmbedder(path=str(tiny_folder), layers="1 2 1")
    np.testing.assert_allclose(made.embed(TEXTS), mixed, atol=1e-6)


def test_the_identity_is_that_of_the_weights(tiny: ElmoFiles, tiny_folder: Path, tmp_path: Path) -> None:
    tiny.save(tmp_path / "moved")
    moved = ElmoEmbedder(path=str(tmp_path / "moved"))
    ours = ElmoEmbedder(path=str(tiny_folder))
    assert moved.recorded_identity() == ours.identity()
    assert ours.recorded_identity()["state"] == tiny.digest
    others = [
        ElmoEmbedder(path=str(tiny_folder), layers="top"),
        ElmoEmbedder(path=str(tiny_folder), tokens="whitespace"),
        ElmoEmbedder(path=str(tiny_folder), pooling="max"),
        ElmoEmbedder(path=str(tiny_folder), max_sentence=9),
    ]
    assert all(other.recorded_identity() != ours.recorded_identity() for other in others)


def test_torch_is_needed_only_to_embed(tiny_folder: Path) -> None:
    program = (
        "import sys; from ragembed.embed.elmo.embedder import ElmoEmbedder;"
        f" ElmoEmbedder(path={str(tiny_folder)!r}).recorded_identity(); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"path": ""}, r"lacks a model; write elmo\(path=FOLDER\)"),
        ({"pooling": "sum"}, r"valid are: mean, weighted, max, mean\+max"),
        ({"max_sentence": 0}, "max_sentence is 0"),
        ({"a": 0.0}, "a is 0"),
        ({"tokens": "letters"}, "no tokenizer 'letters'"),
    ],
)
def test_settings_that_make_no_sense(settings: dict[str, object], told: str) -> None:
    with pytest.raises(SpecError, match=told):
        ElmoEmbedder(**{"path": "model", **settings})  # type: ignore[arg-type]


def test_a_model_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(EmbeddingError, match="is no model of ELMo"):
        ElmoEmbedder(path=str(tmp_path / "nothing")).embed(["a"])


def test_its_model_is_found_from_anywhere(tiny_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tiny_folder.parent)
    embedder = ElmoEmbedder(path=tiny_folder.name)
    embedder.adapt([])
    monkeypatch.chdir("/")
    assert embedder.embed(["a"]).shape == (1, embedder.dimension)
