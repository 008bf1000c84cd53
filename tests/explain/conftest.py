"""Small indexes to ask, and an embedder that reads only the first words of a text."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal

import pytest

from ragembed import Document, Pipeline
from ragembed.embed import EMBEDDERS
from ragembed.embed.base import Dense, Embedder
from ragembed.embed.random_projection import RandomProjection
from ragembed.tokens import tokenizer

LIMIT = 8


@dataclass
class Short(Embedder):
    """A random projection of the first eight words: a stand-in for a transformer with a limit."""

    name: ClassVar[str] = "short"
    kind: ClassVar[Literal["dense", "sparse"]] = "dense"
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


Make = Callable[..., Pipeline]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Makes an index of texts, as documents d0, d1 ..., or of the documents that are given."""
    with ExitStack() as stack:

        def made(
            texts: Sequence[str | Document], embedder: str = "bm25(language=english)", chunker: str = "whole"
        ) -> Pipeline:
            folder = tmp_path / f"{len(list(tmp_path.iterdir()))}.index"
            pipeline = stack.enter_context(Pipeline.create(folder, embedder=embedder, chunker=chunker))
            pipeline.add(
                [t if isinstance(t, Document) else Document(f"d{i}", t) for i, t in enumerate(texts)]
            )
            return pipeline

        yield made


@pytest.fixture
def animals() -> list[str]:
    """Twelve texts: the first is about foxes, three have the word fox, the others have not."""
    return [
        "The red fox hunts mice at night. Foxes live in dens.",
        "A fox crossed the road.",
        "The fox and the grapes is a fable about a fox, a fox that jumps, and sour grapes.",
        *(f"Bees visit the meadow number {number} in summer and make honey." for number in range(9)),
    ]
