"""What a probability is told from, and that what is stored is what is read."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ragembed import Document, Pipeline
from ragembed.errors import CorruptError
from ragembed.retrieve.calibration import (
    ABSENT,
    FEW,
    Calibration,
    Level,
    feature_names,
    features,
    highest_scores,
    logistic,
)
from ragembed.retrieve.fusion import Fused


def made(**changes: Any) -> Calibration:
    return dataclasses.replace(
        Calibration("rrf", ("a", "b"), (0.0,) * 7, (1.0,) * 7, (1.0,) * 7, 0.0, 0.25), **changes
    )


def test_features_by_hand() -> None:
    hits = [Fused(1, 0.5, {0: (1, 4.0), 1: (2, 0.3)}), Fused(2, 0.4, {0: (2, 2.0)})]
    table = features(hits, (8.0, 1.0))
    names = feature_names(("bm25", "minilm"))
    assert names == [
        "score of bm25", "log rank of bm25", "background of bm25",
        "score of minilm", "log rank of minilm", "background of minilm", "log rank",
    ]  # fmt: skip
    assert table[0] == pytest.approx([0.5, 0, 0.375, 0.3, math.log(2), 0.3, 0])
    # the second hit is not in minilm's list: it has the least score there, and a rank beyond all
    assert table[1] == pytest.approx([0.25, math.log(2), 0.375, 0.3, math.log(ABSENT), 0.3, math.log(2)])


def test_features_of_nothing_and_of_one_list_without_hits() -> None:
    assert features([], (1.0, 1.0)).shape == (0, 7)
    table = features([Fused(1, 0.5, {1: (1, 0.9)})], (1.0, 1.0))
    assert np.isfinite(table).all()
    assert table[0][0] == 0


def test_logistic_does_not_overflow() -> None:
    assert logistic(np.array([-1e4, 0.0, 1e4])).tolist() == [0, 0.5, 1]


def test_json_and_back() -> None:
    whole = made(levels=(Level(0.5, 0.9, 0.8, 0.3, 40, 0.8, 0.1),), evidence={"auroc": 0.8})
    assert Calibration.from_json(json.loads(json.dumps(whole.to_json()))) == whole


@pytest.mark.parametrize(
    "damage",
    [
        {"bias": "x"}, {"bias": None}, {"weights": [1.0]}, {"scale": [0.0] * 7}, {"centre": [math.nan] * 7},
        {"levels": [{"x": 1}]}, {"embedders": 3}, {"evidence": 5},
    ],
)  # fmt: skip
def test_damage_is_told(damage: dict[str, Any]) -> None:
    with pytest.raises(CorruptError, match="learnt"):
        Calibration.from_json({**made().to_json(), **damage})
    with pytest.raises(CorruptError):
        Calibration.from_json([])


def test_the_least_probability_for_a_precision() -> None:
    def level(probability: float, precision: float | None, hits: int = 100) -> Level:
        return Level(probability, 0.99, precision, 0.5, hits, 0.5, 0.5)

    found = made(
        levels=(level(0.1, 0.3), level(0.3, 0.6), level(0.5, 0.55), level(0.7, 0.9), level(0.9, None, 0))
    )
    assert found.least_for(0.3) == 0.1
    assert found.least_for(0.6) == 0.3
    assert found.least_for(0.61) == 0.7
    assert found.least_for(0.95) is None
    assert found.best_precision() == 0.9
    few = made(levels=(level(0.5, 0.5), level(0.7, 0.99, FEW - 1)))
    assert few.least_for(0.9) is None
    assert few.best_precision() == 0.5


def test_the_highest_score_counts_unknown_words(tmp_path: Path) -> None:
    documents = [Document(str(n), text) for n, text in enumerate(["cats sleep", "dogs bark", "cats bark"])]
    with Pipeline.create(tmp_path / "i", "bm25+tfidf", "whole") as pipeline:
        pipeline.add(documents)
        (known,) = pipeline.rankings(["cats"], 10)
        (half,) = pipeline.rankings(["cats zebra"], 10)
        (none,) = pipeline.rankings(["the"], 10)
        best = known.lists(0, [0], 1)[0][0][1]
        assert highest_scores(known, 0)[0] > best > 0
        assert highest_scores(known, 0)[1] == 1
        assert highest_scores(half, 0)[0] > 2 * highest_scores(known, 0)[0]
        assert highest_scores(none, 0)[0] == 1
