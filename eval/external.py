"""Every other measure, computed by ir_measures (extra ``eval``)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from math import fsum
from subprocess import CalledProcessError
from typing import Any

from ragembed.errors import SpecError
from ragembed.eval.names import Measure, ir_measure
from ragembed.extras import require
from ragembed.types import Qrels, Run

_AWKWARD = re.compile(r"[\s\0]")
"""What no id may hold that goes through a file between white space, or through C."""
GDEVAL_GAIN = 4
"""The largest gain of TREC's gdeval, which ir_measures asks for ERR and for nDCG with exponential gain."""
_APART = ("NumRet",)
"""Measures that ir_measures gets wrong beside one of judged documents only: it may then count just those, as the hashes
of their names fall."""
_FAILURES = (
    ArithmeticError, AssertionError, CalledProcessError, LookupError, RuntimeError, TypeError, ValueError,
)  # fmt: skip
"""What the programs behind ir_measures raise when they do not bear an input, or each other's versions."""


def compute(
    measures: Sequence[Measure], qrels: Qrels, run: Run
) -> tuple[dict[str, float], dict[str, dict[str, float]]]:
    """Aggregate and per-query values under the canonical names, the queries those of `qrels` in its order.

    The aggregate is the mean, except for ir_measures' counts (NumQ, NumRel, NumRet), which are summed over the
    queries that are answered. Ties are broken by whichever library ir_measures asks, for most measures trec_eval.
    """
    module = require("ir_measures", "eval", f"measure {measures[0]}")
    theirs = {ir_measure(measure): str(measure) for measure in measures}
    _check_gains(measures, qrels)
    queries = list(qrels)
    judgements, answers = _bearable(queries, qrels, run)
    per_query = {name: dict.fromkeys(queries, float(measure.DEFAULT)) for measure, name in theirs.items()}
    for metric in _metrics(module, list(theirs), judgements, answers):
        value = float(metric.value)
        if value == value:  # NaN: some divide by the best that there could be, where nothing is relevant
            per_query[theirs[metric.measure]][queries[int(metric.query_id) - 1]] = value
    aggregates = {}
    for measure, name in theirs.items():
        total = fsum(per_query[name].values())
        aggregates[name] = total if isinstance(measure.aggregator(), module.SumAgg) else total / len(qrels)
    return aggregates, per_query


def _metrics(module: Any, measures: list[Any], judgements: Qrels, answers: Run) -> list[Any]:
    """What ir_measures computes. Raises `SpecError` with the first measure that fails."""
    apart = [measure for measure in measures if measure.NAME in _APART]
    if apart and len(measures) > 1:
        rest = [measure for measure in measures if measure.NAME not in _APART]
        return [
            metric
            for some in (*([one] for one in apart), rest)
            if some
            for metric in _metrics(module, some, judgements, answers)
        ]
    try:
        return list(module.iter_calc(measures, judgements, answers))
    except _FAILURES as error:
        if len(measures) > 1:
            return [metric for one in measures for metric in _metrics(module, [one], judgements, answers)]
        reason = " ".join(str(error).split())
        raise SpecError(
            f"ir_measures cannot compute {measures[0]} for this run ({reason})", "leave it out"
        ) from error


def _check_gains(measures: Iterable[Measure], qrels: Qrels) -> None:
    """Raise `SpecError` for a gain that gdeval, which computes some measures, refuses."""
    asked = next((m for m in measures if m.name == "ERR" or ("dcg", "exp-log2") in m.params), None)
    largest = max((gain for judged in qrels.values() for gain in judged.values()), default=0)
    if asked is not None and largest > GDEVAL_GAIN:
        raise SpecError(
            f"{asked} is defined for gains up to {GDEVAL_GAIN}, and the judgements go up to {largest}",
            "leave it out, or scale the gains",
        )


def _bearable(queries: Sequence[str], qrels: Qrels, run: Run) -> tuple[Qrels, Run]:
    """Both without what some program behind ir_measures does not bear.

    Queries are numbered from 1: gdeval takes nothing else, and reads ``set-1`` as 1. Documents whose ids hold
    white space get others, in the same order. Where a query has only negative gains they are 0, or pytrec_eval
    crashes; unanswered queries are left out, or others divide by 0.
    """
    name = _names([*qrels.values(), *(run[query] for query in queries if query in run)])
    judgements: Qrels = {}
    answers: Run = {}
    for number, query in enumerate(queries, 1):
        judged = qrels[query]
        gains = dict.fromkeys(judged, 0) if judged and max(judged.values()) < 0 else judged
        judgements[str(number)] = {name.get(document, document): gain for document, gain in gains.items()}
        if found := run.get(query):
            answers[str(number)] = {
                name.get(document, document): float(score) for document, score in found.items()
            }
    return judgements, answers


def _names(documents: Iterable[Mapping[str, object]]) -> dict[str, str]:
    """New ids for all documents, if any of theirs is awkward; ties are broken by ids, so their order stays."""
    every: set[str] = set().union(*documents)
    if not any(map(_AWKWARD.search, every)):
        return {}
    width = len(str(len(every)))
    return {document: f"{number:0{width}}" for number, document in enumerate(sorted(every))}
