"""Every other measure, computed by ir_measures (extra ``eval``)."""

from __future__ import annotations

from collections.abc import Sequence
from math import fsum

from ragembed.errors import SpecError
from ragembed.eval.names import Measure, ir_measure
from ragembed.extras import require
from ragembed.types import Qrels, Run


def compute(
    measures: Sequence[Measure], qrels: Qrels, run: Run
) -> tuple[dict[str, float], dict[str, dict[str, float]]]:
    """Aggregate and per-query values under the canonical names, the queries those of `qrels` in its order.

    The aggregate is the mean, except for ir_measures' counts (NumQ, NumRel, NumRet), which are summed. Ties
    are broken by whichever library ir_measures asks, for most measures trec_eval.
    """
    module = require("ir_measures", "eval", f"measure {measures[0]}")
    theirs = {ir_measure(measure): str(measure) for measure in measures}
    answered = {
        query: {document: float(score) for document, score in found.items()}
        for query, found in run.items()
        if found  # some of its providers divide by the number of answers
    }
    try:
        metrics = list(module.iter_calc(list(theirs), _bearable(qrels), answered))
    except (ValueError, RuntimeError) as error:
        named = ", ".join(theirs.values())
        raise SpecError(f"ir_measures cannot compute {named}", " ".join(str(error).split())) from error
    per_query = {name: dict.fromkeys(qrels, float(measure.DEFAULT)) for measure, name in theirs.items()}
    for metric in metrics:
        per_query[theirs[metric.measure]][metric.query_id] = float(metric.value)
    aggregates = {}
    for measure, name in theirs.items():
        total = fsum(per_query[name].values())
        aggregates[name] = total if isinstance(measure.aggregator(), module.SumAgg) else total / len(qrels)
    return aggregates, per_query


def _bearable(qrels: Qrels) -> Qrels:
    """`qrels` with gains of 0 where a query has only negative ones, on which pytrec_eval crashes."""
    return {
        query: judged if not judged or max(judged.values()) >= 0 else dict.fromkeys(judged, 0)
        for query, judged in qrels.items()
    }
