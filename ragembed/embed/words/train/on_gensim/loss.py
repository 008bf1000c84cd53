"""The loss of a training by word2vec's or fastText's method, measured after each epoch on the same pairs.

gensim's own is a sum in float32, which hardly grows any more after some ten million pairs, and its FastText has none.
Here 20,000 places of the corpus are drawn once, with the words around them as the training takes them (frequent ones
dropped, the window shrunk), and noise words; the loss is the mean over them of what the method minimises (Mikolov et
al. 2013, "Distributed Representations of Words and Phrases and their Compositionality", equation 4):

    -log s(h.v) - sum over the noise words n of log s(-h.n)

where s is the logistic function, v the output vector of the word in the middle, and h the input vector of a word beside
it (skip-gram), or the mean of those of all words beside it (CBOW). With hierarchical softmax it is the negative log
probability of the word's path down the tree. A model that knows nothing has (1 + negative) log 2.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ragembed.embed.base import Dense
from ragembed.embed.words.corpus import TokenCorpus

Rows = NDArray[np.int64]

Inputs: TypeAlias = Callable[[Rows], tuple[Dense, NDArray[np.float32]]]
"""Input vectors of words: sums ``(n, dimension)``, and of how many parts each is the sum ``(n,)``: 1, or n-grams."""

PAIRS = 20_000
_REACH = 100
"""Tokens looked at on each side, at most."""
_AT_ONCE = 2_000
"""Pairs whose vectors are held at once: 5 MB for five noise words of 100 dimensions."""


@dataclass(frozen=True)
class LossSample:
    """Places of a corpus, with the words beside them and noise words."""

    outputs: Rows
    """``(pairs,)``: the word in the middle of each."""
    noise: Rows
    """``(pairs, negative)``; -1 where the word itself was drawn, which training skips."""
    owners: Rows
    """``(beside,)``: to which pair a word beside belongs, rising."""
    beside: Rows
    """``(beside,)``: index into `words`."""
    words: Rows
    """The different words that stand beside."""

    @classmethod
    def draw(
        cls,
        corpus: TokenCorpus,
        *,
        kept: NDArray[np.float64],
        noise: NDArray[np.uint32],
        window: int,
        negative: int,
        skipgram: bool,
        seed: int,
    ) -> LossSample:
        """Draw from `corpus`; `kept`: how likely a token of each word stays; `noise`: gensim's table of noise."""
        random = np.random.default_rng((seed, 20_000))
        places = random.integers(0, len(corpus.tokens), 4 * PAIRS)
        places = np.sort(places[random.random(len(places)) < kept[corpus.tokens[places]]][:PAIRS])
        beside = _beside(corpus, places, kept, window, random)
        if skipgram:
            score = np.where(beside >= 0, random.random(beside.shape), -1.0)
            chosen = score.argmax(axis=1)[:, np.newaxis]
            beside = np.take_along_axis(beside, chosen, axis=1)
        has = (beside >= 0).any(axis=1)
        places, beside = places[has], beside[has]
        outputs = np.asarray(corpus.tokens[places], np.int64)
        drawn = np.searchsorted(noise, random.integers(0, noise[-1], (len(outputs), negative)))
        drawn[drawn == outputs[:, np.newaxis]] = -1
        owners, columns = np.nonzero(beside >= 0)
        words, numbers = np.unique(beside[owners, columns], return_inverse=True)
        return cls(outputs, drawn, owners, numbers, words)

    def mean(self, model: Any, inputs: Inputs) -> float:
        """The loss of gensim's `model`; NaN where no token has another beside it."""
        if not len(self.outputs):
            return float("nan")
        from scipy.sparse import csr_array

        bounds = np.searchsorted(self.owners, np.arange(len(self.outputs) + 1))
        shape = (len(self.outputs), len(self.words))
        bags = csr_array((np.ones(len(self.beside), np.float32), self.beside, bounds), shape=shape)
        sums, parts = inputs(self.words)
        total = 0.0
        with np.errstate(all="ignore"):  # a training that diverged is found by its loss
            hidden = np.asarray((bags @ sums) / (bags @ parts)[:, np.newaxis], np.float32)
            for start in range(0, len(self.outputs), _AT_ONCE):
                part = slice(start, start + _AT_ONCE)
                if model.negative:
                    total += _sampled(model.syn1neg, hidden[part], self.outputs[part], self.noise[part])
                if model.hs:
                    total += _path(model, hidden[part], self.outputs[part])
        return total / len(self.outputs)

    def untrained(self, model: Any) -> float:
        """The loss of `model` if its input vectors were zeros: log 2 for each choice between two."""
        choices = 0
        if model.negative:
            choices += len(self.outputs) + int((self.noise >= 0).sum())
        if model.hs:
            codes = model.wv.expandos["code"]
            choices += sum(len(codes[row]) for row in self.outputs.tolist())
        return choices * math.log(2) / len(self.outputs)


def _beside(
    corpus: TokenCorpus, places: Rows, kept: NDArray[np.float64], window: int, random: np.random.Generator
) -> Rows:
    """The words in the window of each of `places` ``(places, 2 * reach)``, -1 where there is none."""
    reach = min(4 * window, _REACH)
    text = np.searchsorted(corpus.offsets, places, side="right") - 1
    shrunk = random.integers(1, window + 1, len(places))[:, np.newaxis]
    found = []
    for direction in (-1, 1):
        at = places[:, np.newaxis] + direction * np.arange(1, reach + 1)
        inside = (at >= corpus.offsets[text][:, np.newaxis]) & (at < corpus.offsets[text + 1][:, np.newaxis])
        words = np.asarray(corpus.tokens[np.where(inside, at, 0)], np.int64)
        stays = inside & (random.random(at.shape) < kept[words])
        found.append(np.where(stays & (np.cumsum(stays, axis=1) <= shrunk), words, -1))
    return np.concatenate(found, axis=1)


def _sampled(weights: Dense, hidden: Dense, outputs: Rows, noise: Rows) -> float:
    """Sum of the losses of negative sampling."""
    right = np.einsum("pd,pd->p", hidden, weights[outputs]).astype(np.float64)
    wrong = np.einsum("pd,pnd->pn", hidden, weights[noise]).astype(np.float64)
    return float(np.logaddexp(0, -right).sum() + np.logaddexp(0, wrong)[noise >= 0].sum())


def _path(model: Any, hidden: Dense, outputs: Rows) -> float:
    """Sum of the negative log probabilities of the paths to `outputs`."""
    codes, points = model.wv.expandos["code"], model.wv.expandos["point"]
    lengths = np.array([len(codes[row]) for row in outputs.tolist()])
    owners = np.repeat(np.arange(len(outputs)), lengths)
    signs = 1.0 - 2.0 * np.concatenate([codes[row] for row in outputs.tolist()])
    nodes = np.concatenate([points[row] for row in outputs.tolist()]).astype(np.int64)
    products = np.einsum("nd,nd->n", hidden[owners], model.syn1[nodes]).astype(np.float64)
    return float(np.logaddexp(0, -signs * products).sum())
