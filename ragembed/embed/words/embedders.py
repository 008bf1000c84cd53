"""``word2vec``, ``glove``, ``fasttext``: `WordEmbedder` by three trainers. With `path` any of them reads any model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from ragembed.embed.words.embedder import WordEmbedder

_SMALL: Mapping[str, Any] = {"window": 15, "sample": 1e-4, "epochs": 30, "min_count": 2, "workers": 1}
"""For a corpus of some 100,000 words, chosen on CISI and MED; with one worker the vectors are the same each time."""
_NEAR: Mapping[str, Any] = {
    "window": 30,
    "distance_weighting": False,
    "x_max": 2.0,
    "epochs": 60,
    "min_count": 2,
}
"""What a passage is about shows in words that are far apart, too: with weights by distance it finds a fifth less."""


@dataclass(eq=False, kw_only=True)
class _Predicting(WordEmbedder):
    """What word2vec and fastText share."""

    defaults: ClassVar[Mapping[str, Any]] = _SMALL

    skipgram: bool | None = None
    """Predict the words beside from each word; if not, each word from those beside (CBOW)."""
    negative: int | None = None
    """Noise words drawn for each pair."""
    hierarchical_softmax: bool | None = None
    """Predict words along the paths of a Huffman tree, without noise words."""
    sample: float | None = None
    """Words with a larger share of the corpus than this are dropped now and then; 0 drops none."""
    learning_rate: float | None = None
    """Of the first step; it falls in a straight line."""


@dataclass(eq=False, kw_only=True)
class Word2Vec(_Predicting):
    """Vectors that predict the words beside (Mikolov et al. 2013)."""

    name: ClassVar[str] = "word2vec"


@dataclass(eq=False, kw_only=True)
class GloVe(WordEmbedder):
    """Vectors whose products are logarithms of co-occurrences (Pennington, Socher & Manning 2014)."""

    name: ClassVar[str] = "glove"
    defaults: ClassVar[Mapping[str, Any]] = _NEAR

    x_max: float | None = None
    """Pairs that stand together this often, or more often, weigh 1."""
    alpha: float | None = None
    """Rarer ones weigh (x / x_max) to this power."""
    distance_weighting: bool | None = None
    """A neighbour at distance d counts 1/d, or 1."""
    learning_rate: float | None = None
    """Of AdaGrad."""


@dataclass(eq=False, kw_only=True)
class FastText(_Predicting):
    """As ``word2vec``, with vectors of character n-grams, so that any word has one (Bojanowski et al. 2017)."""

    name: ClassVar[str] = "fasttext"

    minn: int | None = None
    """Characters of the shortest n-grams."""
    maxn: int | None = None
    """Characters of the longest n-grams."""
    buckets: int | None = None
    """Numbers that n-grams are hashed to."""
