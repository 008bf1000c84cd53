from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ragembed.embed.elmo.embedder import ElmoEmbedder
from ragembed.embed.elmo.files import open_elmo
from ragembed.embed.elmo.train import ElmoTrainer
from ragembed.embed.words.corpus import TokenCorpus
from ragembed.embed.words.train import TRAINERS
from ragembed.embed.words.train.base import Start
from ragembed.embed.words.train.run import train_to_folder
from ragembed.embed.words.vectors import WordVectors
from ragembed.errors import EmbeddingError, SpecError

pytest.importorskip("torch", reason="needs the extra elmo")

SMALL: dict[str, Any] = {
    "dimension": 16,
    "cells": 16,
    "filters": 64,
    "epochs": 2,
    "batch_size": 6,
    "bptt": 8,
    "held_out": 0,
    "learning_rate": 0.02,
}
TEXTS = ["The cat sat on the mat. A dog ran after the cat!", "Dogs bark. Cats purr all day long."] * 30


def quiet(stage: str, share: float, loss: float | None) -> None:
    pass


def corpus(folder: Path, texts: Sequence[str] = TEXTS, earlier: WordVectors | None = None) -> TokenCorpus:
    return ElmoTrainer().default_reading().read(texts, folder / "corpus", earlier)


def prepared(
    folder: Path, read: TokenCorpus | None = None, start: Start | None = None, **more: Any
) -> ElmoTrainer:
    trainer = ElmoTrainer(**{**SMALL, **more})
    trainer.prepare(read or corpus(folder), folder, start, quiet)
    return trainer


def same(left: ElmoTrainer, right: ElmoTrainer) -> bool:
    a, b = left.arrays(), right.arrays()
    return a.keys() == b.keys() and all(np.array_equal(a[key], b[key]) for key in a)


def test_it_is_registered() -> None:
    assert TRAINERS.load("elmo") is ElmoTrainer


@pytest.mark.parametrize(
    "more",
    [{}, {"samples": 6}, {"optimizer": "adagrad", "learning_rate": None}, {"layers": 1, "dropout": 0.0}],
    ids=str,
)
def test_it_learns(tmp_path: Path, more: dict[str, Any]) -> None:
    """Below the loss of who knows how frequent words are, but not what stands before them."""
    read = corpus(tmp_path)
    trainer = prepared(tmp_path, read, epochs=5, **more)
    counts = np.append(read.counts, 4 * 30 / 2)  # words, and the end of each of the four sentences
    shares = counts / counts.sum()
    unigram = float(-(shares * np.log(shares)).sum())
    losses = [trainer.round(number, quiet) for number in range(trainer.rounds)]
    assert losses[-1] < losses[0]
    if "optimizer" not in more:  # adagrad takes its time
        assert losses[-1] < 0.9 * unigram


@pytest.mark.parametrize("optimizer", ["adam", "adagrad"])
def test_resumed_it_is_the_same_to_the_last_bit(tmp_path: Path, optimizer: str) -> None:
    read = corpus(tmp_path)
    whole, first = (prepared(tmp_path, read, optimizer=optimizer, samples=6) for _ in range(2))
    losses = [whole.round(number, quiet) for number in range(2)]
    assert first.round(0, quiet) == losses[0]
    arrays = {name: each.copy() for name, each in first.arrays().items()}
    again = prepared(tmp_path, read, optimizer=optimizer, samples=6)
    again.restore(arrays, first.meta())
    assert again.round(1, quiet) == losses[1]
    assert same(again, whole)
    assert not same(again, first)


def test_the_seed_decides(tmp_path: Path) -> None:
    read = corpus(tmp_path)
    one, other, different = (prepared(tmp_path, read, seed=seed) for seed in (3, 3, 4))
    assert same(one, other)
    assert not same(one, different)


def test_held_out_sentences_judge(tmp_path: Path) -> None:
    """A corpus that says the same all over is foretold, also where it was not read."""
    trainer = prepared(tmp_path, held_out=20, epochs=5)
    losses = [trainer.round(number, quiet) for number in range(trainer.rounds)]
    assert trainer.meta()["perplexities"] == pytest.approx([math.exp(loss) for loss in losses])
    assert math.exp(losses[-1]) < trainer.meta()["unigram_perplexity"]
    assert losses[-1] < losses[0]


def test_the_saved_model_embeds(tmp_path: Path) -> None:
    read = corpus(tmp_path)
    trainer = prepared(tmp_path, read)
    trainer.round(0, quiet)
    trainer.save(tmp_path / "model", {"settings": trainer.settings(), **trainer.default_reading().info(read)})
    files = open_elmo(tmp_path / "model")
    assert files.options == trainer.options
    assert files.info["settings"]["cells"] == 16
    embedder = ElmoEmbedder(path=str(tmp_path / "model"))
    words = embedder.vocabulary()
    assert words is not None
    assert words[0] == read.words
    assert words[1].shape == (len(read.words), 16)
    without_context = WordVectors.open(tmp_path / "model")  # for all that works on word vectors
    np.testing.assert_array_equal(without_context.vectors, trainer.result().vectors)
    assert without_context.dimension == 8


