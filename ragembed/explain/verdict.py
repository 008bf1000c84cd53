"""At which stage of a search an expected document was lost: the first check that finds something decides."""

from __future__ import annotations

from ragembed.explain.absent import absent, stale
from ragembed.explain.case import Case, Check, Finding
from ragembed.explain.compared import diluted, outranked, split, truncated
from ragembed.explain.result import Verdict
from ragembed.explain.searched import filtered, found, lost_by_index, out_of_vocabulary
from ragembed.explain.stepped import lost_by_step

CHECKS: tuple[Check, ...] = (
    absent, stale, found, filtered, lost_by_index, lost_by_step, out_of_vocabulary, truncated, split, diluted,
)  # fmt: skip
"""In the order of the stages; where none finds anything, others are better."""


def verdict(case: Case) -> Verdict:
    """The stage, the evidence, and the way that the document took."""
    finding = _finding(case)
    target, way = case.target, case.way if case.target.rows else None
    return Verdict(
        target.asked,
        target.kind,
        target.documents,
        len(target.rows),
        finding.stage,
        finding.reason,
        finding.message,
        finding.remedy,
        way.final if way else None,
        finding.evidence,
        way.steps if way else (),
        tuple(case.notes),
    )


def _finding(case: Case) -> Finding:
    for check in CHECKS:
        finding = check(case)
        if finding is not None:
            return finding
    return outranked(case)
