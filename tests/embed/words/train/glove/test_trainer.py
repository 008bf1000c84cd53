"""GloVe is held against the plain loop of `ragembed.embed.words.train.glove.reference`, pair by pair."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ragembed.embed.words.corpus import TokenCorpus
from ragembed.embed.words.tokens import tokenizer
from ragembed.embed.words.train.base import Start, Tell
from ragembed.embed.words.train.glove.kernels import CLIP, learn_kernel, small_error, width
from ragembed.embed.words.train.glove.reference import Pair, ReferenceGloVe
from ragembed.embed.words.train.glove.tiles import Grid
from ragembed.embed.words.train.glove.trainer import GloVeTrainer
from ragembed.embed.words.train.glove.weights import Weights
from ragembed.embed.words.train.reading import Reading
from ragembed.embed.words.train.run import train_to_folder
from ragembed.embed.words.vectors import WordVectors
from ragembed.errors import CorruptError, EmbeddingError, MissingExtraError, SpecError
from ragembed.extras import require

numba = pytest.importorskip("numba", reason="needs the extra words")

READING = Reading(tokens="whitespace", min_count=1)


def quiet(stage: str, share: float, loss: float | None) -> None:
    pass


def sentences(count: int = 200, seed: int = 0) -> list[str]:
    """Of 60 words, each beside words that have a number like its own."""
    random = np.random.default_rng(seed)
    texts = []
    for _ in range(count):
        centre = int(random.integers(0, 60))
        texts.append(" ".join(f"w{(centre + int(n)) % 60}" for n in random.normal(0, 4, 20)))
    return texts


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> TokenCorpus:
    return TokenCorpus.read(
        sentences(), tmp_path_factory.mktemp("corpus"), tokenizer("whitespace"), min_count=1
    )


def prepared(corpus: TokenCorpus, folder: Path, start: Start | None = None, **options: Any) -> GloVeTrainer:
    trainer = GloVeTrainer(
        **{"dimension": 10, "window": 5, "x_max": 10.0, "epochs": 4, "workers": 1, **options}
    )
    folder.mkdir(exist_ok=True, parents=True)
    trainer.prepare(corpus, folder, start, quiet)
    return trainer


def copied(trainer: GloVeTrainer) -> dict[str, Any]:
    return {name: np.array(array) for name, array in trainer.arrays().items()}


def order_of_epoch(trainer: GloVeTrainer, number: int) -> Iterator[Pair]:
    """The pairs as one worker goes through them."""
    tiles = trainer._prepared().tiles
    blocks = tiles.grid.blocks
    random = np.random.default_rng([trainer.seed, number])
    partners, turns = random.permutation(blocks), random.permutation(blocks)
    for turn in turns:
        for p in range(blocks):
            words, contexts, inside = tiles.pairs(p, int(partners[(p + turn) % blocks]))
            for word, context, log in zip(words, contexts, tiles.logs[inside], strict=True):
                yield int(word), int(context), float(np.exp(np.float64(log)))


def reference(weights: Weights, **options: Any) -> ReferenceGloVe:
    sides = []
    for side in ("words", "contexts"):
        rows = weights.rows(side)[:, 0].astype(np.float64)
        sides.append(np.c_[rows[:, : weights.dimension], rows[:, weights.bias(side)]])
    return ReferenceGloVe(*sides, **options)


def test_epochs_equal_the_reference(corpus: TokenCorpus, tmp_path: Path) -> None:
    trainer = prepared(corpus, tmp_path)
    weights = trainer._prepared().weights
    plain = reference(weights, x_max=10.0)
    for number in range(2):
        pairs = list(order_of_epoch(trainer, number))
        assert trainer.round(number, quiet) == pytest.approx(plain.epoch(pairs), rel=1e-4)
    learnt = reference(weights)
    assert np.abs(learnt.words).max() > 0.3
    assert np.allclose(learnt.words, plain.words, atol=2e-4)
    assert np.allclose(learnt.contexts, plain.contexts, atol=2e-4)
    steps = weights.rows("words")[:, 1]
    expected = np.c_[np.full((60, 10), 0.05), np.ones(60)] / np.sqrt(plain.word_squares)
    assert np.allclose(steps[:, :11], expected, rtol=2e-3)
    assert trainer.result().vectors == pytest.approx(plain.words[:, :10] + plain.contexts[:, :10], abs=4e-4)


@settings(max_examples=40)
@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2), st.floats(0.1, 1e4)), min_size=1, max_size=8),
    st.integers(1, 40),
    st.floats(0.001, 0.2),
    st.floats(0.01, 2),
)
def test_any_pairs_equal_the_reference(
    pairs: list[Pair], dimension: int, learning_rate: float, scale: float
) -> None:
    """With errors and rates so large that either formula of the kernel is taken, and pairs that share words."""
    weights = Weights.random(Grid(3, 1, 3), dimension, learning_rate, seed=1)
    for side in ("words", "contexts"):
        rows = weights.rows(side)
        rows[:, 0, :dimension] *= scale * dimension
        weights.put(side, rows)
    plain = reference(weights, x_max=100.0, learning_rate=learning_rate)
    logs = np.log([x for *_, x in pairs]).astype(np.float32)
    total = learn_kernel(width(dimension))(
        weights.words.reshape(-1),
        weights.contexts.reshape(-1),
        np.array([i << 16 | j for i, j, _ in pairs], np.uint32),
        logs,
        np.array([plain.weight(x) for *_, x in pairs], np.float32),
        0,
        len(pairs),
        dimension,
        np.float32(100),
        np.float32(small_error(learning_rate)),
    )
    assert total / len(pairs) == pytest.approx(plain.epoch(pairs), rel=5e-3, abs=1e-5)
    learnt = reference(weights)
    assert np.allclose(learnt.words, plain.words, rtol=5e-3, atol=2e-3)
    assert np.allclose(learnt.contexts, plain.contexts, rtol=5e-3, atol=2e-3)


def test_gradients_are_clipped() -> None:
    """An error of 4001 times a weight of 1: a move of 0.05 * 100, not 0.05 * 4001. A bias moves the whole way."""
    weights = Weights.random(Grid(1, 1, 1), 1, 0.05, seed=1)
    for side in (weights.words, weights.contexts):
        side[..., 0, 0] = 1
    weights.words[..., 0, 1] = 4000
    learn_kernel(width(1))(
        weights.words.reshape(-1),
        weights.contexts.reshape(-1),
        *(np.zeros(1, np.uint32), np.zeros(1, np.float32), np.ones(1, np.float32)),
        0,
        1,
        1,
        np.float32(100),
        np.float32(0.25),
    )
    assert weights.words[0, 0, 0].tolist()[:2] == pytest.approx([1 - 5, 4000 - 4001], abs=0.5)


def one_pair(
    words: list[float], contexts: list[float], log: float, steps: int
) -> tuple[Weights, ReferenceGloVe]:
    """A word and a context word of which all is given, the biases last, after so many steps: ours, and float64."""
    dimension = len(words) - 1
    weights = Weights.random(Grid(1, 1, 1), dimension, 0.05, seed=1)
    sides: dict[Literal["words", "contexts"], list[float]] = {"words": words, "contexts": contexts}
    for side, values in sides.items():
        rows = weights.rows(side)
        rows[0, 0, :dimension], rows[0, 0, weights.bias(side)] = values[:-1], values[-1]
        weights.put(side, rows)
    plain = reference(weights, x_max=1e-9)
    for _ in range(steps):
        learn_kernel(width(dimension))(
            weights.words.reshape(-1),
            weights.contexts.reshape(-1),
            *(np.zeros(1, np.uint32), np.array([log], np.float32), np.ones(1, np.float32)),
            *(0, 1, dimension, np.float32(CLIP), np.float32(small_error(0.05))),
        )
        plain.epoch([(0, 0, float(np.exp(np.float64(np.float32(log)))))])
    return weights, plain


def test_clipped_gradients_equal_the_reference() -> None:
    """Components of 577, 230,000, 290 and 5.8, of which all but the last are cut to 100; biases move by all of 577."""
    weights, plain = one_pair([500.0, 0.2, 0.0, -300.0, 0.0], [1.0, 400.0, 0.5, 0.01, 0.0], 0.0, 1)
    learnt = reference(weights)
    assert plain.words[0, 0] == 500 - 5
    assert np.allclose(learnt.words, plain.words, rtol=1e-5)
    assert np.allclose(learnt.contexts, plain.contexts, rtol=1e-5)
    steps = weights.rows("words")[0, 1, :5]
    assert np.allclose(steps, np.array([0.05] * 4 + [1]) / np.sqrt(plain.word_squares[0]), rtol=1e-5)


@pytest.mark.parametrize(("log", "exact"), [(0.47, False), (4.0, True)])
def test_steps_are_right_to_the_last_digits_of_float32(log: float, exact: bool) -> None:
    """Two steps, so that the second is as long as the first left it, by either formula of the kernel."""
    weights, plain = one_pair([0.3, -0.7, 1.1, 0.2], [-0.5, 0.9, 0.8, 0.1], log, 0)
    assert (abs(plain.error(0, 0, float(np.exp(log)))) > small_error(0.05)) == exact
    weights, plain = one_pair([0.3, -0.7, 1.1, 0.2], [-0.5, 0.9, 0.8, 0.1], log, 2)
    learnt = reference(weights)
    assert np.allclose(learnt.words, plain.words, rtol=1e-6, atol=0)
    assert np.allclose(learnt.contexts, plain.contexts, rtol=1e-6, atol=0)
    for side, squares in (("words", plain.word_squares), ("contexts", plain.context_squares)):
        rows = weights.rows(side)[0, 1]
        steps = np.append(rows[:3], rows[weights.bias(side)])
        assert np.allclose(steps, np.array([0.05] * 3 + [1]) / np.sqrt(squares[0]), rtol=1e-6, atol=0)


@pytest.mark.parametrize("workers", [2, 5])
def test_any_number_of_workers_gives_the_same_bits(corpus: TokenCorpus, tmp_path: Path, workers: int) -> None:
    one, many = prepared(corpus, tmp_path / "1"), prepared(corpus, tmp_path / "n", workers=workers)
    losses = [[trainer.round(number, quiet) for number in range(3)] for trainer in (one, many)]
    assert losses[0] == losses[1]
    for name, array in one.arrays().items():
        assert np.array_equal(array, many.arrays()[name])


def test_learns_what_stands_near_what(corpus: TokenCorpus, tmp_path: Path) -> None:
    trainer = prepared(corpus, tmp_path, epochs=30)
    losses = [trainer.round(number, quiet) for number in range(30)]
    assert losses[-1] < losses[0] / 4
    vectors = trainer.result()
    centred = vectors.vectors - vectors.vectors.mean(axis=0)
    units = centred / np.linalg.norm(centred, axis=1, keepdims=True)
    rows = vectors.rows([f"w{n}" for n in range(60)])
    cosines = units[rows] @ units[rows].T
    near, far = (np.mean([cosines[n, (n + apart) % 60] for n in range(60)]) for apart in (1, 15))
    assert near > far + 0.5


def test_goes_on_from_a_checkpoint_with_the_same_bits(corpus: TokenCorpus, tmp_path: Path) -> None:
    whole = prepared(corpus, tmp_path / "whole")
    for number in range(2):
        whole.round(number, quiet)
    arrays, meta = copied(whole), whole.meta()
    losses = [whole.round(number, quiet) for number in (2, 3)]
    resumed = prepared(corpus, tmp_path / "whole", workers=2)
    resumed.restore(arrays, meta)
    assert [resumed.round(number, quiet) for number in (2, 3)] == losses
    assert np.array_equal(whole.result().vectors, resumed.result().vectors)


def test_a_seed_decides(corpus: TokenCorpus, tmp_path: Path) -> None:
    one, other = prepared(corpus, tmp_path / "1"), prepared(corpus, tmp_path / "2", seed=2)
    assert not np.array_equal(one.result().vectors, other.result().vectors)


def test_without_contexts(corpus: TokenCorpus, tmp_path: Path) -> None:
    both, words = prepared(corpus, tmp_path), prepared(corpus, tmp_path, contexts="none")
    weights = both._prepared().weights
    assert np.array_equal(words.result().vectors, weights.vectors("words"))
    assert np.array_equal(both.result().vectors, weights.vectors("words") + weights.vectors("contexts"))


def test_update_keeps_old_words_and_adds_new_ones(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    trainer = GloVeTrainer(dimension=8, window=5, epochs=3)
    train_to_folder(trainer, sentences(), folder, reading=READING)
    old = WordVectors.open(folder)
    before = {side: trainer._prepared().weights.rows(side) for side in ("words", "contexts")}
    again = dataclasses.replace(trainer, epochs=2, learning_rate=0.025)
    texts = ["new w1 w2 new"] * 20
    done = train_to_folder(again, texts, folder, reading=READING, update=folder)
    new = WordVectors.open(folder)
    assert list(new.words) == [*old.words, "new"]
    assert done.losses[1] < done.losses[0]
    still = [row for row, word in enumerate(old.words) if word not in ("w1", "w2")]
    assert np.array_equal(new.vectors[still], old.vectors[still])
    moved = new.rows(["w1", "w2"])
    assert not np.array_equal(new.vectors[moved], old.vectors[moved])
    assert old.counts is not None
    assert new.counts is not None
    assert new.counts[moved[0]] == old.counts[moved[0]] + 20
    assert new.counts[-1] == 40
    # half the rate, and the squares of all gradients so far
    after = again._prepared().weights.rows("words")[still, 1, :8]
    assert np.allclose(after, before["words"][still, 1, :8] / 2)


def test_update_with_far_fewer_texts_is_no_divergence(tmp_path: Path) -> None:
    """Words that stood together 5,000 times now stand together once: the first loss is large, and right."""
    folder = tmp_path / "model"
    train_to_folder(GloVeTrainer(dimension=8), ["a b c d e"] * 5000, folder, reading=READING)
    again = GloVeTrainer(dimension=8, epochs=3)
    losses = train_to_folder(again, ["e d c b a"], folder, reading=READING, update=folder).losses
    assert losses[0] > again._prepared().ceiling / 100
    assert losses[2] < losses[0]


def test_update_with_another_dimension(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    train_to_folder(GloVeTrainer(dimension=8, epochs=1), sentences(), folder, reading=READING)
    with pytest.raises(
        EmbeddingError, match=r"trained with dimension=8, dimension=9 is asked for; give dimension=8"
    ):
        train_to_folder(
            GloVeTrainer(dimension=9, epochs=1), sentences(), folder, reading=READING, update=folder
        )


def test_update_with_texts_of_unknown_words(corpus: TokenCorpus, tmp_path: Path) -> None:
    empty = dataclasses.replace(corpus, tokens=np.zeros(0, np.int32), offsets=np.zeros(3, np.int64))
    with pytest.raises(EmbeddingError, match="none of the words that are to be learnt"):
        prepared(empty, tmp_path)


def test_two_words(tmp_path: Path) -> None:
    """x = 2 both ways: with weights of 1 both vectors come to fit log 2."""
    corpus = TokenCorpus.read(["a b", "b a"], tmp_path, tokenizer("whitespace"), min_count=1)
    trainer = prepared(corpus, tmp_path, window=1000, x_max=2.0, epochs=200)
    losses = [trainer.round(number, quiet) for number in range(200)]
    assert losses[0] == pytest.approx(np.log(2) ** 2 / 2, rel=0.3)
    assert losses[-1] < 1e-5
    plain = reference(trainer._prepared().weights)
    assert plain.error(0, 1, 2.0) == pytest.approx(0, abs=5e-3)


def test_one_word_is_refused(corpus: TokenCorpus, tmp_path: Path) -> None:
    one = dataclasses.replace(corpus, words=["a"], counts=np.array([5]))
    with pytest.raises(EmbeddingError, match="the corpus has 1 word; two are needed"):
        prepared(one, tmp_path)


def test_a_learning_rate_that_explodes(corpus: TokenCorpus, tmp_path: Path) -> None:
    for rate in (100.0, 1e6, 1e30):
        with pytest.raises(EmbeddingError, match=r"diverged.*lower the learning rate"):
            train_to_folder(
                GloVeTrainer(dimension=10, learning_rate=rate),
                sentences(),
                tmp_path / f"{rate}",
                reading=READING,
            )


class WithNaN(GloVeTrainer):
    """One weight is no number before each epoch."""

    def round(self, number: int, tell: Tell) -> float:
        self.arrays()["words"][0, 0, 0, 0] = np.nan
        return super().round(number, tell)


def test_a_weight_that_is_no_number_is_told(tmp_path: Path) -> None:
    with pytest.raises(EmbeddingError, match=r"training glove diverged: words is NaN or infinite"):
        train_to_folder(WithNaN(dimension=4, epochs=1), sentences(20), tmp_path / "new", reading=READING)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("damage", ["gone", "short", "flat"])
@pytest.mark.parametrize("name", ["words", "contexts"])
def test_an_update_from_arrays_of_other_shapes(
    corpus: TokenCorpus, tmp_path: Path, name: str, damage: str
) -> None:
    old = prepared(corpus, tmp_path)
    arrays = copied(old)
    if damage == "gone":
        del arrays[name]
    else:
        arrays[name] = arrays[name][:-1] if damage == "short" else arrays[name].reshape(-1)
    with pytest.raises(CorruptError, match=f"has {name} of shape"):
        prepared(corpus, tmp_path, Start(old.result(), arrays, old.meta()))
    with pytest.raises(CorruptError, match="has no learning_rate"):
        prepared(corpus, tmp_path, Start(old.result(), copied(old), {}))


def test_the_first_loss_is_measured_by_few_pairs(
    corpus: TokenCorpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All tiles have up to four pairs here, and the first of all is taken alone: (w·c + b + b' - log x)² + 1."""
    monkeypatch.setattr("ragembed.embed.words.train.glove.trainer._SAMPLE", 1)
    training = prepared(corpus, tmp_path)._prepared()
    word, context, inside = training.tiles.pairs(0, 0)
    assert len(word) > 1
    row = training.weights.rows("words")[word[0], 0]
    column = training.weights.rows("contexts")[context[0], 0]
    error = float(row @ column) - float(training.tiles.logs[inside][0])
    expected = 10 * float(training.tiles.weights[inside][0]) * (error**2 + 1) / 2
    assert training.ceiling == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    "option",
    [
        {"dimension": 0},
        {"window": 0},
        {"epochs": 0},
        {"workers": 0},
        {"memory": 0},
        {"x_max": 0.0},
        {"learning_rate": float("nan")},
        {"learning_rate": 1e300},
        {"x_max": 1e39},
        {"alpha": 1e39},
        {"alpha": -1.0},
        {"contexts": "mean"},
        {"seed": -1},
    ],
)
def test_settings_that_make_no_sense(option: dict[str, Any]) -> None:
    with pytest.raises(SpecError, match=f"{next(iter(option))}="):
        GloVeTrainer(**option)


def test_before_prepare() -> None:
    with pytest.raises(EmbeddingError, match="no corpus yet; call prepare first"):
        GloVeTrainer().result()


def test_without_numba(corpus: TokenCorpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "numba", None)
    with pytest.raises(MissingExtraError, match=r"training glove needs numba.*ragembed\[words\]"):
        prepared(corpus, tmp_path)
    with pytest.raises(MissingExtraError):
        require("numba", "words", "training glove")
