"""The probability that a hit is relevant: learnt from labelled queries, and measured on others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ragembed.eval.tune.choose import FOLDS, folds
from ragembed.eval.tune.gather import Doubles, Gathered
from ragembed.retrieve.calibration import BACKGROUND, Calibration, Level, features, logistic
from ragembed.retrieve.fusion import Fusion

FIRST = 10
"""Hits of each query that are learnt from: what stands below is hardly ever shown, and hardly ever relevant."""
PENALTY = 10.0
"""Of the squared weights (ridge): as much as ten hits would object to a weight of 1."""
UNANSWERABLE = 0.25
"""The share of queries without an answer that is expected unless something is said."""
LEVELS = tuple(round(0.05 * step, 2) for step in range(20))
_ROUNDS = 100
_RESAMPLES = 1000


@dataclass(frozen=True, slots=True)
class Samples:
    """The first hits of queries: what is known of them, and whether they are relevant."""

    table: Doubles
    """(n, f), see `ragembed.retrieve.calibration.features`."""
    relevant: NDArray[np.bool_]
    """(n,)"""
    query: NDArray[np.int64]
    """The number of each hit's query (n,)."""
    answerable: NDArray[np.bool_]
    """Whether each hit's query has its relevant documents (n,)."""

    def weights(self, unanswerable: float) -> Doubles:
        """Of each hit (n,), so that queries without an answer make up that share."""
        return np.where(self.answerable, 1 - unanswerable, unanswerable) * 2


def samples(gathered: Gathered, fusion: Fusion) -> Samples:
    """The first hits of each query, and those of the same query once its relevant documents are taken away."""
    tables, relevant, query, answerable = [], [], [], []
    width = 3 * len(gathered.embedders) + 1
    for answered, collection in ((True, gathered), (False, gathered.without_answers())):
        for number, one in enumerate(collection.queries):
            hits = collection.fused(one, fusion)[: max(BACKGROUND, FIRST)]
            first = hits[:FIRST]
            if first:
                tables.append(features(hits, one.highest)[: len(first)])
            relevant += [one.gains.get(gathered.documents[hit.row], 0) > 0 for hit in first]
            query += [number] * len(first)
            answerable += [answered] * len(first)
    return Samples(
        np.concatenate(tables) if tables else np.zeros((0, width)),
        np.array(relevant, bool),
        np.array(query, np.int64),
        np.array(answerable, bool),
    )


@dataclass(frozen=True, slots=True)
class Model:
    """A logistic regression."""

    centre: Doubles
    scale: Doubles
    weights: Doubles
    bias: float

    def predict(self, table: Doubles) -> Doubles:
        """The probability of each row of `table` (n, f): (n,)."""
        return logistic((table - self.centre) / self.scale @ self.weights + self.bias)


def fit(table: Doubles, labels: NDArray[np.bool_], weights: Doubles, penalty: float = PENALTY) -> Model:
    """The logistic regression with the least weighted log loss plus ``penalty / 2`` times the squared weights of the
    standardised features, by Newton's method (Bishop 2006, "Pattern recognition and machine learning", 4.3.3).

    The bias is not penalised.
    """
    share = weights / weights.sum()
    centre = share @ table
    scale = np.sqrt(share @ (table - centre) ** 2)
    scale = np.where(scale > 1e-9, scale, 1.0)  # a feature that is always the same tells nothing
    design = np.column_stack(((table - centre) / scale, np.ones(len(table))))  # (n, f + 1)
    ridge = np.append(np.full(table.shape[1], penalty), 1e-6)  # so little that a bias cannot run away
    solution = np.zeros(len(ridge))

    def loss(candidate: Doubles) -> float:
        value = design @ candidate
        return float(weights @ (np.logaddexp(0, value) - labels * value) + 0.5 * ridge @ candidate**2)

    for _ in range(_ROUNDS):
        chance = logistic(design @ solution)
        gradient = design.T @ (weights * (chance - labels)) + ridge * solution
        curvature = (design * (weights * chance * (1 - chance))[:, None]).T @ design + np.diag(ridge)
        step = np.linalg.solve(curvature, gradient)
        length, before = 1.0, loss(solution)
        while length > 1e-6 and loss(solution - length * step) > before:
            length /= 2
        solution = solution - length * step
        if np.abs(length * step).max() < 1e-9:
            break
    return Model(centre, scale, solution[:-1], float(solution[-1]))


