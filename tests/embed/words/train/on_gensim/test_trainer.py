"""Laws of both trainers on gensim, with plain gensim as the oracle."""

from __future__ import annotations

import json
import logging
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ragembed.embed.words.corpus import TokenCorpus
from ragembed.embed.words.tokens import tokenizer
from ragembed.embed.words.train.base import Start
from ragembed.embed.words.train.on_gensim.fasttext import FastTextTrainer
from ragembed.embed.words.train.on_gensim.trainer import GensimTrainer
from ragembed.embed.words.train.on_gensim.word2vec import Word2VecTrainer
from ragembed.errors import CorruptError, EmbeddingError, MissingExtraError, SpecError

pytest.importorskip("gensim")

BOTH: list[type[GensimTrainer]] = [Word2VecTrainer, FastTextTrainer]
SMALL: dict[str, Any] = {"dimension": 12, "epochs": 2, "workers": 1, "window": 4}


def silent(stage: str, share: float, loss: float | None) -> None:
    """Tells nobody."""


def zipf_texts(texts: int = 60, words: int = 120, seed: int = 0) -> list[str]:
    """Random words by Zipf's law, some with letters beyond ASCII; one text is longer than gensim's batch."""
    random = np.random.default_rng(seed)
    weights = 1 / np.arange(1, words + 1)
    names = np.array([f"wört{number}{'ab' * (number % 4)}" for number in range(words)])
    lengths = [*random.integers(1, 150, texts).tolist(), 12_000]
    return [" ".join(names[random.choice(words, length, p=weights / weights.sum())]) for length in lengths]


def read(folder: Path, texts: list[str], **options: Any) -> TokenCorpus:
    return TokenCorpus.read(texts, folder, tokenizer("whitespace"), **{"min_count": 2, **options})


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> TokenCorpus:
    return read(tmp_path_factory.mktemp("corpus"), zipf_texts())


def trained(
    trainer: GensimTrainer, corpus: TokenCorpus, folder: Path, start: Start | None = None
) -> list[float]:
    folder.mkdir(exist_ok=True)
    trainer.prepare(corpus, folder, start, silent)
    return [trainer.round(number, silent) for number in range(trainer.rounds)]


def plain_gensim(trainer: GensimTrainer, corpus: TokenCorpus, shard: Path) -> Any:
    """gensim's own model over the same file, by one call of its ``train``."""
    from gensim.models import FastText, Word2Vec

    options: dict[str, Any] = {
        "vector_size": trainer.dimension,
        "window": trainer.window,
        "sg": int(trainer.skipgram),
        "hs": int(trainer.hierarchical_softmax),
        "negative": trainer.noise_words,
        "sample": trainer.sample,
        "seed": trainer.seed,
        "workers": 1,
        "min_count": 1,
        "sorted_vocab": 0,
    }
    if isinstance(trainer, FastTextTrainer):
        model = FastText(**options, bucket=trainer.buckets, min_n=trainer.minn, max_n=trainer.maxn)
    else:
        model = Word2Vec(**options)
    model.build_vocab_from_freq(dict(zip(corpus.words, corpus.counts.tolist(), strict=True)))
    tokens = len(shard.read_text(encoding="utf-8").split())
    model.train(
        corpus_file=str(shard),
        total_words=tokens,
        epochs=trainer.epochs,
        start_alpha=0.025 if trainer.skipgram else 0.05,
        end_alpha=0.0001,
    )
    return model


