"""From the scores of hits to the probability that they are relevant, by a model that labelled queries have taught.

A logistic regression (Platt 1999, "Probabilistic outputs for support vector machines") over what can be compared
between queries, where a raw score cannot: each list's score relative to the highest that it could give for this query,
the hit's rank in each list and in the joint one, and how high a list's other hits score. `ragembed.eval.tune` learns
it; here it is kept and used.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ragembed.errors import CorruptError
from ragembed.retrieve.fusion import Fused
from ragembed.retrieve.sides import SparseSide

if TYPE_CHECKING:
    from ragembed.retrieve.ranking import Ranking

Doubles = NDArray[np.float64]

BACKGROUND = 20
"""Hits of the joint list whose scores say what an ordinary hit of this query has."""
MARKED = 100
"""Hits of the joint list that get a probability, or k where that is more."""
ABSENT = 1000.0
"""The rank of a hit in a list that does not have it: beyond all that have."""


@dataclass(frozen=True, slots=True)
class Level:
    """What keeping only hits of at least this probability gave on held-out labelled queries, and on the same queries
    once their relevant documents were taken away.
    """

    probability: float
    precision: float | None
    """Share of the kept hits that are relevant, answered and unanswerable queries mixed as the calibration assumes;
    None where none is kept."""
    surely: float | None
    """What the precision exceeds with a confidence of 90 %, other queries of this kind being asked."""
    recall: float
    """Share of the relevant among the first hits that is kept."""
    hits: int
    """Kept hits, of labelled queries and of those without their documents."""
    answered: float
    """Share of the labelled queries that keep a hit."""
    answered_wrongly: float
    """Share of the queries without their documents that keep one all the same."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """A model of the probability that a hit is relevant, and how good it was on queries that it had not seen."""

    fusion: str | None
    """The spec of the fusion whose lists it has learnt from; None where there is one list."""
    embedders: tuple[str, ...]
    """Their specs, in the order of the features."""
    centre: tuple[float, ...]
    """Mean of each feature (f,)."""
    scale: tuple[float, ...]
    """Standard deviation of each feature (f,), above 0."""
    weights: tuple[float, ...]
    """Of each feature in standard deviations (f,)."""
    bias: float
    unanswerable: float
    """The share of unanswerable queries that the probabilities assume."""
    levels: tuple[Level, ...] = ()
    """By rising probability."""
    evidence: Mapping[str, Any] = field(default_factory=dict)
    """Figures of the held-out queries: how many, AUROC, expected calibration error."""

    def probabilities(self, table: Doubles) -> Doubles:
        """Of features (n, f): (n,)."""
        if not len(table):
            return np.zeros(0)
        standard = (table - np.asarray(self.centre)) / np.asarray(self.scale)  # (n, f)
        return logistic(standard @ np.asarray(self.weights) + self.bias)

    def least_for(self, precision: float) -> float | None:
        """The lowest probability above which hits surely have `precision`.

        Surely, and not just as it was measured: of many thresholds the one that is best by chance would be taken. None
        where there is none, or where fewer than `FEW` hits stand behind it.
        """
        known = (level for level in self.levels if level.surely is not None and level.hits >= FEW)
        return next((level.probability for level in known if (level.surely or 0.0) >= precision), None)

    def best_precision(self) -> float | None:
        """The highest that is sure, over `FEW` hits or more."""
        known = [level.surely for level in self.levels if level.surely is not None and level.hits >= FEW]
        return max(known, default=None)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Any) -> Calibration:
        """Back from `to_json`; raises `CorruptError` for what is none."""
        try:
            found = cls(
                fusion=None if values["fusion"] is None else str(values["fusion"]),
                embedders=tuple(map(str, values["embedders"])),
                centre=_numbers(values["centre"]),
                scale=_numbers(values["scale"]),
                weights=_numbers(values["weights"]),
                bias=_numbers([values["bias"]])[0],
                unanswerable=_numbers([values["unanswerable"]])[0],
                levels=tuple(Level(**level) for level in values["levels"]),
                evidence=dict(values["evidence"]),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise CorruptError(
                f"what the index has learnt of its scores is damaged ({error})",
                "learn it again: ragembed tune INDEX --queries FILE --qrels FILE --apply",
            ) from error
        width = len(feature_names(found.embedders))
        if (
            not (len(found.centre) == len(found.scale) == len(found.weights) == width)
            or min(found.scale) <= 0
        ):
            raise CorruptError(
                f"what the index has learnt of its scores does not have {width} features",
                "learn it again: ragembed tune INDEX --queries FILE --qrels FILE --apply",
            )
        return found


FEW = 20
"""Hits below which a measured precision says too little."""


def logistic(values: Doubles) -> Doubles:
    """``1 / (1 + exp(-values))`` without overflow."""
    positive = np.exp(-np.abs(values))
    answer: Doubles = np.where(values >= 0, 1, positive) / (1 + positive)
    return answer


def feature_names(embedders: Sequence[str]) -> list[str]:
    """What the columns of `features` are, for embedders by their specs."""
    return [
        *(f"{what} of {spec}" for spec in embedders for what in ("score", "log rank", "background")),
        "log rank",
    ]


def features(hits: Sequence[Fused], highest: Sequence[float]) -> Doubles:
    """Of each hit of one query, best first, what its probability is told from: (n, 3 * lists + 1).

    `highest` holds the highest score that each list could give for the query. Of each list: the hit's score relative
    to that (where the list does not have the hit, the least that the list gives the first hits), the logarithm of its
    rank, and the mean relative score of the first `BACKGROUND` hits. Then the logarithm of the rank in the joint list.
    """
    count = len(hits)
    columns: list[Doubles] = []
    for number, top in enumerate(highest):
        parts = [hit.parts.get(number) for hit in hits]
        relative = np.array([math.nan if part is None else part[1] / top for part in parts])  # (n,)
        first = relative[:BACKGROUND]
        least = float(np.nanmin(first)) if not np.isnan(first).all() else 0.0
        relative = np.where(np.isnan(relative), least, relative)
        ranks = np.array([ABSENT if part is None else float(part[0]) for part in parts])
        columns += [relative, np.log(ranks), np.full(count, relative[:BACKGROUND].mean() if count else 0.0)]
    columns.append(np.log(np.arange(1.0, count + 1)))
    return np.stack(columns, axis=1)


def highest_scores(ranking: Ranking, number: int) -> list[float]:
    """The highest score that each embedder could give any document for one of the queries: 1 for a cosine, the number
    of the query's tokens for MaxSim.

    For BM25 the sum of the idf of the query's words: each occurrence counts for less than its idf. Words that no
    document has count as if one had them, so that a query about something else cannot score high by one word.
    """
    return [
        _highest(side, encoded[number]) if isinstance(side, SparseSide) else _highest_dense(encoded, number)
        for side, encoded in zip(ranking.sides, ranking.encoded, strict=True)
    ]


def _highest(side: SparseSide, terms: Sequence[str]) -> float:
    weighting, index = side.index.weighting, side.index
    if weighting.cosine:
        return 1.0
    weights = index.query_weights(terms)
    rare = weighting.idf(1, max(1, index.statistics.documents))
    total = sum(weight or rare for weight in weights.values())
    return total if total > 0 else 1.0


def _highest_dense(encoded: Any, number: int) -> float:
    if encoded is None:
        return 1.0  # there is nothing to search
    vectors = encoded[number]
    return float(max(1, len(vectors))) if vectors.ndim == 2 else 1.0


def _numbers(values: Any) -> tuple[float, ...]:
    numbers = tuple(map(float, values))
    if not all(map(math.isfinite, numbers)):
        raise ValueError("a number is not finite")
    return numbers
