"""What the trainers that run on gensim's compiled loops share: settings, epochs, checkpoints, going on from a model.

gensim holds the weights and does the arithmetic. Texts reach it in files of our own (`lines`), an epoch at a
time (`epoch`), and the loss is measured by a fixed sample (`loss`). With one worker the weights are those
of one call of gensim's ``train`` over the same file, to the last bit.
"""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ragembed.embed.base import Dense
from ragembed.embed.words.corpus import TokenCorpus
from ragembed.embed.words.train.base import Arrays, Start, Tell, Trainer
from ragembed.embed.words.train.checks import LARGEST, expect
from ragembed.embed.words.train.on_gensim.epoch import run_epoch
from ragembed.embed.words.train.on_gensim.lines import Shard, write_lines
from ragembed.embed.words.train.on_gensim.loss import LossSample, Rows
from ragembed.embed.words.vectors import WordVectors
from ragembed.errors import EmbeddingError
from ragembed.extras import require
from ragembed.threads import available_threads

_DIVERGED = 10.0
"""A loss so many times that of weights of zeros is one of a training that diverged: gensim bounds its steps, so that
weights grow without end rather than to NaN."""
_MOST = 1 << 30
"""Of dimensions, words of a window, epochs and workers: gensim holds some of them in 32 bits."""
_MOST_NOISE = 1_000
_MOST_NUMBERS = 1 << 31
"""Numbers in one table of weights: gensim's loops count them in 32 bits."""


@dataclass
class _Training:
    """A training under way."""

    corpus: TokenCorpus
    model: Any
    """gensim's Word2Vec or FastText, which holds the weights."""
    counts: NDArray[np.int64]
    """``(words,)``, those of an earlier model's corpus too."""
    shards: list[Shard]
    sample: LossSample
    vocabulary: Any
    """gensim's table of the words, for its compiled loops."""
    loss: float | None = None
    seconds: float | None = None
    """What the last epoch took."""


