"""Files of word vectors, opened through a cache of their own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ragembed.embed.words import WordVectors, open_word_vectors
from ragembed.embed.words.subwords import Subwords

Open = Callable[[bytes], WordVectors]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RAGEMBED_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def opened(tmp_path: Path) -> Open:
    """Word vectors from a file with these bytes."""

    def write_and_open(data: bytes) -> WordVectors:
        path = tmp_path / "vectors"
        path.write_bytes(data)
        return open_word_vectors(path)

    return write_and_open


@pytest.fixture
def small() -> WordVectors:
    """Four words with counts and n-grams; the vectors are sums of few powers of two, so that float32 is exact."""
    numbers = np.random.default_rng(1).integers(-64, 64, (12, 3)).astype(np.float32) / 8
    return WordVectors(
        ["the", "naïve", "日本", "</s>"],
        numbers[:4],
        counts=np.array([9, 4, 2, 1]),
        subwords=Subwords(3, 4, 8, numbers[4:]),
        info={"method": "fasttext"},
    )
