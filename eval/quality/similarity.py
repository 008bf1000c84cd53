"""Word and sentence similarity: do pairs that people find similar lie near each other?

The measure is Spearman's rho between the cosines of the pairs and the scores that people gave; Pearson's r stands
beside it. WS-353: Finkelstein et al. 2002; SimLex-999: Hill, Reichart & Korhonen 2015; MEN: Bruni, Tran & Baroni 2014;
STS benchmark: Cer et al. 2017.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ragembed.errors import DatasetError, EmbeddingError
from ragembed.eval.quality.correlation import pearson, spearman, spearman_interval
from ragembed.eval.quality.pair_files import Pairs
from ragembed.eval.quality.progress import Counted, part_of
from ragembed.eval.quality.words import Known, WordLookup, cosines, embedded

Unknown = Literal["skip", "zero"]
"""What is done with a pair or question of which something is unknown: left out, or scored 0."""

_BATCH = 2_048
"""Pairs embedded at once, 25 MB of vectors at 1,536 dimensions."""


@dataclass(frozen=True, slots=True)
class Similarity:
    """How well cosines agree with people."""

    spearman: float
    interval: tuple[float, float]
    """95 % confidence interval of `spearman`: what other pairs of the same kind might give."""
    pearson: float
    pairs: int
    covered: int
    """Pairs of which both sides have a vector that is not zero."""


def similarity(
    pairs: Pairs,
    vectors: WordLookup,
    *,
    unknown: Unknown = "skip",
    seed: int = 0,
    progress: Counted | None = None,
) -> Similarity:
    """Correlate the cosines of `pairs` with their scores.

    A pair with an unknown side is left out (``skip``) or has the similarity 0 (``zero``). `DatasetError` where fewer
    than 2 pairs remain or the scores are all the same, `EmbeddingError` where the cosines are.
    """
    known, similarities = pair_cosines(pairs.left, pairs.right, vectors, progress)
    used = known if unknown == "skip" else np.ones_like(known)
    covered = int(known.sum())
    if covered < 2:
        raise DatasetError(
            f"{covered} of {len(pairs)} pairs have vectors, a correlation needs 2",
            "use an embedder that knows more words, or fit it on more text",
        )
    gold, ours = pairs.scores[used], similarities[used]
    if gold.min() == gold.max():
        raise DatasetError(
            f"all {len(gold)} pairs have the score {gold[0]:g}, so that no correlation is defined",
            "give pairs that people found more and less similar",
        )
    if ours.min() == ours.max():
        raise EmbeddingError(
            f"all {len(ours)} pairs have the same similarity {ours[0]:.3g}, so that no correlation is defined",
            "use an embedder that tells words apart by more than being the same",
        )
    return Similarity(
        spearman=spearman(ours, gold),
        interval=spearman_interval(ours, gold, seed=seed),
        pearson=pearson(ours, gold),
        pairs=len(pairs),
        covered=covered,
    )


def pair_cosines(
    left: Sequence[str], right: Sequence[str], vectors: WordLookup, progress: Counted | None = None
) -> tuple[Known, NDArray[np.float64]]:
    """Whether both sides of each pair are known, and their cosine (0 where they are not): ``(n,)`` each.

    A batch of pairs at a time is embedded, each text of it once, so that memory stays the same for any number.
    """
    known = np.zeros(len(left), np.bool_)
    found = np.zeros(len(left), np.float64)
    for start in range(0, len(left), _BATCH):
        one, other = left[start : start + _BATCH], right[start : start + _BATCH]
        places = {text: place for place, text in enumerate(dict.fromkeys((*one, *other)))}
        tell = part_of(progress, len(left), "pairs", start, len(one))
        there, rows = embedded(list(places), vectors, tell)
        a, b = (np.array([places[text] for text in side]) for side in (one, other))
        both = there[a] & there[b]
        end = start + len(one)
        known[start:end] = both
        found[start:end] = np.where(both, cosines(rows[a], rows[b]), 0.0)
    return known, found
