"""FastText (Bojanowski et al. 2017, "Enriching Word Vectors with Subword Information"), on gensim.

gensim gives each of `buckets` a row, though only n-grams of the vocabulary ever reach one. Here only those rows are
held: what is learnt is the same, and 2,000,000 buckets of 100 dimensions cost 78 MB for IMDB's 41,557 words, not 800.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ragembed.embed.base import Dense
from ragembed.embed.words.subwords import Subwords
from ragembed.embed.words.tokens import LONGEST_TOKEN
from ragembed.embed.words.train.base import Arrays, Start
from ragembed.embed.words.train.checks import expect
from ragembed.embed.words.train.on_gensim.lines import Shard
from ragembed.embed.words.train.on_gensim.loss import Rows
from ragembed.embed.words.train.on_gensim.trainer import GensimTrainer, check_size
from ragembed.embed.words.vectors import WordVectors
from ragembed.errors import EmbeddingError

_MOST_BUCKETS = 100_000_000
_BLOCK = 1 << 16
"""Rows made, or words composed, at once."""


@dataclass(kw_only=True)
class FastTextTrainer(GensimTrainer):
    """A vector a word and one a bucket of character n-grams; a word is the mean of its own and theirs."""

    name: ClassVar[str] = "fasttext"
    fixed: ClassVar[tuple[str, ...]] = ("dimension", "minn", "maxn", "buckets")

    minn: int = 3
    """Characters of the shortest n-grams, ``<`` and ``>`` around the word counted."""
    maxn: int = 6
    """Characters of the longest."""
    buckets: int = 2_000_000
    """Buckets that n-grams share by their hash. Those that no word of the corpus reaches cost nothing."""

    def __post_init__(self) -> None:
        super().__post_init__()
        grams = f"minn={self.minn}, maxn={self.maxn}"
        expect(1 <= self.minn <= self.maxn <= LONGEST_TOKEN, grams, f"1 <= minn <= maxn <= {LONGEST_TOKEN}")
        expect(
            1 <= self.buckets <= _MOST_BUCKETS,
            f"buckets={self.buckets}",
            f"a number from 1 to {_MOST_BUCKETS}",
        )

    def result(self) -> WordVectors:
        """The composed vectors of words, and the n-grams, so that other words have vectors too."""
        model = self._prepared().model
        vectors = np.empty_like(model.wv.vectors_vocab)
        for start in range(0, len(vectors), _BLOCK):
            rows = np.arange(start, min(start + _BLOCK, len(vectors)))
            vectors[rows] = self._sums(model, rows) / (1 + _lengths(model, rows))[:, np.newaxis]
        ngrams = model.wv.vectors_ngrams.copy()
        subwords = Subwords(self.minn, self.maxn, self.buckets, ngrams, used=model.wv.buckets_used)
        info = {"subwords": {"buckets": self.buckets, "learnt": len(ngrams)}}
        return self._result(vectors, subwords=subwords, info=info)

    def meta(self) -> dict[str, Any]:
        """The state of the random numbers, and how n-grams find their rows."""
        return {**super().meta(), "subwords": [self.minn, self.maxn, self.buckets]}

    def _new_model(self, options: Mapping[str, Any]) -> Any:
        from gensim.models import FastText

        return FastText(**options, min_n=self.minn, max_n=self.maxn, bucket=self.buckets)

    def _fill(self, model: Any, start: Start | None) -> None:
        from gensim.models.fasttext import ft_ngram_hashes
        from gensim.models.keyedvectors import prep_vectors

        old: Dense | None = None
        if start is not None:
            settings = [self.minn, self.maxn, self.buckets]
            if (earlier := start.meta.get("subwords")) != settings:
                raise EmbeddingError(
                    f"the model has n-grams by minn, maxn, buckets {earlier}, {settings} are asked for",
                    "give those of the model",
                )
            old = np.array(start.array("vectors_vocab", start.vectors.vectors.shape))
        wv = model.wv
        wv.vectors_vocab = prep_vectors((len(wv), self.dimension), prior_vectors=old, seed=self.seed)
        hashes = [ft_ngram_hashes(word, self.minn, self.maxn, self.buckets) for word in wv.index_to_key]
        ends = np.cumsum([0, *map(len, hashes)])
        flat = np.fromiter(chain.from_iterable(hashes), np.int64, int(ends[-1]))
        used, rows = np.unique(flat, return_inverse=True)
        before, ngrams = np.zeros(0, np.int64), np.zeros((0, self.dimension), np.float32)
        if start is not None:
            before = start.array("buckets", (None,))
            ngrams = start.array("ngrams", (len(before), self.dimension))
            used = np.union1d(used, before)
            rows = np.searchsorted(used, flat)
        check_size("buckets of n-grams", len(used), self.dimension)
        rows = rows.astype(np.uint32)
        wv.buckets_used = used
        wv.buckets_word = [rows[begin:end] for begin, end in pairwise(ends.tolist())]
        wv.vectors_ngrams = initial_rows(used, self.buckets, self.dimension, self.seed + 1)
        if len(before):
            wv.vectors_ngrams[np.searchsorted(used, before)] = ngrams

    def _input_arrays(self, model: Any) -> Arrays:
        wv = model.wv
        return {"vectors_vocab": wv.vectors_vocab, "ngrams": wv.vectors_ngrams, "buckets": wv.buckets_used}

    def _inputs(self, model: Any, rows: Rows) -> tuple[Dense, NDArray[np.float32]]:
        lengths = _lengths(model, rows)
        # gensim's skip-gram divides by the n-grams alone while it trains, its CBOW by the word too
        return self._sums(model, rows), np.maximum(lengths, 1) if self.skipgram else lengths + 1

    def _sums(self, model: Any, rows: Rows) -> Dense:
        """The own vectors of words and those of their n-grams, added up ``(rows, dimension)``."""
        from scipy.sparse import csr_array

        buckets: Sequence[NDArray[np.uint32]] = [model.wv.buckets_word[row] for row in rows.tolist()]
        flat = np.concatenate(buckets).astype(np.int32) if len(buckets) else np.zeros(0, np.int32)
        ends = np.cumsum([0, *map(len, buckets)])
        shape = (len(rows), len(model.wv.vectors_ngrams))
        table = csr_array((np.ones(len(flat), np.float32), flat, ends), shape=shape)
        return np.asarray(model.wv.vectors_vocab[rows] + table @ model.wv.vectors_ngrams, np.float32)

    def _epoch(self, training: Any, shard: Shard, number: int, work: Dense, hidden: Dense) -> None:
        from gensim.models.fasttext_corpusfile import train_epoch_cbow, train_epoch_sg

        train = train_epoch_sg if self.skipgram else train_epoch_cbow
        place = (training.model, str(shard.path), 0, training.vocabulary, number)
        train(*place, None, shard.tokens, work, hidden)


def initial_rows(used: Rows, buckets: int, dimension: int, seed: int) -> Dense:
    """The rows `used` of gensim's random ``(buckets, dimension)``, of which no more than a block is made at once."""
    random = np.random.default_rng(seed)
    rows = np.empty((len(used), dimension), np.float32)
    for start in range(0, buckets, _BLOCK):
        block = random.random((min(_BLOCK, buckets - start), dimension), dtype=np.float32)
        first, last = np.searchsorted(used, (start, start + len(block)))
        rows[first:last] = block[used[first:last] - start]
    rows *= 2.0
    rows -= 1.0
    rows /= dimension
    return rows


def _lengths(model: Any, rows: Rows) -> NDArray[np.float32]:
    """How many n-grams each word has."""
    return np.array([len(model.wv.buckets_word[row]) for row in rows.tolist()], np.float32)
