"""Scoring a run against judgements, as trec_eval does.

Three rules decide what a mean is a mean of, and all three are those of ir_measures:

- a judged query that the run does not answer scores 0;
- a judged query without any relevant document scores 0 and counts too (some papers leave such queries out);
- a query of the run that is not judged is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import fsum

from ragembed.errors import DatasetError, SpecError
from ragembed.eval.exact import scorer
from ragembed.eval.external import compute
from ragembed.eval.names import Measure, computed_here, needs_spans, parse_measure, parse_measures
from ragembed.eval.ranking import Answer, answer, check_scores
from ragembed.types import Qrels, Run

__all__ = ["Measure", "Scores", "evaluate", "parse_measure", "parse_measures"]


@dataclass(frozen=True, slots=True)
class Scores:
    """Values of measures under their canonical names, such as ``nDCG@10``, in the order asked for."""

    means: dict[str, float]
    """Over all judged queries. (The counts of ir_measures, NumQ, NumRel and NumRet, are sums.)"""
    per_query: dict[str, dict[str, float]]
    """``{measure: {query: value}}``, the queries in the order of the judgements."""
    unanswered: tuple[str, ...] = ()
    """Judged queries for which the run has nothing; they score 0."""
    without_relevant: tuple[str, ...] = ()
    """Judged queries for which nothing has a gain above 0; they score 0 whatever is retrieved."""
    unjudged: tuple[str, ...] = ()
    """Queries of the run that are not judged; they are left out."""

    def remarks(self) -> list[str]:
        """What a reader of the means should know, a line for each of the three that there are."""
        told = (
            (self.unanswered, "judged", "without an answer", "scores 0"),
            (self.without_relevant, "judged", "without a relevant document", "scores 0 and counts"),
            (self.unjudged, "answered", "without judgements", "is left out"),
        )
        return [
            f"{len(names)} {kind} {'query' if len(names) == 1 else 'queries'} {lack}"
            f" ({', '.join(map(repr, names[:3]))}{', ...' if len(names) > 3 else ''}): each {so}"
            for names, kind, lack, so in told
            if names
        ]


def evaluate(qrels: Qrels, run: Run, measures: str | Measure | Iterable[str | Measure]) -> Scores:
    """Score `run` by `qrels`.

    Raises `SpecError` for an unknown measure, `MissingExtraError` for one that needs the extra ``eval`` where
    it is not installed, and `DatasetError` for empty qrels, a NaN score, or a run that answers no judged
    query at all.
    """
    wanted = parse_measures(measures)
    for measure in wanted:
        if needs_spans(measure):
            raise SpecError(
                f"measure {measure} looks at reference spans, of which judgements say nothing",
                "score spans by ragembed.eval.spans.evaluate_spans",
            )
    _check(qrels, run)
    answers = {query: answer(judged, run.get(query, {})) for query, judged in qrels.items()}
    per_query: dict[str, dict[str, float]] = {}
    means: dict[str, float] = {}
    for measure in wanted:
        if computed_here(measure):
            score = scorer(measure)
            values = {query: score(found) for query, found in answers.items()}
            per_query[str(measure)] = values
            means[str(measure)] = fsum(values.values()) / len(values)
    elsewhere = [measure for measure in wanted if not computed_here(measure)]
    if elsewhere:
        aggregates, theirs = compute(elsewhere, qrels, run)
        means |= aggregates
        per_query |= theirs
    names = [str(measure) for measure in wanted]
    return Scores(
        {name: means[name] for name in names},
        {name: per_query[name] for name in names},
        unanswered=tuple(query for query in qrels if not run.get(query)),
        without_relevant=_without_relevant(answers),
        unjudged=tuple(query for query in run if query not in qrels),
    )


def _without_relevant(answers: Mapping[str, Answer]) -> tuple[str, ...]:
    return tuple(query for query, found in answers.items() if not found.ideal)


def _check(qrels: Qrels, run: Run) -> None:
    if not qrels:
        raise DatasetError("there are no judgements to score by", "give qrels with at least one query")
    if run and qrels.keys().isdisjoint(run):
        raise DatasetError(
            f"the run answers none of the {len(qrels)} judged queries: "
            f"it has {next(iter(run))!r}, the judgements have {next(iter(qrels))!r}",
            "check that both are of the same collection and split",
        )
    for query, scores in run.items():
        if query in qrels:
            check_scores(query, scores)
