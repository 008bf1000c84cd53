"""The measures that we compute ourselves, equal to trec_eval's: one function of an `Answer` each.

Throughout, `k` is the cutoff (None: no cutoff) and `rel` the lowest gain that counts as relevant. A query
without a relevant document scores 0, as in trec_eval.
"""

from __future__ import annotations

from collections.abc import Callable
from math import log2

from ragembed.eval.names import Measure
from ragembed.eval.ranking import Answer

Score = Callable[[Answer], float]


def ndcg(answer: Answer, k: int | None) -> float:
    """nDCG with linear gain and log2 discount, trec_eval's ``ndcg`` and ``ndcg_cut``.

    DCG = sum of ``gain / log2(rank + 1)``, divided by the DCG of all judged documents in the best order. (The
    other nDCG in use, with gain ``2 ** gain - 1``, is Burges et al. 2005.) Järvelin & Kekäläinen 2002,
    "Cumulated gain-based evaluation of IR techniques".
    """
    found = answer.found
    if not found:
        return 0.0
    gained = sum(gain / log2(rank + 1) for rank, gain in found if k is None or rank <= k)
    return gained / sum(gain / log2(rank + 1) for rank, gain in enumerate(answer.ideal[:k], 1))


def recall(answer: Answer, k: int, rel: int) -> float:
    """R@k: the share of all relevant documents that are among the first `k`."""
    total = _relevant(answer, rel)
    return len(_ranks(answer, k, rel)) / total if total else 0.0


def precision(answer: Answer, k: int, rel: int) -> float:
    """P@k: the share of the first `k` places that hold a relevant document; empty places are misses."""
    return len(_ranks(answer, k, rel)) / k


def average_precision(answer: Answer, k: int | None, rel: int) -> float:
    """AP: the precisions at the relevant documents found up to `k`, summed, over the number of all relevant.

    With a cutoff the divisor stays, so that AP@k reaches 1 only where `k` has room for all: trec_eval's
    ``map_cut``. Its mean over queries is MAP. Harman 1992, "Evaluation issues in information retrieval".
    """
    total = _relevant(answer, rel)
    ranks = _ranks(answer, k, rel)
    return sum(count / rank for count, rank in enumerate(ranks, 1)) / total if total else 0.0


def reciprocal_rank(answer: Answer, k: int | None, rel: int) -> float:
    """RR: 1 over the rank of the first relevant document; 0 where none is among the first `k`.

    Its mean over queries is MRR. Kantor & Voorhees 2000, "The TREC-5 confusion track".
    """
    ranks = _ranks(answer, k, rel)
    return 1.0 / ranks[0] if ranks else 0.0


def success(answer: Answer, k: int, rel: int) -> float:
    """Success@k, or hit rate: 1 where a relevant document is among the first `k`, else 0."""
    return 1.0 if _ranks(answer, k, rel) else 0.0


_GRADED: dict[str, Callable[[Answer, int | None], float]] = {"nDCG": ndcg}
_BINARY: dict[str, Callable[..., float]] = {
    "R": recall,
    "P": precision,
    "AP": average_precision,
    "RR": reciprocal_rank,
    "Success": success,
}


def scorer(measure: Measure) -> Score:
    """The function that computes `measure`, which is one of `OWN`."""
    k = measure.cutoff
    if measure.name in _GRADED:
        graded = _GRADED[measure.name]
        return lambda answer: graded(answer, k if k is None else int(k))
    binary, rel = _BINARY[measure.name], dict(measure.params).get("rel", 1)
    return lambda answer: binary(answer, k, rel)


def _ranks(answer: Answer, k: int | None, rel: int) -> list[int]:
    return [rank for rank, gain in answer.found if gain >= rel and (k is None or rank <= k)]


def _relevant(answer: Answer, rel: int) -> int:
    return len(answer.ideal) if rel == 1 else sum(gain >= rel for gain in answer.ideal)