def test_others_can_read_it(tmp_path: Path) -> None:
    pytest.importorskip("h5py", reason="needs the extra elmo")
    trainer = prepared(tmp_path)
    trainer.save(tmp_path / "model", {})
    ours = open_elmo(tmp_path / "model")
    ours.export(tmp_path / "published")
    assert open_elmo(tmp_path / "published").digest == ours.digest


def test_updated_it_keeps_what_it_knew(tmp_path: Path) -> None:
    first = prepared(tmp_path)
    first.round(0, quiet)
    start = Start(first.result(), {name: each.copy() for name, each in first.arrays().items()}, first.meta())
    more = corpus(tmp_path / "more", [*TEXTS, "A zebra gallops."], start.vectors)
    second = prepared(tmp_path, more, start)
    assert second.meta()["predicted"] == first.meta()["predicted"] + 2  # zebra and gallops
    # not to the last bit: two more words make other batches of the matrix products
    np.testing.assert_allclose(second.result().vectors[:-2], first.result().vectors, rtol=1e-5, atol=1e-6)
    counts, both = first.result().counts, second.result().counts
    assert counts is not None
    assert both is not None
    np.testing.assert_array_equal(both, more.counts + np.append(counts, [0, 0]))
    second.round(0, quiet)
    with pytest.raises(EmbeddingError, match="update it with the sizes that it was trained with"):
        prepared(tmp_path, more, start, cells=17)


def test_rare_words_are_read_but_not_predicted(tmp_path: Path) -> None:
    trainer = prepared(tmp_path, vocabulary=5)
    trainer.round(0, quiet)
    assert trainer.meta()["predicted"] == 5
    assert len(trainer.result()) == 5


def test_tiny_corpora(tmp_path: Path) -> None:
    for number, text in enumerate(["one two", "a b. C d.", "x " * 50]):
        folder = tmp_path / str(number)
        trainer = prepared(folder, corpus(folder, [text, "", "y"]), held_out=100)
        assert math.isfinite(trainer.round(0, quiet))


def test_a_loss_that_is_no_number_ends_it(tmp_path: Path) -> None:
    trainer = prepared(tmp_path, learning_rate=1e30, max_grad_norm=1e30)
    with pytest.raises(EmbeddingError, match="diverged"):
        trainer.round(0, quiet)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"dimension": 15}, "dimension is 15; give an even number"),
        ({"filters": 100}, "filters is 100; give one of 64, 128"),
        ({"optimizer": "sgd"}, "valid are: adam, adagrad"),
        ({"dropout": 1.0}, "dropout=1 makes"),
        ({"bptt": 0}, "bptt is 0"),
        ({"samples": -1}, "samples is -1"),
        ({"learning_rate": 0.0}, "learning_rate=0 makes"),
        ({"learning_rate": 1e39}, r"learning_rate=1e\+39 makes"),
        ({"max_grad_norm": float("nan")}, "max_grad_norm=nan makes"),
    ],
)
def test_settings_that_make_no_sense(settings: dict[str, Any], told: str) -> None:
    with pytest.raises(SpecError, match=told):
        ElmoTrainer(**settings)


def test_without_a_corpus() -> None:
    with pytest.raises(EmbeddingError, match="has no corpus"):
        ElmoTrainer().round(0, quiet)


@pytest.mark.parametrize("held_out", [0, 20])
def test_a_loss_that_explodes_ends_it(tmp_path: Path, held_out: int) -> None:
    """Finite, for gradients are clipped, but far above that of a model that knows nothing: log of 16 words is 2.8."""
    trainer = prepared(tmp_path, learning_rate=1000.0, held_out=held_out)
    with pytest.raises(
        EmbeddingError, match=r"diverged: its loss is \d.*untrained.*lower learning_rate, which is 1000"
    ):
        trainer.round(0, quiet)


def test_an_update_in_a_folder_tells_what_moved(tmp_path: Path) -> None:
    """Also where a single word is predicted, which has no neighbours."""
    for predicted in (1, 100):
        folder = tmp_path / str(predicted)
        trainer = ElmoTrainer(**{**SMALL, "epochs": 1, "vocabulary": predicted})
        train_to_folder(trainer, TEXTS, folder)
        again = ElmoTrainer(**{**SMALL, "epochs": 1, "vocabulary": predicted})
        drift = train_to_folder(again, [*TEXTS, "A zebra gallops."], folder, update=folder).drift
        assert drift is not None
        assert drift.lines()
        with pytest.raises(
            EmbeddingError, match="trained with cells=16, cells=17 is asked for; give cells=16"
        ):
            train_to_folder(ElmoTrainer(**{**SMALL, "cells": 17}), TEXTS, folder, update=folder)
