"""How far words moved between two models of which the second goes on from the first.

A training may turn the whole space without changing what it says, so that each word's cosine with its earlier self is
also taken after the rotation that fits the old vectors best to the new ones (orthogonal Procrustes, Schönemann 1966;
for words over time Hamilton, Leskovec & Jurafsky 2016), and its ten nearest old words are compared.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ragembed.embed.base import Dense
from ragembed.embed.words.vectors import WordVectors
from ragembed.errors import EmbeddingError

Rows = NDArray[np.int64]
Cosines = NDArray[np.float32]

NEIGHBOURS = 10
_MOST_JUDGED = 2_000
"""Words whose neighbours are compared, frequent ones and an even choice of the others: this takes seconds."""
_MOST_SEARCHED = 50_000
"""Words among which neighbours are looked up: the most frequent."""
_LISTED = 20
_OFTEN = 20
"""Times that a word must stand in the new texts to be listed: one that does not was moved by its neighbours alone."""


@dataclass(frozen=True)
class Moved:
    """A word and how far it moved."""

    word: str
    count: int
    """Times that it stands in the new texts."""
    cosine: float
    aligned: float
    """The cosine after the rotation."""
    before: list[str]
    """The words nearest to it, nearest first."""
    after: list[str]


@dataclass(frozen=True)
class Drift:
    """What an update did to a model."""

    old_words: int
    new_words: int
    new_tokens: float | None
    """Share of the new texts' tokens (rare words left out) that are new words; None where words are not counted."""
    cosine: dict[str, float]
    """Old words' cosines with their earlier selves: mean, and the percentiles 5, 25, 50."""
    aligned: dict[str, float]
    """The same after the rotation."""
    overlap: float
    """Share of the ten nearest old words that stayed, mean over `judged` words."""
    judged: int
    moved: list[Moved]
    """The words that moved farthest after the rotation, farthest first, of those frequent in the new texts."""

    def to_json(self) -> dict[str, Any]:
        """JSON values."""
        return asdict(self)

    def lines(self) -> list[str]:
        """The report as text."""
        share = "" if self.new_tokens is None else f" ({self.new_tokens:.1%} of the new texts' tokens)"
        told = [
            f"{self.old_words:,} old words, {self.new_words:,} new ones{share}",
            f"cosine of old words with themselves: mean {self.cosine['mean']:.3f}, median {self.cosine['50']:.3f}, "
            f"5 % below {self.cosine['5']:.3f}; after rotation {self.aligned['mean']:.3f}, "
            f"{self.aligned['50']:.3f}, {self.aligned['5']:.3f}",
            f"of the {NEIGHBOURS} nearest words {self.overlap:.0%} stayed (mean over {self.judged:,} words)",
        ]
        if self.moved:
            told.append("moved most:")
        for each in self.moved:
            near = f"{', '.join(each.before[:3])} -> {', '.join(each.after[:3])}"
            told.append(f"  {each.word} ({each.count:,} times): cosine {each.aligned:.3f}, near {near}")
        return told


def drift(before: WordVectors, after: WordVectors) -> Drift:
    """How far the words of `before` moved to `after`, which has them all; raises `EmbeddingError` where it does not."""
    rows = after.rows(list(before.words))
    if (missing := int((rows < 0).sum())) or before.dimension != after.dimension:
        raise EmbeddingError(
            f"the later model lacks {missing} of {len(before)} words, and has {after.dimension} dimensions, "
            f"the earlier {before.dimension}",
            "compare a model with its own update",
        )
    old, new = _unit(before.vectors), _unit(after.vectors[rows])
    direct = np.einsum("nd,nd->n", old, new)
    turned = old @ rotation(old, new)
    aligned = np.einsum("nd,nd->n", turned, new)
    counts, fresh = _new_counts(before, after, rows)
    judged = _even_choice(len(old), _MOST_JUDGED)
    stayed = [len(set(one) & set(other)) for one, other in zip(*_both(old, new, judged), strict=True)]
    listed = _listed(aligned, counts)
    rows_listed: list[int] = listed.tolist()
    words = before.words
    moved = [
        Moved(
            words[row],
            int(counts[row]),
            float(direct[row]),
            float(aligned[row]),
            [words[other] for other in earlier],
            [words[other] for other in later],
        )
        for row, earlier, later in zip(rows_listed, *_both(old, new, listed), strict=True)
    ]
    return Drift(
        old_words=len(before),
        new_words=len(after) - len(before),
        new_tokens=fresh,
        cosine=_summary(direct),
        aligned=_summary(aligned),
        overlap=float(np.mean(stayed)) / max(1, min(NEIGHBOURS, len(old) - 1)),
        judged=len(judged),
        moved=moved,
    )


def rotation(old: Dense, new: Dense) -> Dense:
    """The orthogonal matrix ``(dimension, dimension)`` by which ``old @ rotation`` comes nearest to `new`."""
    left, _, right = np.linalg.svd((old.T @ new).astype(np.float64))
    return np.asarray(left @ right, np.float32)


def _unit(vectors: Dense) -> Dense:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, np.finfo(np.float32).tiny), np.float32)


def _new_counts(before: WordVectors, after: WordVectors, rows: Rows) -> tuple[Rows, float | None]:
    """How often each old word stands in the new texts, and the share of their tokens that are new words."""
    if after.counts is None:
        return np.full(len(rows), _OFTEN), None
    earlier = np.zeros(len(rows), np.int64) if before.counts is None else before.counts
    grown = np.maximum(after.counts[rows] - earlier, 0)
    fresh = int(after.counts.sum() - after.counts[rows].sum())
    return grown, fresh / max(1, fresh + int(grown.sum()))


def _summary(cosines: Cosines) -> dict[str, float]:
    low, quarter, middle = np.percentile(cosines, (5, 25, 50)).tolist()
    return {"mean": float(cosines.mean()), "5": low, "25": quarter, "50": middle}


def _even_choice(total: int, most: int) -> Rows:
    """Half of `most` from the start of ``range(total)``, the others at even steps from what follows."""
    if total <= most:
        return np.arange(total)
    others = np.linspace(most // 2, total - 1, most // 2).astype(np.int64)
    return np.unique(np.concatenate((np.arange(most // 2), others)))


def _listed(aligned: Cosines, counts: Rows) -> Rows:
    often = np.flatnonzero(counts >= _OFTEN)
    return often[np.argsort(aligned[often], kind="stable")][:_LISTED]


def _both(old: Dense, new: Dense, rows: Rows) -> tuple[list[list[int]], list[list[int]]]:
    """The nearest words to each of `rows`, before and after."""
    return _nearest(old, rows).tolist(), _nearest(new, rows).tolist()


def _nearest(vectors: Dense, rows: Rows) -> Rows:
    """The nearest of the most frequent words to each of `rows`, itself left out ``(rows, NEIGHBOURS)``."""
    table = vectors[:_MOST_SEARCHED]
    most = min(NEIGHBOURS, len(table) - 1)
    found = np.empty((len(rows), most), np.int64)
    for start in range(0, len(rows), 256):
        part = rows[start : start + 256]
        scores = vectors[part] @ table.T
        own = np.flatnonzero(part < len(table))
        scores[own, part[own]] = -np.inf
        near = np.argpartition(-scores, max(most - 1, 0), axis=1)[:, :most]
        order = np.argsort(-np.take_along_axis(scores, near, axis=1), axis=1, kind="stable")
        found[start : start + 256] = np.take_along_axis(near, order, axis=1)
    return found
