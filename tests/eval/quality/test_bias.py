"""Bias tests over an embedder's words."""

from __future__ import annotations

import numpy as np
import pytest

from ragembed.errors import DatasetError, EmbeddingError
from ragembed.eval.quality.bias import bias
from ragembed.eval.quality.bias_files import BiasTest, WordList
from ragembed.eval.quality.weat import weat, wefat
from ragembed.eval.quality.words import WordTable

WORDS = ["rose", "aster", "tulip", "ant", "flea", "joy", "love", "war", "filth", "nurse", "baker"]
VECTORS = np.random.default_rng(0).normal(size=(len(WORDS), 4)).astype(np.float32)
TABLE = WordTable(WORDS, VECTORS)


def words(label: str, text: str) -> WordList:
    return WordList(label, tuple(text.split()))


def rows(text: str) -> np.ndarray:
    return VECTORS[[WORDS.index(word) for word in text.split()]]


ATTRIBUTES = (words("Good", "joy love heaven"), words("Bad", "war filth"))
FLOWERS = BiasTest(
    "flowers", (words("Flowers", "rose Aster tulip"), words("Insects", "ant flea bug")), ATTRIBUTES
)
JOBS = BiasTest("jobs", (words("Jobs", "nurse baker pilot"),), ATTRIBUTES)
STARS = BiasTest("stars", (words("Stars", "sun"), words("Insects", "ant flea")), ATTRIBUTES)


def test_unknown_words_are_dropped_and_the_other_lists_stay() -> None:
    found = bias([FLOWERS, JOBS, STARS], TABLE)
    flowers, jobs, stars = found.tests
    expected = weat(rows("rose aster tulip"), rows("ant flea"), rows("joy love"), rows("war filth"))
    assert (flowers.d, flowers.p, flowers.partitions) == (expected.d, expected.p, 10)  # 3 of 5
    assert flowers.used == {"Flowers": (3, 3), "Insects": (2, 3), "Good": (2, 3), "Bad": (2, 2)}
    sizes = wefat(rows("nurse baker"), rows("joy love"), rows("war filth"))
    assert jobs.words == dict(zip(["nurse", "baker"], sizes.tolist(), strict=True))
    assert (jobs.d, jobs.p) == (pytest.approx(sizes.mean()), None)
    assert (stars.d, stars.p, stars.used["Stars"]) == (None, None, (0, 1))
    assert (found.words, found.covered) == (15, 11)


def test_no_test_with_words_enough() -> None:
    with pytest.raises(DatasetError, match="no test has 2 of each of its lists"):
        bias([STARS], TABLE)


def test_nan_is_refused() -> None:
    broken = VECTORS.copy()
    broken[3, 0] = np.inf
    with pytest.raises(EmbeddingError, match="'ant' holds NaN"):
        bias([FLOWERS], WordTable(WORDS, broken))
