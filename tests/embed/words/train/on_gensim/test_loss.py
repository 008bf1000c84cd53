"""The loss of a sample equals what its definition gives, word by word."""

from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ragembed.embed.words.corpus import TokenCorpus
from ragembed.embed.words.tokens import WhitespaceTokenizer
from ragembed.embed.words.train.on_gensim.loss import LossSample, Rows

EVEN = np.array([1, 2, 3], np.uint32) * 700_000_000
"""gensim's table where each of three words is noise equally often."""


def model(hs: int = 0, negative: int = 2) -> Any:
    random = np.random.default_rng(1)
    syn1neg, syn1 = random.normal(size=(2, 3, 4)).astype(np.float32)
    codes = [np.array([0], np.uint8), np.array([1, 0], np.uint8), np.array([1, 1], np.uint8)]
    points = [np.array([0], np.uint32), np.array([0, 1], np.uint32), np.array([0, 1], np.uint32)]
    tables = {name: np.array([None, None, None], object) for name in ("code", "point")}
    for row in range(3):
        tables["code"][row], tables["point"][row] = codes[row], points[row]
    wv = SimpleNamespace(expandos=tables)
    return SimpleNamespace(hs=hs, negative=negative, syn1neg=syn1neg, syn1=syn1, wv=wv, vector_size=4)


VECTORS = np.random.default_rng(2).normal(size=(3, 4)).astype(np.float32)


def inputs(rows: Rows) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Word 2 is the sum of two parts."""
    return VECTORS[rows], np.array([1, 1, 2], np.float32)[rows]


def minus_log_sigmoid(x: float) -> float:
    return math.log1p(math.exp(-x))


SAMPLE = LossSample(
    outputs=np.array([0, 2]),
    noise=np.array([[1, -1], [0, 1]]),
    owners=np.array([0, 0, 1]),
    beside=np.array([0, 1, 1]),
    words=np.array([1, 2]),  # beside the first word stand 1 and 2, beside the second 2
)
HIDDEN = [(VECTORS[1] + VECTORS[2]) / 3, VECTORS[2] / 2]


def test_negative_sampling() -> None:
    weights = model().syn1neg
    first = minus_log_sigmoid(HIDDEN[0] @ weights[0]) + minus_log_sigmoid(-HIDDEN[0] @ weights[1])
    second = minus_log_sigmoid(HIDDEN[1] @ weights[2])
    second += minus_log_sigmoid(-HIDDEN[1] @ weights[0]) + minus_log_sigmoid(-HIDDEN[1] @ weights[1])
    assert SAMPLE.mean(model(), inputs) == pytest.approx((first + second) / 2, rel=1e-6)


def test_hierarchical_softmax() -> None:
    nodes = model().syn1
    first = minus_log_sigmoid(HIDDEN[0] @ nodes[0])  # word 0: code 0 at node 0
    second = minus_log_sigmoid(-HIDDEN[1] @ nodes[0]) + minus_log_sigmoid(-HIDDEN[1] @ nodes[1])  # 1, 1
    assert SAMPLE.mean(model(hs=1, negative=0), inputs) == pytest.approx((first + second) / 2, rel=1e-6)


def test_untrained_weights_know_nothing() -> None:
    assert SAMPLE.untrained(model()) == pytest.approx(2.5 * math.log(2))  # 2 and 3 words to tell apart
    assert SAMPLE.untrained(model(hs=1, negative=0)) == pytest.approx(1.5 * math.log(2))  # 1 and 2 steps


def corpus(folder: Path, *texts: str) -> TokenCorpus:
    return TokenCorpus.read(texts, folder, WhitespaceTokenizer(), min_count=1)


def draw(found: TokenCorpus, kept: list[float], **options: Any) -> LossSample:
    settings = {"window": 2, "negative": 2, "skipgram": False, "seed": 1, **options}
    return LossSample.draw(found, kept=np.array(kept), noise=EVEN, **settings)


def test_only_words_of_the_window_and_text_stand_beside(tmp_path: Path) -> None:
    found = corpus(tmp_path, "a b a b", "c c c")
    sample = draw(found, [1, 1, 1], window=1)
    pairs = set(
        zip(sample.outputs[sample.owners].tolist(), sample.words[sample.beside].tolist(), strict=True)
    )
    a, b, c = (found.words.index(word) for word in "abc")
    assert pairs == {(a, b), (b, a), (c, c)}


def test_windows_close_over_dropped_words(tmp_path: Path) -> None:
    found = corpus(tmp_path, "a x b x a x b x " * 50)
    kept = [0.0 if word == "x" else 1.0 for word in found.words]
    sample = draw(found, kept, window=1)
    x = found.words.index("x")
    assert len(sample.outputs) > 1000
    assert x not in sample.outputs
    assert x not in sample.words


def test_skip_gram_takes_one_word_beside_and_noise_is_never_the_word(tmp_path: Path) -> None:
    found = corpus(tmp_path, "a b c a b c c b a " * 9)
    sample = draw(found, [1, 1, 1], skipgram=True, negative=4)
    assert len(sample.outputs) == 20_000
    np.testing.assert_array_equal(sample.owners, np.arange(20_000))
    assert not (sample.noise == sample.outputs[:, np.newaxis]).any()
    np.testing.assert_allclose((sample.noise < 0).mean(), 1 / 3, atol=0.01)
    again = draw(found, [1, 1, 1], skipgram=True, negative=4)
    np.testing.assert_array_equal(sample.noise, again.noise)
