"""How a search ranks, beyond what the index settles: each part named by its spec."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ragembed.retrieve.aggregate import AGGREGATES
from ragembed.retrieve.aggregate import DEFAULT as AGGREGATE
from ragembed.retrieve.fusion import DEFAULT, FUSIONS
from ragembed.spec import Spec, parse_all

if TYPE_CHECKING:
    from ragembed.retrieve.aggregate import Aggregate
    from ragembed.retrieve.fusion import Fusion
    from ragembed.retrieve.learnt import Learnt
    from ragembed.retrieve.steps import Step


@dataclass(frozen=True, slots=True)
class SearchOptions:
    """Specs as a user writes them; None is the default of each."""

    fusion: str | None = None
    """How the lists of several embedders are joined, such as ``rrf(k=20)``."""
    steps: str | None = None
    """What is then done with the list, in that order, joined by ``+``, such as ``rm3+mmr(weight=0.7)``; or ``none``."""
    aggregate: str | None = None
    """How the scores of its chunks become a document's, such as ``mean(top=3)``; where documents are searched for."""

    def make_fusion(self, learnt: Learnt | None = None) -> Fusion:
        """The fusion, by what the index has `learnt` where that is asked for or nothing is; raises `SpecError` for a
        spec that is wrong.
        """
        from ragembed.retrieve.learnt import learnt_fusion

        written = self.fusion or (learnt and learnt.fusion) or DEFAULT
        return FUSIONS.create(learnt_fusion(Spec.parse(written), learnt))

    def make_steps(self) -> list[Step]:
        """The steps in their order; raises `SpecError` for a spec that is wrong."""
        from ragembed.retrieve.steps import STEPS

        return [STEPS.create(part) for part in parse_all(self.steps or "none") if str(part) != "none"]

    def make_aggregate(self) -> Aggregate:
        """The aggregate; raises `SpecError` for a spec that is wrong."""
        return AGGREGATES.create(self.aggregate or AGGREGATE)


DEFAULTS = SearchOptions()