@dataclass(kw_only=True)
class GensimTrainer(Trainer):
    """The settings of word2vec, and all of its training but the input vectors."""

    dimension: int = 100
    """Numbers in a vector."""
    window: int = 5
    """Words looked at on each side, at most: each time a number from 1 to this is drawn."""
    skipgram: bool = True
    """Predict each word beside from the word in the middle; if not, the word in the middle from all beside (CBOW)."""
    negative: int | None = None
    """Noise words drawn for each pair; none: 5, or 0 with hierarchical softmax."""
    hierarchical_softmax: bool = False
    """Predict words along the paths of a Huffman tree."""
    sample: float = 1e-3
    """Words with a larger share of the corpus than this are dropped now and then; 0 drops none."""
    learning_rate: float | None = None
    """None: 0.025, or 0.05 for CBOW, as in word2vec's own program."""
    min_learning_rate: float = 0.0001
    """Where the rate gets to at the end, in a straight line."""
    update_rate: float = 0.4
    """The share of `learning_rate` that going on from an earlier model begins with."""
    epochs: int = 5
    seed: int = 1
    workers: int | None = None
    """Threads; none: one for each core. Only with one are the vectors the same each time."""
    _training: _Training | None = field(init=False, default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        whole = ("dimension", "window", "epochs", *(("workers",) if self.workers is not None else ()))
        for name in whole:
            value = getattr(self, name)
            expect(1 <= value <= _MOST, f"{name}={value}", f"a number from 1 to {_MOST}")
        rate, least = self.first_rate, self.min_learning_rate
        rates = f"learning_rate={rate:g}, min_learning_rate={least:g}"
        expect(
            0 < least <= rate <= LARGEST,
            rates,
            f"two numbers above 0, at most {LARGEST:.2g}, the second no larger",
        )
        expect(0 < self.update_rate <= 1, f"update_rate={self.update_rate:g}", "a share above 0, at most 1")
        expect(0 <= self.sample < 1, f"sample={self.sample:g}", "a share from 0, below 1")
        expect(0 <= self.seed < 1 << 32, f"seed={self.seed}", "a number from 0 to 4294967295")
        expect(
            0 <= self.noise_words <= _MOST_NOISE,
            f"negative={self.negative}",
            f"a number from 0 to {_MOST_NOISE}",
        )
        expect(
            self.noise_words > 0 or self.hierarchical_softmax,
            "negative=0 without hierarchical_softmax",
            "one of the two: without both nothing is learnt",
        )

    @property
    def noise_words(self) -> int:
        """`negative`, or what it is by default."""
        return (0 if self.hierarchical_softmax else 5) if self.negative is None else self.negative

    @property
    def first_rate(self) -> float:
        """`learning_rate`, or what it is by default."""
        return (0.025 if self.skipgram else 0.05) if self.learning_rate is None else self.learning_rate

    @property
    def rounds(self) -> int:
        """Epochs."""
        return self.epochs

    @abstractmethod
    def _new_model(self, options: Mapping[str, Any]) -> Any:
        """gensim's model of this method."""

    @abstractmethod
    def _fill(self, model: Any, start: Start | None) -> None:
        """Give `model`, which has its words, input vectors: random ones, or those of `start` and random new ones."""

    @abstractmethod
    def _input_arrays(self, model: Any) -> Arrays:
        """The weights that `_fill` made."""

    @abstractmethod
    def _inputs(self, model: Any, rows: Rows) -> tuple[Dense, NDArray[np.float32]]:
        """Input vectors of words, as `ragembed.embed.words.train.on_gensim.loss.Inputs`."""

    @abstractmethod
    def _epoch(self, training: Any, shard: Shard, number: int, work: Dense, hidden: Dense) -> None:
        """Train on `shard` in gensim's compiled loop."""

    def prepare(self, corpus: TokenCorpus, folder: Path, start: Start | None, tell: Tell) -> None:
        """Write the corpus for gensim and make its model, the words in the order of `corpus`."""
        require("gensim", "words", f"training {self.name}")
        compiled = require("gensim.models.word2vec_corpusfile", "words", f"training {self.name}")
        if not len(corpus.tokens):
            raise EmbeddingError(
                "the corpus holds none of the words that are to be learnt",
                "give other texts, or a lower min_count",
            )
        counts = corpus.counts.copy()
        if start is not None and start.vectors.counts is not None:
            counts[: len(start.vectors)] += start.vectors.counts
        counts = np.maximum(counts, 1)
        workers = self.workers or available_threads()
        shards = write_lines(corpus, folder, workers, tell)
        model = self._model(corpus.words, counts, start)
        sample = LossSample.draw(
            corpus,
            kept=model.wv.expandos["sample_int"] / np.float64(2**32 - 1),
            noise=model.cum_table if self.noise_words else np.ones(1, np.uint32),
            window=self.window,
            negative=self.noise_words,
            skipgram=self.skipgram,
            seed=self.seed,
        )
        if not len(sample.outputs):
            raise EmbeddingError(
                "no word of the corpus has another one beside it",
                "give longer texts: one to a document, not a word",
            )
        vocabulary = compiled.CythonVocab(model.wv, hs=model.hs, fasttext=self.name == "fasttext")
        self._training = _Training(corpus, model, counts, shards, sample, vocabulary)

    def _model(self, words: list[str], counts: NDArray[np.int64], start: Start | None) -> Any:
        """gensim's model with its words, its tables and its weights."""
        rate = self.first_rate * (1 if start is None else self.update_rate)
        check_size("word vectors", len(words), self.dimension)
        model = self._new_model(
            {
                "vector_size": self.dimension,
                "window": self.window,
                "sg": int(self.skipgram),
                "negative": self.noise_words,
                "hs": int(self.hierarchical_softmax),
                "sample": self.sample,
                "alpha": rate,
                "min_alpha": min(self.min_learning_rate, rate),
                "epochs": self.epochs,
                "seed": self.seed,
                "workers": 1,  # each has a file of its own, and counts only that
                "min_count": 1,
                "sorted_vocab": 0,
            }
        )
        model.raw_vocab = dict(zip(words, counts.tolist(), strict=True))
        model.prepare_vocab()
        if not (self.sample or self.noise_words):
            model.sample = (
                1.0  # gensim seeds no random numbers otherwise, but draws windows by them; none is dropped
            )
        old = 0 if start is None else len(start.vectors)
        if start is not None and start.vectors.dimension != self.dimension:
            raise EmbeddingError(
                f"the model has {start.vectors.dimension} dimensions, {self.dimension} are asked for",
                f"give dimension={start.vectors.dimension}",
            )
        self._fill(model, start)
        for name, used in (("syn1neg", model.negative), ("syn1", model.hs)):
            if used:
                weights = np.zeros((len(words), self.dimension), np.float32)
                # the tree changes with the counts, and what its inner nodes knew with it
                if start is not None and name in start.arrays and name != "syn1":
                    weights[:old] = start.array(name, (old, self.dimension))
                setattr(model, name, weights)
        return model

    def round(self, number: int, tell: Tell) -> float:
        """One epoch."""
        from gensim.matutils import zeros_aligned

        training = self._prepared()
        stage = f"epoch {number + 1} of {self.epochs}"
        began = time.perf_counter()
        tell(stage, 0.0, training.loss)

        def work(shard: Shard) -> None:
            # on cache lines of their own: two threads that write to one line slow each other down
            self._epoch(
                training, shard, number, *(zeros_aligned(self.dimension, np.float32) for _ in range(2))
            )

        try:
            run_epoch(
                work, training.shards, lambda share: tell(stage, share, training.loss), training.seconds
            )
        except BaseException:
            self._training = None  # half an epoch is nothing to go on from
            raise
        training.seconds = time.perf_counter() - began
        training.loss = training.sample.mean(training.model, lambda rows: self._inputs(training.model, rows))
        untrained = training.sample.untrained(training.model)
        if training.loss > _DIVERGED * untrained:
            raise EmbeddingError(
                f"training {self.name} diverged: its loss is {training.loss:.3g}, untrained it was {untrained:.3g}",
                f"lower learning_rate, which is {training.model.alpha:g}",
            )
        tell(stage, 1.0, training.loss)
        return training.loss

    def arrays(self) -> Arrays:
        """Input and output weights."""
        model = self._prepared().model
        outputs = {name: getattr(model, name) for name in ("syn1neg", "syn1") if hasattr(model, name)}
        return {**self._input_arrays(model), **outputs}

    def meta(self) -> dict[str, Any]:
        """The state of the random numbers."""
        name, keys, position, *rest = self._prepared().model.random.get_state()
        return {"random": [name, keys.tolist(), position, *rest]}

    def restore(self, arrays: Arrays, meta: Mapping[str, Any]) -> None:
        """Copy the weights of a checkpoint into gensim's model."""
        for name, array in self.arrays().items():
            array[...] = arrays[name]
        name, keys, *rest = meta["random"]
        self._prepared().model.random.set_state((name, np.array(keys, np.uint32), *rest))

    def _prepared(self) -> _Training:
        if self._training is None:
            raise EmbeddingError(f"the {self.name} trainer has no corpus yet", "call prepare first")
        return self._training

    def _result(self, vectors: Dense, **more: Any) -> WordVectors:
        """The words with `vectors`, and what is known of them."""
        training = self._prepared()
        gensim = require("gensim", "words", f"training {self.name}")
        info = {"method": self.name, "gensim": gensim.__version__, **more.pop("info", {})}
        return WordVectors(training.corpus.words, vectors, counts=training.counts, info=info, **more)


def check_size(what: str, rows: int, dimension: int) -> None:
    """Raise `EmbeddingError` where a table of weights is larger than gensim's loops can count."""
    if rows * dimension >= _MOST_NUMBERS:
        raise EmbeddingError(
            f"{rows:,} {what} of {dimension} dimensions are more than the {_MOST_NUMBERS:,} numbers that gensim counts",
            "lower dimension, or take fewer words (max_words)",
        )
