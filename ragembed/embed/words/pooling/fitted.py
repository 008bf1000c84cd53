"""What pooling learns from a corpus: weights of words and common directions, kept with the index."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ragembed.embed.words.pooling.bags import Bags
from ragembed.embed.words.pooling.common import Common, common_directions
from ragembed.embed.words.pooling.poolings import Pooling, Weights
from ragembed.embed.words.pooling.statistics import CorpusBags
from ragembed.embed.words.vectors import WordVectors
from ragembed.errors import EmbeddingError, SpecError

TENSORS = "pooling.safetensors"
WORDS = "pooling.json"


@dataclass(frozen=True)
class FittedPooling:
    """What `fit` learnt of a corpus."""

    words: list[str]
    """As the vocabulary has them; those made of n-grams as they stand in the texts."""
    weights: Weights
    """``(words,)``"""
    unseen: float
    """What all other words weigh."""
    common: Common
    tokens: int
    """Of the corpus."""
    unknown: int
    """Of which no vector was known."""

    @classmethod
    def of(
        cls, vectors: WordVectors, pooling: Pooling, passages: CorpusBags, directions: int, tokens: int
    ) -> FittedPooling:
        """Count, weigh, then pool all passages to find what they have in common. `tokens` were in the texts."""
        size = vectors.dimension * pooling.parts
        if directions >= size and not pooling.partly:
            raise SpecError(
                f"{directions} directions taken out of vectors of {size} numbers leave nothing", "give fewer"
            )
        statistics = passages.statistics()
        weights, unseen = pooling.weights(statistics)
        table = WeightTable(vectors, statistics.words, weights, unseen)
        blocks = (
            (pooling.pool(vectors, bags, table.of(bags)) for bags in passages.bags()) if directions else ()
        )
        common = common_directions(blocks, size, directions, weighted=pooling.partly)
        return cls(statistics.words, weights, unseen, common, tokens, tokens - passages.known_tokens)

    def only(self, words: Collection[str]) -> FittedPooling:
        """Without all words but these, which weigh what they did."""
        kept = [at for at, word in enumerate(self.words) if word in words]
        return replace(self, words=[self.words[at] for at in kept], weights=self.weights[kept])

    def table(self, vectors: WordVectors) -> WeightTable:
        """The weights by the rows of `vectors`."""
        return WeightTable(vectors, self.words, self.weights, self.unseen)

    @cached_property
    def digest(self) -> str:
        """sha256 of everything."""
        digest = hashlib.sha256(json.dumps([self.words, self.unseen]).encode())
        for name, tensor in self._tensors().items():
            digest.update(f"{name} {tensor.shape}".encode())
            digest.update(tensor.tobytes())
        return digest.hexdigest()

    def save(self, folder: Path) -> None:
        """Write the tensors as safetensors and the words as JSON."""
        from safetensors.numpy import save

        (folder / TENSORS).write_bytes(save(self._tensors()))
        counts = {"tokens": self.tokens, "unknown": self.unknown}
        told = {"words": self.words, "unseen": self.unseen, **counts}
        (folder / WORDS).write_text(json.dumps(told) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path, size: int) -> FittedPooling:
        """What `save` wrote, of vectors of that size; files that do not fit together raise `EmbeddingError`."""
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        try:
            told = json.loads((folder / WORDS).read_text(encoding="utf-8"))
            tensors = load_file(folder / TENSORS)
            common = Common(tensors["directions"], tensors["shares"])
            counts = int(told["tokens"]), int(told["unknown"])
            found = cls(list(told["words"]), tensors["weights"], float(told["unseen"]), common, *counts)
        except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
            raise EmbeddingError(
                f"{folder} holds nothing that pooling has learnt ({error})", "fit and save it again"
            ) from error
        shapes = [found.weights.shape, common.directions.shape]
        wanted = [(len(found.words),), (len(common.shares), size)]
        if shapes != wanted:
            raise EmbeddingError(
                f"{folder} holds what pooling has learnt in shapes {shapes}, not {wanted}",
                "its files belong to different embedders: fit and save it again",
            )
        return found

    def _tensors(self) -> dict[str, NDArray[np.float32]]:
        return {"weights": self.weights, "directions": self.common.directions, "shares": self.common.shares}


class WeightTable:
    """What words weigh, by their rows."""

    def __init__(self, vectors: WordVectors, words: list[str], weights: Weights, unseen: float) -> None:
        """`weights` are those of `words`; all others weigh `unseen`."""
        rows = vectors.rows(words)
        known = rows >= 0
        self._by_row = np.full(len(vectors), unseen, np.float32)
        self._by_row[rows[known]] = weights[known]
        self._made = {words[at]: float(weights[at]) for at in np.flatnonzero(~known).tolist()}
        self._unseen = unseen

    def of(self, bags: Bags) -> Weights:
        """The weight of each of ``bags.ids``."""
        if not bags.made:
            return self._by_row[bags.ids]
        made = np.array([self._made.get(word, self._unseen) for word in bags.made], np.float32)
        plain = bags.ids < len(self._by_row)
        found = np.empty(len(bags.ids), np.float32)
        found[plain] = self._by_row[bags.ids[plain]]
        found[~plain] = made[bags.ids[~plain] - len(self._by_row)]
        return found