def out_of_fold(found: Samples, ids: Sequence[str], unanswerable: float) -> Doubles:
    """The probability of each hit (n,), told by a model that has not seen its query, with or without documents."""
    predicted = np.zeros(len(found.table))
    fold = folds(ids, 0)[found.query]
    weights = found.weights(unanswerable)
    for part in range(FOLDS):
        held = fold == part
        if held.any():
            model = fit(found.table[~held], found.relevant[~held], weights[~held])
            predicted[held] = model.predict(found.table[held])
    return predicted


def calibrate(gathered: Gathered, fusion: Fusion, unanswerable: float = UNANSWERABLE) -> Calibration | None:
    """Learn the probabilities of hits, and measure them out of fold; None where the first hits are all relevant, or
    none is.
    """
    found = samples(gathered, fusion)
    if not found.relevant.any() or found.relevant[found.answerable].all():
        return None
    ids = [query.id for query in gathered.queries]
    predicted = out_of_fold(found, ids, unanswerable)
    weights = found.weights(unanswerable)
    model = fit(found.table, found.relevant, weights)
    return Calibration(
        fusion=str(fusion.spec) if len(gathered.embedders) > 1 else None,
        embedders=gathered.embedders,
        centre=tuple(model.centre.tolist()),
        scale=tuple(model.scale.tolist()),
        weights=tuple(model.weights.tolist()),
        bias=model.bias,
        unanswerable=unanswerable,
        levels=tuple(_levels(found, predicted, weights, len(ids))),
        evidence=_evidence(found, predicted, weights, len(ids)),
    )


def _levels(found: Samples, predicted: Doubles, weights: Doubles, queries: int) -> Iterator[Level]:
    """What each of `LEVELS` keeps; how sure a precision is, from bootstrap samples of the queries, whose hits are good
    or bad together.
    """
    generator = np.random.default_rng(0)
    drawn = generator.multinomial(queries, np.full(queries, 1 / queries), size=_RESAMPLES)  # (b, q)
    relevant = found.relevant & found.answerable
    for least in LEVELS:
        kept = predicted >= least
        every = np.bincount(found.query, weights * kept, queries)  # (q,)
        good = np.bincount(found.query, weights * (kept & found.relevant), queries)
        sampled = drawn @ every
        some = sampled > 0
        yield Level(
            probability=least,
            precision=float(good.sum() / every.sum()) if kept.any() else None,
            surely=float(np.quantile((drawn @ good)[some] / sampled[some], 0.1)) if kept.any() else None,
            recall=float((kept & relevant).sum() / relevant.sum()),
            hits=int(kept.sum()),
            answered=len(np.unique(found.query[kept & found.answerable])) / queries,
            answered_wrongly=len(np.unique(found.query[kept & ~found.answerable])) / queries,
        )


def _evidence(found: Samples, predicted: Doubles, weights: Doubles, queries: int) -> dict[str, Any]:
    return {
        "queries": queries,
        "hits": len(predicted),
        "relevant": int(found.relevant.sum()),
        "auroc": auroc(found.relevant, predicted),
        "calibration_error": calibration_error(found.relevant, predicted, weights),
        "auroc_answerable": auroc(
            np.repeat((True, False), queries),
            np.concatenate([best(found, predicted, queries, answered) for answered in (True, False)]),
        ),
    }


def best(found: Samples, predicted: Doubles, queries: int, answered: bool) -> Doubles:
    """The highest probability among the hits of each query (q,), 0 for one without hits."""
    highest = np.zeros(queries)
    which = found.answerable == answered
    np.maximum.at(highest, found.query[which], predicted[which])
    return highest


def auroc(labels: NDArray[np.bool_], scores: Doubles) -> float | None:
    """How often a positive has a higher score than a negative, ties counting half; None where one kind is missing.

    The area under the ROC curve (Hanley & McNeil 1982).
    """
    from scipy.stats import rankdata

    positive = int(labels.sum())
    negative = len(labels) - positive
    if not positive or not negative:
        return None
    above = float(rankdata(scores)[labels].sum()) - positive * (positive + 1) / 2
    return above / (positive * negative)


def calibration_error(
    labels: NDArray[np.bool_], predicted: Doubles, weights: Doubles | None = None, bins: int = 10
) -> float:
    """The expected calibration error: how far the share of positives lies from the mean prediction, in bins of equal
    width (Naeini, Cooper & Hauskrecht 2015, "Obtaining well calibrated probabilities using Bayesian binning").
    """
    if not len(labels):
        return 0.0
    each = np.ones(len(labels)) if weights is None else weights
    place = np.minimum((predicted * bins).astype(np.int64), bins - 1)
    gaps = np.bincount(place, each * (labels - predicted), bins)  # (bins,)
    return float(np.abs(gaps).sum() / each.sum())