@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize("skipgram", [True, False])
@pytest.mark.parametrize(
    "output",
    [{"sample": 1e-3}, {"sample": 0.0, "negative": 3}, {"sample": 1e-3, "hierarchical_softmax": True}],
)
def test_one_worker_gives_the_bits_of_plain_gensim(
    kind: type[GensimTrainer], skipgram: bool, output: dict[str, Any], corpus: TokenCorpus, tmp_path: Path
) -> None:
    more: dict[str, Any] = {"buckets": 5_000} if kind is FastTextTrainer else {}
    trainer = kind(**SMALL, skipgram=skipgram, **output, **more)
    trained(trainer, corpus, tmp_path)
    theirs = plain_gensim(trainer, corpus, tmp_path / "lines-0.txt")
    ours = trainer.arrays()
    assert trainer.result().words == theirs.wv.index_to_key
    name = "syn1" if trainer.hierarchical_softmax else "syn1neg"
    np.testing.assert_array_equal(ours[name], getattr(theirs, name))
    if kind is Word2VecTrainer:
        np.testing.assert_array_equal(trainer.result().vectors, theirs.wv.vectors)
    else:
        np.testing.assert_array_equal(ours["vectors_vocab"], theirs.wv.vectors_vocab)
        np.testing.assert_array_equal(ours["ngrams"], theirs.wv.vectors_ngrams[ours["buckets"]])
        np.testing.assert_allclose(trainer.result().vectors, theirs.wv.vectors, atol=1e-6)


@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize("output", [{}, {"hierarchical_softmax": True, "sample": 0.0}])
def test_interrupted_and_resumed_gives_the_same_bits(
    kind: type[GensimTrainer], output: dict[str, Any], corpus: TokenCorpus, tmp_path: Path
) -> None:
    def fresh() -> GensimTrainer:
        return kind(**{**SMALL, "epochs": 3}, **output)

    whole, again, first, second = fresh(), fresh(), fresh(), fresh()
    losses = trained(whole, corpus, tmp_path / "whole")
    assert trained(again, corpus, tmp_path / "again") == losses
    (tmp_path / "parts").mkdir()
    first.prepare(corpus, tmp_path / "parts", None, silent)
    assert first.round(0, silent) == losses[0]
    arrays = {name: array.copy() for name, array in first.arrays().items()}
    meta = json.loads(json.dumps(first.meta()))
    second.prepare(corpus, tmp_path / "parts", None, silent)
    second.restore(arrays, meta)
    assert [second.round(number, silent) for number in (1, 2)] == losses[1:]
    for other in (again, second):
        for name, array in whole.arrays().items():
            np.testing.assert_array_equal(array, other.arrays()[name])
    assert second.meta() == whole.meta()


