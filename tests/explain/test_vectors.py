"""Pieces left out of a passage, with an embedder whose vectors can be worked out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest

from ragembed.embed.base import Dense, Embedder, Kind
from ragembed.explain.vectors import Occlusion


@dataclass(eq=False, kw_only=True)
class Letters(Embedder):
    """How many times ``a`` stands in a text."""

    name: ClassVar[str] = "letters"
    kind: ClassVar[Kind] = "dense"
    dimension: ClassVar[int] = 1
    late: bool = False

    @property
    def in_context(self) -> bool:
        return self.late

    def embed(self, texts: Sequence[str]) -> Dense:
        return np.array([[text.count("a")] for text in texts], np.float32).reshape(-1, 1)


@pytest.mark.parametrize(("late", "score"), [(False, 3.0), (True, 17.0)])
def test_what_a_passage_loses_is_its_own(late: bool, score: float) -> None:
    """Of ``aa. b. a.`` the pieces are worth 2, 0 and 1, whatever the document around it made of its score."""
    occlusion = Occlusion(Letters(late=late), np.ones(1, np.float32))
    found, short = occlusion.explain(["aa. b. a.", "a"], [0, 0], [score, 1.0])
    assert found is not None
    assert [(each.what, each.score) for each in found] == [("aa.", 2), ("a.", 1), ("b.", 0)]
    assert short is None
