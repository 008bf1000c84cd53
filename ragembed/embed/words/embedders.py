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
class Word2Vec(WordEmbedder):
    """Vectors that predict the words beside (Mikolov et al. 2013)."""

    name: ClassVar[str] = "word2vec"
    defaults: ClassVar[Mapping[str, Any]] = _SMALL

    skipgram: bool | None = None
    """Predict the words beside from each word; if not, each word from those beside (CBOW)."""


@dataclass(eq=False, kw_only=True)
class GloVe(WordEmbedder):
    """Vectors whose products are logarithms of co-occurrences (Pennington, Socher & Manning 2014)."""

    name: ClassVar[str] = "glove"
    defaults: ClassVar[Mapping[str, Any]] = _NEAR


@dataclass(eq=False, kw_only=True)
class FastText(WordEmbedder):
    """As ``word2vec``, with vectors of character n-grams, so that any word has one (Bojanowski et al. 2017)."""

    name: ClassVar[str] = "fasttext"
    defaults: ClassVar[Mapping[str, Any]] = _SMALL

    skipgram: bool | None = None
    """Predict the words beside from each word; if not, each word from those beside (CBOW)."""
    minn: int | None = None
    """Characters of the shortest n-grams."""
    maxn: int | None = None
    """Characters of the longest n-grams."""
