"""A small index to take steps in, and an embedder whose vectors a reader can choose."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest

from ragembed import Document, Pipeline
from ragembed.embed import EMBEDDERS
from ragembed.embed.base import Dense, Embedder, Kind


@dataclass
class Compass(Embedder):
    """The vector of a text is the sum of the directions that it names: ``north`` is (0, 1), ``east`` (1, 0) ..."""

    name: ClassVar[str] = "compass"
    kind: ClassVar[Kind] = "dense"
    directions: ClassVar[dict[str, tuple[float, float]]] = {
        "north": (0, 1),
        "east": (1, 0),
        "south": (0, -1),
        "west": (-1, 0),
    }

    @property
    def dimension(self) -> int:
        return 2

    def embed(self, texts: Sequence[str]) -> Dense:
        vectors = np.zeros((len(texts), 2), np.float32)
        for vector, text in zip(vectors, texts, strict=True):
            for word in text.lower().split():
                vector += self.directions.get(word, (0, 0))
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        return np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)


@pytest.fixture
def compass(monkeypatch: pytest.MonkeyPatch) -> str:
    """The spec of `Compass`, registered."""
    monkeypatch.setitem(EMBEDDERS.entries, "compass", "conftest:Compass")
    monkeypatch.setattr(
        EMBEDDERS, "load", lambda name, load=EMBEDDERS.load: Compass if name == "compass" else load(name)
    )
    return "compass"


@pytest.fixture
def make(made: Callable[..., Pipeline]) -> Callable[..., Pipeline]:
    """Makes an index of texts or documents, by BM25 unless it is told otherwise."""

    def by_bm25(
        texts: Sequence[str | Document], embedder: str = "bm25(language=none)", chunker: str = "whole"
    ) -> Pipeline:
        return made(texts, embedder, chunker)

    return by_bm25
