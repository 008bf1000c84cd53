"""Training ELMo: a language model that predicts each word from those before it, and from those after it.

Truncated back-propagation through time over lanes of text, as in section 3.1 of Peters et al. 2018 and in
Jozefowicz, Vinyals, Schuster, Shazeer & Wu 2016, "Exploring the limits of language modeling".
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ragembed.embed.elmo.bilstm import Memory
from ragembed.embed.elmo.files import ElmoFiles
from ragembed.embed.elmo.initial import initial_softmax, initial_weights
from ragembed.embed.elmo.language_model import ROWS_BEFORE, SOFTMAX, SOFTMAX_BIAS, LanguageModel
from ragembed.embed.elmo.model import Elmo
from ragembed.embed.elmo.options import Options
from ragembed.embed.elmo.sentences import mark
from ragembed.embed.elmo.softmax import Sampler
from ragembed.embed.elmo.state import gathered, grown, scattered
from ragembed.embed.elmo.streams import Streams, sentence_starts
from ragembed.embed.elmo.weights import shapes
from ragembed.embed.words.corpus import TokenCorpus
from ragembed.embed.words.tokens import CasedTokenizer
from ragembed.embed.words.train.base import Arrays, Start, Tell, Trainer
from ragembed.embed.words.train.checks import LARGEST, expect
from ragembed.embed.words.train.reading import Reading
from ragembed.embed.words.vectors import WordVectors
from ragembed.errors import EmbeddingError, SpecError
from ragembed.extras import require
from ragembed.threads import wait_calmly

if TYPE_CHECKING:
    from torch import Tensor

FILTERS = (64, 128, 256, 512, 1024, 2048)
_RATES = {"adam": 0.002, "adagrad": 0.2}
_SLOWEST = 0.05
"""Share of the learning rate that is left at the end."""
_DIVERGED = 10.0
"""A loss so many times that of an untrained model learns nothing: clipped gradients seldom end in NaN."""
_HELD_SHARE = 20
"""At most one token in so many is held out."""


@dataclass(kw_only=True)
class ElmoTrainer(Trainer):
    """A character CNN and LSTM layers in both directions, from one's own texts."""

    name: ClassVar[str] = "elmo"
    fixed: ClassVar[tuple[str, ...]] = ("dimension", "cells", "layers", "filters", "highways")

    dimension: int = 256
    """Length of a token's vector, both directions together."""
    cells: int = 512
    """Memory cells of an LSTM layer."""
    layers: int = 2
    """LSTM layers of each direction."""
    filters: int = 512
    """Filters over characters: 64, 128 ... 2048. 32 are of width 1 and 2 each, twice as many of each further width."""
    highways: int = 1
    """Highway layers over the filters."""
    vocabulary: int = 20_000
    """Words that are predicted, the most frequent; others are read, but predicted as one unknown word."""
    samples: int = 2048
    """Words drawn for each batch to compare with, where more are predicted; 0: always all."""
    epochs: int = 5
    """Times that the corpus is read."""
    batch_size: int = 32
    """Places of the corpus that are read side by side."""
    bptt: int = 20
    """Words after which the gradient is cut off; what the model remembers goes on."""
    optimizer: str = "adam"
    """``adam`` or ``adagrad``."""
    learning_rate: float | None = None
    """Falls to a twentieth in the course; none: 0.002 for adam, 0.2 for adagrad."""
    max_grad_norm: float = 5.0
    """Longest gradient."""
    dropout: float = 0.1
    """Share of the numbers between layers that is left out while training."""
    held_out: int = 20_000
    """Tokens at the end of the corpus, a twentieth of it at most, that only judge: losses are theirs. 0: none."""
    seed: int = 0
    """Of all that is random."""
    _model: LanguageModel | None = field(default=None, init=False, repr=False)
    _optimizer: Any = field(default=None, init=False, repr=False)
    _corpus: TokenCorpus | None = field(default=None, init=False, repr=False)
    _counts: NDArray[np.int64] = field(init=False, repr=False, compare=False)
    _train: Streams | None = field(default=None, init=False, repr=False)
    _judge: Streams | None = field(default=None, init=False, repr=False)
    _perplexities: list[float] = field(default_factory=list, init=False, repr=False)
    _unigram: float | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        ones = ("cells", "layers", "epochs", "batch_size", "bptt", "vocabulary")
        for name in ones:
            if getattr(self, name) < 1:
                raise SpecError(f"{name} is {getattr(self, name)}", "give 1 or more")
        for name in ("highways", "samples", "held_out", "seed"):
            if getattr(self, name) < 0:
                raise SpecError(f"{name} is {getattr(self, name)}", "give 0 or more")
        if self.dimension < 2 or self.dimension % 2:
            raise SpecError(
                f"dimension is {self.dimension}", "give an even number: half of it for each direction"
            )
        if self.filters not in FILTERS:
            raise SpecError(f"filters is {self.filters}", f"give one of {', '.join(map(str, FILTERS))}")
        if self.optimizer not in _RATES:
            raise SpecError(f"there is no optimizer {self.optimizer!r}", f"valid are: {', '.join(_RATES)}")
        rate = 1.0 if self.learning_rate is None else self.learning_rate
        expect(0 <= self.dropout < 1, f"dropout={self.dropout:g}", "a share from 0, below 1")
        for name, value in (("max_grad_norm", self.max_grad_norm), ("learning_rate", rate)):
            expect(0 < value <= LARGEST, f"{name}={value:g}", f"a number above 0, at most {LARGEST:.2g}")

    @property
    def rounds(self) -> int:
        """The epochs."""
        return self.epochs

    @property
    def options(self) -> Options:
        """The sizes of the model."""
        widths = int(math.log2(self.filters // 32)) + 1
        counts = [32, *(32 << number for number in range(widths - 1))]
        return Options(
            char_dimension=16,
            filters=tuple(enumerate(counts, 1)),
            highways=self.highways,
            cells=self.cells,
            projection=self.dimension // 2,
            layers=self.layers,
            cell_clip=3.0,
            proj_clip=3.0,
        )

    def default_reading(self) -> Reading:
        """Case and punctuation kept, and all words: a rare one too has characters."""
        return Reading(tokens=CasedTokenizer.kind, min_count=1)

    def prepare(self, corpus: TokenCorpus, folder: Path, start: Start | None, tell: Tell) -> None:
        """Cut the corpus into sentences, and make the weights."""
        wait_calmly()
        torch = require("torch", "elmo", "training ELMo")
        if corpus.phrases:
            raise EmbeddingError(
                "ELMo reads words letter by letter, and no phrases", "train it with phrases=0"
            )
        self._corpus = corpus
        self._counts = corpus.counts.copy()
        if start is not None and start.vectors.counts is not None:
            self._counts[: len(start.vectors)] += start.vectors.counts
        marks = np.array([mark(word) for word in corpus.words], np.uint8)
        starts = sentence_starts(corpus.tokens, corpus.offsets, marks)
        cut = self._held_from(starts)
        self._train = Streams(corpus.tokens, starts[: cut + 1])
        self._judge = Streams(corpus.tokens, starts[cut:]) if cut + 1 < len(starts) else None
        generator = torch.Generator().manual_seed(self.seed)
        tensors = self._weights(generator, start)
        self._model = LanguageModel(self.options, tensors, corpus.words)
        self._perplexities = []
        self._unigram = None
        if self._judge is not None:
            self._unigram = math.exp(self._model.unigram_loss(self._train, self._judge))
        rate = self.learning_rate or _RATES[self.optimizer]
        parameters = list(tensors.values())
        if self.optimizer == "adagrad":
            # an accumulator of 1 keeps the first steps short, as in the published program
            self._optimizer = torch.optim.Adagrad(
                parameters, lr=rate, initial_accumulator_value=1.0, fused=True
            )
        else:
            self._optimizer = torch.optim.Adam(parameters, lr=rate, fused=True)

    def round(self, number: int, tell: Tell) -> float:
        """One epoch; the loss in nats per word of what was held out, else of what was trained on."""
        import torch

        model, optimizer, streams = self._ready()
        generator = torch.Generator().manual_seed((self.seed << 20) + number + 1)
        rows = len(model.tensors[SOFTMAX])
        sampler = Sampler(rows, self.samples) if 0 < self.samples < rows else None
        lanes = self._lanes(streams)
        memory = Memory.empty(self.options, lanes)
        total, count = 0.0, 0
        pieces = math.ceil(len(streams) // lanes / self.bptt)
        for at, piece in enumerate(streams.pieces(lanes, self.bptt)):
            self._set_rate((number + at / pieces) / self.epochs)
            loss = model.loss(piece, memory, self.dropout, generator, sampler)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.tensors.values(), self.max_grad_norm)
            optimizer.step()
            total += loss.item() * piece.targets.size
            count += piece.targets.size
            self._check(total / count)  # at once, for a round may take an hour
            tell("training", (at + 1) / pieces, total / count)
        if self._judge is None:
            return total / count
        tell("judging", 1.0, total / count)
        held = model.held_out_loss(self._judge, self._lanes(self._judge), self.bptt)
        self._check(held)
        self._perplexities.append(math.exp(min(held, 700.0)))
        return held

    def arrays(self) -> Arrays:
        """Weights, and what the optimizer knows of each."""
        model, optimizer, _ = self._ready()
        return gathered(model.tensors, optimizer)

    def meta(self) -> dict[str, Any]:
        """How many words are predicted, and the perplexities so far beside that of knowing only frequencies."""
        model, _, _ = self._ready()
        return {
            "predicted": model.predicted,
            "perplexities": self._perplexities,
            "unigram_perplexity": self._unigram,
        }

    def restore(self, arrays: Arrays, meta: Mapping[str, Any]) -> None:
        """Back to where `arrays` and `meta` were taken; called after `prepare`."""
        model, optimizer, _ = self._ready()
        scattered(arrays, model.tensors, optimizer)
        self._perplexities = list(meta["perplexities"])

    def result(self) -> WordVectors:
        """Vectors without context of the words that are predicted: the layer below the LSTM."""
        model, _, _ = self._ready()
        assert self._corpus is not None  # as the model
        words = self._corpus.words[: model.predicted]
        vectors = Elmo(self.options, self._arrays()).token_vectors(words)
        return WordVectors(words, vectors, counts=self._counts[: len(words)])

    def save(self, folder: Path, info: Mapping[str, Any]) -> None:
        """Write the model (`ragembed.embed.elmo.files`), and beside it `result` for all that works on word vectors."""
        super().save(folder, info)
        ElmoFiles(self.options, self._arrays(), {**info, **self.meta()}).save(folder)

    def _arrays(self) -> dict[str, Any]:
        model, _, _ = self._ready()
        return {name: model.tensors[name].detach().numpy() for name in shapes(self.options)}

    def _ready(self) -> tuple[LanguageModel, Any, Streams]:
        if self._model is None or self._train is None:
            raise EmbeddingError("the trainer of ELMo has no corpus", "call prepare(corpus, ...) first")
        return self._model, self._optimizer, self._train

    def _check(self, loss: float) -> None:
        """Raise `EmbeddingError` where `loss` is that of a training that diverged."""
        untrained = math.log(len(self._ready()[0].tensors[SOFTMAX]))
        if not loss <= _DIVERGED * untrained:  # nor where it is NaN
            raise EmbeddingError(
                f"training {self.name} diverged: its loss is {loss:.3g}, untrained it was {untrained:.3g}",
                f"lower learning_rate, which is {self.learning_rate or _RATES[self.optimizer]:g}, or max_grad_norm",
            )

    def _held_from(self, starts: Sequence[int] | Any) -> int:
        """Number of the first sentence that is held out; how many there are where none is."""
        tokens = int(starts[-1])
        held = min(self.held_out, tokens // _HELD_SHARE)
        cut = int(np.searchsorted(starts, tokens - held))
        return max(1, min(cut, len(starts) - 1))

    def _lanes(self, streams: Streams) -> int:
        return max(1, min(self.batch_size, len(streams) // self.bptt))

    def _set_rate(self, share: float) -> None:
        rate = (self.learning_rate or _RATES[self.optimizer]) * max(_SLOWEST, 1 - share)
        for group in self._optimizer.param_groups:
            group["lr"] = rate

    def _weights(self, generator: Any, start: Start | None) -> dict[str, Tensor]:
        """New weights, or those of an earlier model with new rows for words that it did not predict."""
        import torch

        assert self._corpus is not None  # set just before
        options = self.options
        earlier = 0 if start is None else int(start.number("predicted"))
        rows = ROWS_BEFORE + max(earlier, min(self.vocabulary, len(self._corpus.words)))
        tensors = initial_weights(options, generator)
        tensors[SOFTMAX] = initial_softmax(rows, options.projection, generator)
        tensors[SOFTMAX_BIAS] = torch.zeros(rows)
        if start is not None:
            before = ROWS_BEFORE + earlier
            grown(start.arrays, tensors, {SOFTMAX: before, SOFTMAX_BIAS: before})
        return tensors
