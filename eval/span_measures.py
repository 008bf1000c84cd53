"""The measures over spans: one function of a `Reading` each, and precision omega of all chunks.

The unit is the character. Recall, precision and IoU are those of Smith & Troynikov 2024, "Evaluating Chunking
Strategies for Retrieval" (Chroma), whose published code they equal; passage retrieval has counted characters since
Kamps et al. 2008, "INEX 2007 Evaluation Measures". A query without references scores 0.
"""

from __future__ import annotations

from collections.abc import Callable
from math import log

import numpy as np

from ragembed.eval.coverage import ChunkMap, Ranges, Reading, merged, read, size
from ragembed.eval.names import Measure
from ragembed.eval.span_names import CHARACTERS, PAGE

SpanScore = Callable[[Reading], float]


def recall(reading: Reading) -> float:
    """SpanR: the share of the reference characters that was read."""
    return _share(sum(reading.gains), reading.wanted)


def precision(reading: Reading) -> float:
    """SpanP: the share of what was read that is reference characters, each counted the first time only."""
    return _share(sum(reading.gains), sum(reading.lengths))


def intersection_over_union(reading: Reading) -> float:
    """SpanIoU: reference characters read, over all characters read and the reference characters that were not."""
    found = sum(reading.gains)
    return _share(found, sum(reading.lengths) + reading.wanted - found)


def ndcg(reading: Reading, page: int, budget: int | None) -> float:
    """SpanNDCG: nDCG in which the rank grows with every character that is read.

    The character after `t` others is worth ``1 / log2(2 + t / page)``, so that each `page` of text lowers the worth
    as one rank does in nDCG. A chunk's gain, its reference characters that no earlier chunk has shown, is
    discounted by the mean over the chunk: a chunk is read whole, and where in it the answer stands is of no
    matter. The sum is divided by that of the ideal answer, the references and nothing else, as far as `budget`
    characters reach. That ideal is the same for every chunker, and the score lies in [0, 1]: the gains count
    distinct characters among those read, at most as many as the ideal reads at the very beginning.

    After the position-based discount of text read (Sakai & Dou 2013, U-measure), and with what repeats being worth
    nothing (Clarke et al. 2008, alpha-nDCG with alpha 1).
    """
    lengths, gains = np.array(reading.lengths, np.float64), np.array(reading.gains, np.float64)  # (chunks,)
    kept = gains > 0
    if not kept.any():
        return 0.0
    ends = np.cumsum(lengths)  # (chunks,)
    ends, lengths, gains = ends[kept], lengths[kept], gains[kept]  # (chunks with a gain,)
    means = (_worth(ends, page) - _worth(ends - lengths, page)) / lengths
    best = reading.wanted if budget is None else min(reading.wanted, budget)
    ideal = float(_worth(np.array([float(best)]), page)[0] - _worth(np.zeros(1), page)[0])
    return min(1.0, float(gains @ means) / ideal)


def precision_omega(references: Ranges, chunks: ChunkMap, touching: bool) -> float:
    """SpanPOmega: the IoU of the references with all chunks that lie on them, as if retrieval were perfect.

    It asks how closely a chunker can cut the answers out, and needs no search. As in Chroma's code, which thus
    counts characters that overlapping chunks share once, and counts a chunk in which nothing of a reference stands
    if it ends where the reference begins, or begins where it ends. With `touching` false it does not.
    """
    near = chunks.on(references, touching=touching)
    reading = read(references, near)
    found = sum(reading.gains)
    return _share(found, size(merged(near)) + reading.wanted - found)


_SCORES: dict[str, SpanScore] = {"SpanR": recall, "SpanP": precision, "SpanIoU": intersection_over_union}


def span_scorer(measure: Measure) -> SpanScore:
    """The function that computes `measure` from the reading that its cutoff leaves."""
    if measure.name in _SCORES:
        return _SCORES[measure.name]
    page = int(dict(measure.params).get("page", PAGE) or PAGE)
    budget = int(measure.cutoff) if measure.cutoff is not None and measure.unit == CHARACTERS else None
    return lambda reading: ndcg(reading, page, budget)


def _worth(characters: np.ndarray, page: int) -> np.ndarray:
    """The integral of ``1 / log2(2 + t / page)`` up to `characters`, but for a constant: the logarithmic integral."""
    from scipy.special import expi

    worth: np.ndarray = page * log(2) * expi(np.log(2 + characters / page))
    return worth


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
