"""What was embedded once is not embedded again, and nothing can tell the difference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from ragembed import Document, Pipeline
from ragembed.embed import EMBEDDERS
from ragembed.embed.base import Dense, Embedder, Kind, Truncation
from ragembed.embed.cache import VectorCache
from ragembed.errors import StoreError


@dataclass(eq=False)
class Slow(Embedder):
    """Counts the vowels of a text's first `reads` words, and how often it was asked to."""

    name: ClassVar[str] = "slow"
    kind: ClassVar[Kind] = "dense"
    costly: ClassVar[bool] = True
    reads: int = 3

    def __post_init__(self) -> None:
        self.asked: list[str] = []
        self.cut = Truncation()

    @property
    def dimension(self) -> int:
        return 5

    def embed(self, texts: Sequence[str]) -> Dense:
        self.asked += texts
        rows = []
        for text in texts:
            words = text.split()
            self.cut.texts += len(words) > self.reads
            self.cut.tokens += max(0, len(words) - self.reads)
            read = "".join(words[: self.reads])
            rows.append([read.count(vowel) for vowel in "aeiou"])
        return np.array(rows, np.float32).reshape(len(texts), 5)

    @property
    def truncation(self) -> Truncation:
        return self.cut

    @property
    def max_tokens(self) -> int:
        return self.reads

    @property
    def tokenizer_name(self) -> str:
        return "words"

    def identity(self) -> dict[str, Any]:
        return {"spec": f"slow(reads={self.reads})"}


TEXTS = ["audio aorta", "one two three four five", "audio aorta", ""]


def test_texts_are_embedded_once(tmp_path: Path) -> None:
    slow = Slow()
    with VectorCache(tmp_path / "vectors.db") as cache:
        first = cache.embed(slow, TEXTS)
    assert np.array_equal(first, Slow().embed(TEXTS))
    again = Slow()
    with VectorCache(tmp_path / "vectors.db") as cache:
        assert np.array_equal(cache.embed(again, [*TEXTS, "new"])[:4], first)
        assert again.asked == ["new"]
        assert cache.tally.texts == 4
        assert cache.tally.seconds > 0
        assert (cache.tally.truncation.texts, cache.tally.truncation.tokens) == (1, 2)  # "four five"


def test_another_embedder_has_its_own_vectors(tmp_path: Path) -> None:
    with VectorCache(tmp_path / "vectors.db") as cache:
        cache.embed(Slow(), TEXTS)
        other = Slow(reads=1)
        assert cache.embed(other, TEXTS)[1].tolist() == [0, 1, 0, 1, 0]  # "one" alone
        assert other.asked == TEXTS


def test_cheap_embedders_go_past_it(tmp_path: Path) -> None:
    with VectorCache(tmp_path / "vectors.db") as cache:
        cheap = EMBEDDERS.create("random-projection(dimension=4)")
        assert np.array_equal(cache.embed(cheap, ["a"]), cheap.embed(["a"]))
        assert cache.embed(cheap, ["a"]) is not None
        assert cache.tally.texts == 0


def test_a_pipeline_uses_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(EMBEDDERS.entries, "slow", f"{__name__}:Slow")
    monkeypatch.setattr(
        EMBEDDERS, "load", lambda name, load=EMBEDDERS.load: Slow if name == "slow" else load(name)
    )
    documents = [Document(f"d{i}", text) for i, text in enumerate(TEXTS[:2])]
    found = []
    for name in ("a", "b"):
        with (
            Pipeline.create(tmp_path / name, "slow", "whole") as pipeline,
            VectorCache(tmp_path / "v.db") as cache,
        ):
            pipeline.cache = cache
            pipeline.add(documents)
            found.append(pipeline.search("aorta", 2))
            asked = [text for text in pipeline.embedders[0].asked if text in TEXTS]  # type: ignore[attr-defined]
            assert bool(asked) == (name == "a")
    assert found[0] == found[1]


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "vectors.db"
    path.write_bytes(b"no database at all" * 100)
    with pytest.raises(StoreError, match=r"vectors\.db cannot be used .*; delete it"):
        VectorCache(path)
