"""How far words moved: rotations are none, and a word with a new use moves most."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ragembed.embed.words.corpus import TokenCorpus
from ragembed.embed.words.tokens import WhitespaceTokenizer
from ragembed.embed.words.train.base import Start
from ragembed.embed.words.train.drift import drift, rotation
from ragembed.embed.words.vectors import WordVectors
from ragembed.errors import EmbeddingError


def vectors(rows: NDArray[Any], counts: int = 100, prefix: str = "w") -> WordVectors:
    words = [f"{prefix}{number}" for number in range(len(rows))]
    return WordVectors(words, rows.astype(np.float32), counts=np.full(len(rows), counts))


RANDOM = np.random.default_rng(0)
ROWS = RANDOM.normal(size=(60, 5)).astype(np.float32)


def test_nothing_moved() -> None:
    found = drift(vectors(ROWS), vectors(ROWS, counts=200))
    assert found.cosine["mean"] == pytest.approx(1)
    assert found.aligned["5"] == pytest.approx(1)
    assert (found.overlap, found.old_words, found.new_words, found.new_tokens) == (1, 60, 0, 0)


def test_a_rotation_is_no_drift() -> None:
    turn = np.linalg.qr(RANDOM.normal(size=(5, 5)))[0].astype(np.float32)
    found = drift(vectors(ROWS), vectors(3 * ROWS @ turn, counts=200))
    assert found.cosine["mean"] < 0.9
    assert found.aligned["mean"] == pytest.approx(1, abs=1e-5)
    assert found.overlap == 1
    found_turn: NDArray[Any] = rotation(ROWS, ROWS @ turn)
    np.testing.assert_allclose(found_turn, turn, atol=1e-5)


def test_one_word_turned_round() -> None:
    after = ROWS.copy()
    after[7] *= -1
    found = drift(vectors(ROWS), vectors(after, counts=150))
    assert found.moved[0].word == "w7"
    assert found.moved[0].count == 50
    assert found.moved[0].cosine == pytest.approx(-1)
    cosines = ROWS @ ROWS[7] / np.linalg.norm(ROWS, axis=1)
    nearest = [f"w{row}" for row in np.argsort(-cosines) if row != 7]
    assert found.moved[0].before == nearest[:10]
    assert not set(found.moved[0].after) & set(nearest[:10])


def test_words_that_the_new_texts_hardly_hold_are_not_listed() -> None:
    after = ROWS.copy()
    after[7] *= -1
    later = vectors(after, counts=150)
    assert later.counts is not None
    later.counts[7] = 119  # 19 times in the new texts
    assert "w7" not in [each.word for each in drift(vectors(ROWS), later).moved]


def test_growth_of_the_vocabulary() -> None:
    later = vectors(np.concatenate((ROWS, ROWS[:20] + 1)))
    later.counts = np.array([160] * 60 + [20] * 20)
    found = drift(vectors(ROWS, counts=100), later)
    assert (found.old_words, found.new_words) == (60, 20)
    assert found.new_tokens == pytest.approx(20 * 20 / (60 * 60 + 20 * 20))  # 10 %
    assert found.lines()[0] == "60 old words, 20 new ones (10.0% of the new texts' tokens)"
    assert json.loads(json.dumps(found.to_json()))["moved"][0]["word"] == found.moved[0].word


def test_a_model_that_lacks_words_is_refused() -> None:
    with pytest.raises(EmbeddingError, match="the later model lacks 60 of 60 words"):
        drift(vectors(ROWS), vectors(ROWS, prefix="x"))


def silent(stage: str, share: float, loss: float | None) -> None:
    """Tells nobody."""


def test_a_word_with_a_new_use_moves_most(tmp_path: Path) -> None:
    pytest.importorskip("gensim")
    from ragembed.embed.words.train.on_gensim.word2vec import Word2VecTrainer

    animals = ["mouse", "cat", "dog", "cow", "hen", "pig", "horse", "goat"]
    devices = ["screen", "keyboard", "printer", "cable", "disk", "modem", "laptop", "tablet"]
    random = np.random.default_rng(1)

    def texts(first: list[str], second: list[str]) -> list[str]:
        return [" ".join(random.choice(first if number % 2 else second, 12)) for number in range(1_000)]

    trainer = Word2VecTrainer(dimension=10, epochs=5, workers=1, sample=0.0, update_rate=1.0)
    corpus = TokenCorpus.read(texts(animals, devices), tmp_path / "a", WhitespaceTokenizer())
    trainer.prepare(corpus, tmp_path, None, silent)
    for number in range(5):
        trainer.round(number, silent)
    before = trainer.result()
    start = Start(before, {name: array.copy() for name, array in trainer.arrays().items()}, trainer.meta())
    later = texts(animals[1:], [*devices, "mouse", "wireless"])  # the mouse is a device now
    corpus = TokenCorpus.read(later, tmp_path / "b", WhitespaceTokenizer(), known=list(before.words))
    trainer.prepare(corpus, tmp_path, start, silent)
    for number in range(5):
        trainer.round(number, silent)
    found = drift(before, trainer.result())
    assert found.moved[0].word == "mouse"
    assert found.moved[0].aligned < found.moved[1].aligned - 0.1
    assert set(found.moved[0].before[:5]) <= set(animals)
    assert set(found.moved[0].after[:5]) <= set(devices)
    assert found.new_words == 1
