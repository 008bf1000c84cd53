"""An embedder of a third party, as it were: it knows the vectors of all texts already, so that only the index works.

Text ``7 ...`` has the vector of row 7 of ``documents.npy`` in the folder it is given, ``?7 ...`` that of row 7 of
``queries.npy``.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from ragembed.embed import EMBEDDERS
from ragembed.embed.base import Dense, Embedder, Kind, normalized

DIMENSION = 384


@dataclass
class Stored(Embedder):
    """Looks vectors up in the folder `target`."""

    name: ClassVar[str] = "stored"
    kind: ClassVar[Kind] = "dense"
    target: str

    @property
    def dimension(self) -> int:
        return int(self._documents.shape[1])

    @functools.cached_property
    def _documents(self) -> Dense:
        return np.asarray(np.load(Path(self.target, "documents.npy"), mmap_mode="r"))

    @functools.cached_property
    def _queries(self) -> Dense:
        return np.asarray(np.load(Path(self.target, "queries.npy")))

    def embed(self, texts: Sequence[str]) -> Dense:
        found = np.zeros((len(texts), self.dimension), np.float32)
        for number, text in enumerate(texts):
            which = text.split(maxsplit=1)[0]
            if which.startswith("?"):
                found[number] = self._queries[int(which[1:])]
            elif which.isdecimal():  # any other text, such as those an index probes with, is the vector 0
                found[number] = self._documents[int(which)]
        return found


def register() -> None:
    """Make the spec ``stored:FOLDER`` known."""
    EMBEDDERS.entries["stored"] = f"{Stored.__module__}:Stored"


def make(folder: Path, documents: int, queries: int, seed: int = 1) -> tuple[Dense, Dense]:
    """Random unit vectors in `folder`, for `register`; the documents are mapped, not held in memory."""
    rng = np.random.default_rng(seed)
    shape = (documents, DIMENSION)
    stored = np.lib.format.open_memmap(folder / "documents.npy", "w+", np.float32, shape)
    for start in range(0, documents, 10_000):
        size = min(10_000, documents - start)
        stored[start : start + size] = normalized(rng.standard_normal((size, DIMENSION), np.float32))
    stored.flush()
    asked = normalized(rng.standard_normal((queries, DIMENSION), np.float32))
    np.save(folder / "queries.npy", asked)
    return np.asarray(stored), asked


def sentences(count: int, seed: int = 2) -> Iterator[str]:
    """Texts of twenty words from a vocabulary of 50,000 under Zipf's law."""
    rng = np.random.default_rng(seed)
    words = np.array([f"w{number}" for number in range(50_000)])
    share = 1 / np.arange(10, 50_010)
    for start in range(0, count, 10_000):
        drawn = words[rng.choice(len(words), (min(10_000, count - start), 20), p=share / share.sum())]
        yield from map(" ".join, drawn)
