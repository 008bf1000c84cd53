"""What an index has learnt from labelled queries, as its catalog keeps it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ragembed.errors import CorruptError, SpecError
from ragembed.retrieve.calibration import Calibration
from ragembed.spec import Spec

if TYPE_CHECKING:
    from ragembed.index.catalog import Catalog

SETTING = "learnt"
"""Where the catalog keeps it."""
HOW = "ragembed tune INDEX --queries FILE --qrels FILE --apply"
AUTO = "auto"
"""Written for a fusion, or for its weights: what the index has learnt."""


@dataclass(frozen=True, slots=True)
class Learnt:
    """What `ragembed tune` has found for an index."""

    fusion: str | None
    """The spec by which searches join lists unless they are told otherwise; None: that of every index."""
    families: Mapping[str, str] = field(default_factory=dict)
    """For each fusion that was tried, as it is written without weights, the spec with the weights that were learnt."""
    calibration: Calibration | None = None
    evidence: Mapping[str, Any] = field(default_factory=dict)
    """What was measured, for `ragembed info`."""

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "fusion": self.fusion,
            "families": dict(self.families),
            "calibration": None if self.calibration is None else self.calibration.to_json(),
            "evidence": dict(self.evidence),
        }

    @classmethod
    def from_json(cls, values: Any) -> Learnt:
        """Back from `to_json`; raises `CorruptError` for what is none."""
        if not (
            isinstance(values, dict)
            and isinstance(values.get("fusion"), str | None)
            and isinstance(values.get("families"), dict)
            and all(isinstance(spec, str) for spec in values["families"].values())
            and isinstance(values.get("evidence"), dict)
        ):
            raise CorruptError("what the index has learnt from labelled queries is damaged", f"run: {HOW}")
        calibration = values.get("calibration")
        return cls(
            values["fusion"],
            values["families"],
            None if calibration is None else Calibration.from_json(calibration),
            values["evidence"],
        )

    @classmethod
    def of(cls, catalog: Catalog) -> Learnt | None:
        """What the index has learnt; None where that is nothing."""
        values = catalog.setting(SETTING)
        return None if values is None else cls.from_json(values)


def learnt_fusion(spec: Spec, learnt: Learnt | None) -> Spec:
    """`spec` with what was learnt in the place of ``auto``: of the whole fusion, or of its weights.

    Raises `SpecError` where that was not learnt.
    """
    whole = spec.name == AUTO
    if not whole and ("weights", AUTO) not in spec.params:
        return spec
    if learnt is None:
        raise SpecError(
            f"fusion {spec} is learnt from labelled queries, and this index has not learnt any", f"run: {HOW}"
        )
    if whole:
        if spec.params:
            raise SpecError("fusion auto takes no parameters", "write auto")
        if learnt.fusion is None:
            raise SpecError(
                "no learnt fusion was better than the default, so there is none", "leave the fusion out"
            )
        return Spec.parse(learnt.fusion)
    plain = str(Spec(spec.name, None, tuple(pair for pair in spec.params if pair != ("weights", AUTO))))
    if plain not in learnt.families:
        raise SpecError(
            f"no weights were learnt for {plain}, only for {', '.join(learnt.families) or 'nothing'}",
            f"run: {HOW} --fusion '{plain}'",
        )
    return Spec.parse(learnt.families[plain])
