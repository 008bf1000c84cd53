"""What the checks of a verdict share: the expected document in one state of the index, and what a check finds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ragembed.analysis import Analyzer
from ragembed.explain.result import List, Stage
from ragembed.explain.state import State
from ragembed.explain.steps import Course, course
from ragembed.explain.target import Target
from ragembed.explain.words import analyzer_of, term_set
from ragembed.index.records import FileRecord

if TYPE_CHECKING:
    from ragembed.filters.conditions import Condition


@dataclass(frozen=True, slots=True)
class Finding:
    """At which stage the document was lost, and how that is known."""

    stage: Stage
    reason: str
    message: str
    remedy: str
    evidence: dict[str, Any] = field(default_factory=dict)


@dataclass
class Case:
    """One expected document."""

    state: State
    target: Target
    files: Mapping[str, FileRecord]
    lists: Sequence[List]
    query: str
    condition: Condition | None = None
    notes: list[str] = field(default_factory=list)
    """What is worth knowing and decides nothing."""

    @property
    def k(self) -> int:
        """How many hits the answer has."""
        return self.state.k

    @property
    def name(self) -> str:
        """The target in messages, with quotes."""
        return repr(self.target.asked)

    @cached_property
    def way(self) -> Course:
        """How far its chunks come."""
        return course(self.state, self.target.rows)

    @cached_property
    def passing(self) -> list[int]:
        """Its rows that the filter lets through."""
        if self.state.selected is None:
            return list(self.target.rows)
        allowed = set(self.state.selected.tolist())
        return [row for row in self.target.rows if row in allowed]

    @cached_property
    def analyzer(self) -> Analyzer:
        """How words are compared."""
        return analyzer_of(self.state.embedders)

    @cached_property
    def terms(self) -> set[str]:
        """The query's terms."""
        return term_set(self.query, self.analyzer)


Check = Callable[[Case], Finding | None]
"""Looks at one stage; None: it was not lost there."""
