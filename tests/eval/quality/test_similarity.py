"""Word and sentence similarity over vectors that one can check by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import pearsonr

from ragembed.embed import EMBEDDERS
from ragembed.errors import DatasetError, EmbeddingError
from ragembed.eval.quality import reference
from ragembed.eval.quality import similarity as module
from ragembed.eval.quality.pair_files import Pairs
from ragembed.eval.quality.similarity import pair_cosines, similarity
from ragembed.eval.quality.words import EmbeddedTexts, WordTable

# at 0, 30, 60 and 90 degrees
ANGLES = {"east": 0, "near": 30, "far": 60, "north": 90}
TABLE = WordTable(
    list(ANGLES),
    np.array([[np.cos(np.radians(a)), np.sin(np.radians(a))] for a in ANGLES.values()], np.float32) * 3,
)


def pairs(*rows: tuple[str, str, float]) -> Pairs:
    left, right, scores = zip(*rows, strict=True)
    return Pairs(list(left), list(right), np.array(scores, float))


def test_the_order_of_angles_is_the_order_of_scores() -> None:
    # angles 30, 60, 90: the nearer, the higher the score
    found = similarity(pairs(("east", "near", 9), ("east", "far", 5), ("east", "north", 4)), TABLE)
    assert found.spearman == pytest.approx(1)
    # cosines 0.866, 0.5, 0 and scores 9, 5, 4
    assert found.pearson == pytest.approx(pearsonr([np.sqrt(3) / 2, 0.5, 0], [9, 5, 4]).statistic)
    assert (found.pairs, found.covered) == (3, 3)


def test_unknown_pairs_are_left_out_or_score_0() -> None:
    rows = pairs(("east", "near", 9), ("east", "far", 8), ("east", "west", 10))
    skipped = similarity(rows, TABLE)
    assert (skipped.pairs, skipped.covered, skipped.spearman) == (3, 2, pytest.approx(1))
    zero = similarity(rows, TABLE, unknown="zero")
    assert (zero.pairs, zero.covered) == (3, 2)
    # ranks 3, 2, 1 against 2, 1, 3: the squared differences add up to 6, and 1 - 6 * 6 / (3 * 8) = -0.5
    assert zero.spearman == pytest.approx(-0.5)


def test_ties_of_cosines() -> None:
    words = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0]], np.float32)
    table = WordTable(["a", "b", "c", "ab"], words)
    found = similarity(pairs(("a", "b", 1), ("b", "c", 2), ("a", "ab", 5), ("b", "ab", 4)), table)
    # cosines 0, 0, 0.71, 0.71 have the ranks 1.5, 1.5, 3.5, 3.5
    assert found.spearman == pytest.approx(pearsonr([1.5, 1.5, 3.5, 3.5], [1, 2, 4, 3]).statistic)


def test_ties_of_counts_are_ties_in_float32_too() -> None:
    # 2 common words: of 2 and 6, and of 3 and 4, both 2 / sqrt(12)
    texts = ["a b", "a b c d e f", "a b g", "a b h i", "z"]
    embedder = EMBEDDERS.create("onehot(language=none)")
    embedder.fit(texts)
    _, found = pair_cosines([texts[0], texts[2]], [texts[1], texts[3]], EmbeddedTexts(embedder))
    assert found[0] == found[1] == pytest.approx(2 / np.sqrt(12), abs=1e-6)


def test_fewer_than_2_pairs_are_no_correlation() -> None:
    with pytest.raises(DatasetError, match="1 of 2 pairs have vectors"):
        similarity(pairs(("east", "near", 1), ("up", "down", 2)), TABLE, unknown="zero")


def test_cosines_that_are_all_the_same_are_no_correlation() -> None:
    with pytest.raises(EmbeddingError, match="all 2 pairs have the same similarity 1"):
        similarity(pairs(("east", "east", 1), ("north", "north", 2)), TABLE)
    with pytest.raises(DatasetError, match="all 2 pairs have the score 3"):
        similarity(pairs(("east", "near", 3), ("east", "north", 3)), TABLE)


def test_nan_is_refused() -> None:
    table = WordTable(["a", "b"], np.array([[1, 0], [np.nan, 1]], np.float32))
    with pytest.raises(EmbeddingError, match="'b' holds NaN"):
        similarity(pairs(("a", "b", 1), ("a", "a", 2)), table)


def test_batches_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(0)
    words = [f"w{number}" for number in range(40)]
    vectors = generator.normal(size=(40, 6)).astype(np.float32)
    table = WordTable(words, vectors)
    left, right = (generator.choice([*words, "?"], 101).tolist() for _ in range(2))
    known, found = pair_cosines(left, right, table)
    for place, pair in enumerate(zip(left, right, strict=True)):
        assert known[place] == ("?" not in pair)
        if known[place]:
            x, y = (vectors[words.index(word)].astype(np.float64) for word in pair)
            assert found[place] == pytest.approx(reference.cosine(x, y), abs=1e-12)
    monkeypatch.setattr(module, "_BATCH", 7)
    told: list[int] = []
    again = pair_cosines(left, right, table, lambda done, total, what: told.append(done))
    assert np.array_equal(again[0], known)
    assert np.array_equal(again[1], found)
    assert (len(told), told[-1]) == (15, 101)
