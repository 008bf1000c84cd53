"""Small indexes to ask, and an embedder that reads only the first words of a text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import pytest

from ragembed import Document, Pipeline
from ragembed.embed import EMBEDDERS
from ragembed.embed.base import Dense, Embedder, Kind
from ragembed.embed.random_projection import RandomProjection
from ragembed.tokens import tokenizer

LIMIT = 8


@dataclass
class Short(Embedder):
    """A random projection of the first eight words: a stand-in for a transformer with a limit."""

    name: ClassVar[str] = "short"
    kind: ClassVar[Kind] = "dense"
    _inner: RandomProjection = field(
        default_factory=lambda: RandomProjection(dimension=512, language="english"), init=False, repr=False
    )

    @property
    def dimension(self) -> int:
        return self._inner.dimension

    @property
    def max_tokens(self) -> int:
        return LIMIT

    @property
    def tokenizer_name(self) -> str:
        return "words"

    def embed(self, texts: Sequence[str]) -> Dense:
        return self._inner.embed([_first(text) for text in texts])


def _first(text: str) -> str:
    starts = tokenizer("words").starts(text)
    return text if len(starts) <= LIMIT else text[: starts[LIMIT]]


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> str:
    """The spec of `Short`, registered."""
    monkeypatch.setitem(EMBEDDERS.entries, "short", "conftest:Short")
    monkeypatch.setattr(
        EMBEDDERS, "load", lambda name, load=EMBEDDERS.load: Short if name == "short" else load(name)
    )
    return "short"


@pytest.fixture
def make(made: Callable[..., Pipeline]) -> Callable[..., Pipeline]:
    """Makes an index of texts or documents, by BM25 unless it is told otherwise."""

    def by_bm25(
        texts: Sequence[str | Document], embedder: str = "bm25(language=english)", chunker: str = "whole"
    ) -> Pipeline:
        return made(texts, embedder, chunker)

    return by_bm25


@pytest.fixture
def animals() -> list[str]:
    """Twelve texts: the first is about foxes, three have the word fox, the others have not."""
    return [
        "The red fox hunts mice at night. Foxes live in dens.",
        "A fox crossed the road.",
        "The fox and the grapes is a fable about a fox, a fox that jumps, and sour grapes.",
        *(f"Bees visit the meadow number {number} in summer and make honey." for number in range(9)),
    ]