@pytest.mark.parametrize("kind", BOTH)
def test_several_workers_learn_from_all_tokens(
    kind: type[GensimTrainer], corpus: TokenCorpus, tmp_path: Path
) -> None:
    trainer = kind(**{**SMALL, "workers": 3, "epochs": 4})
    losses = trained(trainer, corpus, tmp_path)
    files = sorted(tmp_path.glob("lines-*.txt"))
    assert len(files) == -(-len(corpus.tokens) // 10_000) == 2  # no more workers than batches
    assert losses[-1] < losses[0] < 6 * np.log(2)
    assert np.isfinite(trainer.result().vectors).all()


@pytest.mark.parametrize("kind", BOTH)
def test_progress_is_told_and_gensim_says_nothing(
    kind: type[GensimTrainer], corpus: TokenCorpus, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    told: list[tuple[str, float, float | None]] = []
    trainer = kind(**SMALL)
    with caplog.at_level(logging.WARNING):
        trainer.prepare(corpus, tmp_path, None, lambda *each: told.append(each))
        for number in range(trainer.rounds):
            trainer.round(number, lambda *each: told.append(each))
    ends = {stage: (share, loss) for stage, share, loss in told if stage.startswith("epoch")}
    assert list(ends) == ["epoch 1 of 2", "epoch 2 of 2"]
    assert all(share == 1 and loss is not None for share, loss in ends.values())
    assert all(0 <= share <= 1 for _, share, _ in told)
    assert next(loss for stage, share, loss in told if stage == "epoch 2 of 2") is not None
    assert not caplog.records


@pytest.mark.parametrize("kind", BOTH)
def test_an_update_keeps_old_rows_and_adds_new_words(
    kind: type[GensimTrainer], corpus: TokenCorpus, tmp_path: Path
) -> None:
    old = kind(**SMALL)
    trained(old, corpus, tmp_path / "old")
    start = Start(old.result(), {name: array.copy() for name, array in old.arrays().items()}, old.meta())
    texts = [*zipf_texts(seed=3), "neues neues wort wort " * 20]
    later = read(tmp_path / "later", texts, known=corpus.words)
    new = kind(**SMALL)
    new.prepare(later, tmp_path / "later", start, silent)
    before = new.result()
    old_words = len(corpus.words)
    assert list(before.words[:old_words]) == corpus.words
    assert set(before.words[old_words:]) >= {"neues", "wort"}
    np.testing.assert_allclose(before.vectors[:old_words], old.result().vectors, atol=1e-7)
    assert before.vectors[old_words:].any(axis=1).all()  # new ones begin at random
    np.testing.assert_array_equal(new.arrays()["syn1neg"][:old_words], start.arrays["syn1neg"])
    assert not new.arrays()["syn1neg"][old_words:].any()
    losses = [new.round(number, silent) for number in range(new.rounds)]
    after = new.result()
    assert after.counts is not None
    np.testing.assert_array_equal(
        after.counts, later.counts + np.pad(corpus.counts, (0, len(later.words) - old_words))
    )
    assert np.isfinite(losses).all()
    assert not np.array_equal(after.vectors[:old_words], before.vectors[:old_words])


def test_an_update_learns_more_gently(corpus: TokenCorpus, tmp_path: Path) -> None:
    old = Word2VecTrainer(**SMALL)
    trained(old, corpus, tmp_path / "old")
    start = Start(old.result(), dict(old.arrays()), old.meta())

    def step(rate: float) -> float:
        new = Word2VecTrainer(**SMALL, update_rate=rate)
        trained(new, corpus, tmp_path / f"new{rate}", start)
        return float(np.linalg.norm(new.result().vectors - old.result().vectors))

    assert step(0.1) < 0.5 * step(1.0)


@pytest.mark.parametrize("kind", BOTH)
def test_an_update_without_new_words_changes_no_given_array(
    kind: type[GensimTrainer], corpus: TokenCorpus, tmp_path: Path
) -> None:
    old = kind(**SMALL)
    trained(old, corpus, tmp_path / "old")
    arrays = {name: array.copy() for name, array in old.arrays().items()}
    for array in arrays.values():
        array.flags.writeable = False  # as mapped files are
    kept = {name: array.copy() for name, array in arrays.items()}
    trained(kind(**SMALL), corpus, tmp_path / "new", Start(old.result(), arrays, old.meta()))
    for name, array in kept.items():
        np.testing.assert_array_equal(array, arrays[name])


@pytest.mark.parametrize("kind", BOTH)
def test_an_update_from_arrays_of_other_shapes_is_refused(
    kind: type[GensimTrainer], corpus: TokenCorpus, tmp_path: Path
) -> None:
    old = kind(**SMALL)
    trained(old, corpus, tmp_path)
    for name, array in old.arrays().items():
        if name == "buckets":
            continue  # any number of them may be there
        start = Start(old.result(), {**old.arrays(), name: array[:-1]}, old.meta())
        with pytest.raises(CorruptError, match=rf"has {name} of shape \({len(array) - 1}, 12\)"):
            kind(**SMALL).prepare(corpus, tmp_path, start, silent)


def test_an_update_of_other_dimension_is_refused(corpus: TokenCorpus, tmp_path: Path) -> None:
    old = Word2VecTrainer(**SMALL)
    trained(old, corpus, tmp_path)
    start = Start(old.result(), old.arrays(), old.meta())
    with pytest.raises(EmbeddingError, match="12 dimensions, 8 are asked for; give dimension=12"):
        Word2VecTrainer(dimension=8).prepare(corpus, tmp_path, start, silent)


def test_words_that_stand_together_are_near(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    kinds = [["cat", "dog", "cow"], ["red", "blue", "green"]]
    texts = [" ".join(random.choice(kinds[number % 2], 8)) for number in range(800)]
    for kind in BOTH:
        trainer = kind(dimension=10, epochs=3, workers=1, sample=0.0)
        trained(trainer, read(tmp_path / trainer.name / "corpus", texts), tmp_path / trainer.name)
        _, found = trainer.result().word_vectors(["cat", "dog", "red", "blue"])
        cat, dog, red, blue = found / np.linalg.norm(found, axis=1, keepdims=True)
        assert min(cat @ dog, red @ blue) > max(cat @ red, dog @ blue) + 0.3


def test_a_window_larger_than_every_text_is_no_trouble(tmp_path: Path) -> None:
    corpus = read(tmp_path / "corpus", ["a b", "b a", "a b a"], min_count=1)
    for kind in BOTH:
        assert np.isfinite(trained(kind(dimension=4, window=500, epochs=2), corpus, tmp_path)).all()


def test_a_corpus_without_pairs_is_refused(tmp_path: Path) -> None:
    corpus = read(tmp_path / "corpus", ["one", "two", "one", "two"], min_count=1)
    with pytest.raises(EmbeddingError, match="no word of the corpus has another one beside it"):
        Word2VecTrainer().prepare(corpus, tmp_path, None, silent)


@pytest.mark.parametrize("rate", [50.0, 1e30])
def test_a_rate_far_too_high_is_found_by_the_loss(rate: float, corpus: TokenCorpus, tmp_path: Path) -> None:
    with pytest.raises(EmbeddingError, match=r"training word2vec diverged.* lower learning_rate, which is "):
        trained(Word2VecTrainer(**SMALL, learning_rate=rate, skipgram=False), corpus, tmp_path)


@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize(
    "wrong",
    [
        {"dimension": 0},
        {"window": 0},
        {"epochs": 0},
        {"workers": 0},
        {"negative": -1},
        {"negative": 0},
        {"sample": 1.0},
        {"learning_rate": float("nan")},
        {"learning_rate": 0.0},
        {"learning_rate": 1e39},
        {"window": 1 << 40},
        {"negative": 1 << 40},
        {"min_learning_rate": 0.5},
        {"update_rate": 0.0},
        {"seed": -1},
    ],
)
def test_settings_that_make_no_sense_are_refused(kind: type[GensimTrainer], wrong: dict[str, Any]) -> None:
    with pytest.raises(SpecError, match=rf"{next(iter(wrong))}=.* give "):
        kind(**wrong)


def test_hierarchical_softmax_replaces_noise_words_unless_both_are_asked_for() -> None:
    assert Word2VecTrainer().noise_words == 5
    assert Word2VecTrainer(hierarchical_softmax=True).noise_words == 0
    assert Word2VecTrainer(hierarchical_softmax=True, negative=3).noise_words == 3


def test_without_gensim_the_extra_is_named(
    corpus: TokenCorpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "gensim", None)
    with pytest.raises(
        MissingExtraError, match=r"training word2vec needs gensim.*pip install 'ragembed\[words\]'"
    ):
        Word2VecTrainer().prepare(corpus, tmp_path, None, silent)


@pytest.mark.parametrize("kind", BOTH)
def test_an_interrupted_epoch_leaves_no_thread_running(kind: type[GensimTrainer], tmp_path: Path) -> None:
    """gensim's loop would take many seconds; Python must not end while it runs."""
    corpus = read(tmp_path / "corpus", zipf_texts(3000))
    trainer = kind(**{**SMALL, "dimension": 100, "window": 20, "workers": 2, "sample": 0.0})
    trainer.prepare(corpus, tmp_path, None, silent)
    before = threading.active_count()
    began = time.monotonic()

    def stop(stage: str, share: float, loss: float | None) -> None:
        if time.monotonic() - began > 0.2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trainer.round(0, stop)
    assert threading.active_count() == before
    with pytest.raises(EmbeddingError, match="call prepare first"):
        trainer.round(0, silent)


def test_ngrams_are_no_longer_than_words() -> None:
    with pytest.raises(SpecError, match=r"maxn=1099511627776 .*<= 100"):
        FastTextTrainer(maxn=1 << 40)
