"""Scales on which the scores of different embedders can be added: 0 is what a list does not have."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ragembed.retrieve.fusion.base import Doubles, Scores, deviation


def min_max(scores: Doubles, of: Scores) -> Doubles:
    """From 0, the last of the list, to 1, its first (Lee 1997); 1 where all are alike."""
    best, worst = scores[0], scores[-1]
    return (scores - worst) / (best - worst) if best > worst else np.ones(len(scores))


def theoretical_min_max(scores: Doubles, of: Scores) -> Doubles:
    """From 0, the least score that the embedder can give at all, to 1, the first of the list (Bruch, Gai & Ingber
    2023, "An analysis of fusion functions for hybrid retrieval"); by `min_max` where nothing is known of the least.
    """
    if of.least is None or scores[0] <= of.least:
        return min_max(scores, of)
    scaled: Doubles = np.maximum(scores - of.least, 0) / (scores[0] - of.least)
    return scaled


def standard(scores: Doubles, of: Scores) -> Doubles:
    """Standard deviations above the last of the list: z-scores (Montague & Aslam 2001), moved so that what the list
    does not have, and so must lie lower, is not taken for its middle. 0 where all are alike.
    """
    spread = deviation(scores)
    return (scores - scores[-1]) / spread if spread else np.zeros(len(scores))


def distribution(scores: Doubles, of: Scores) -> Doubles:
    """From 0 at three standard deviations below the list's mean to 1 at three above, cut off there (as "distribution-
    based score fusion" is known); a half where all are alike.
    """
    middle, spread = scores.mean(), deviation(scores)
    return np.clip((scores - middle) / (6 * spread) + 0.5, 0, 1) if spread else np.full(len(scores), 0.5)


SCALES: dict[str, Callable[[Doubles, Scores], Doubles]] = {
    "minmax": min_max,
    "theoretical": theoretical_min_max,
    "zscore": standard,
    "distribution": distribution,
}
