"""All that labelled queries teach an index, with the evidence for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ragembed.errors import DatasetError, QueryError, SpecError
from ragembed.eval.names import computed_here, depth, parse_measure
from ragembed.eval.tune.candidates import FAMILIES, Family, families
from ragembed.eval.tune.choose import Gain, cross_validated, gain, learn, learn_weights
from ragembed.eval.tune.fit import UNANSWERABLE, calibrate
from ragembed.eval.tune.gather import Gathered, gather
from ragembed.retrieve.calibration import Calibration
from ragembed.retrieve.fusion import DEPTH, FUSIONS
from ragembed.retrieve.learnt import Learnt
from ragembed.retrieve.options import SearchOptions
from ragembed.types import Qrels

if TYPE_CHECKING:
    from ragembed.pipeline import Pipeline

FEWEST = 10
"""Labelled queries that something can be learnt from."""
_CHUNKS = 4
"""Chunks that are looked at for each document, where documents have several."""


@dataclass(frozen=True, slots=True)
class Tried:
    """One fusion with the weights that all queries teach."""

    plain: str
    """Its spec without weights."""
    spec: str
    """With those that were learnt."""
    weights: tuple[float, ...]
    equal: float
    """What it scores with equal weights."""
    learnt: float
    """What it scores with the learnt ones, on the queries that they were learnt from: too good."""
    gain: Gain
    """Of this fusion alone, cross-validated."""

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "fusion": self.plain,
            "spec": self.spec,
            "weights": list(self.weights),
            "equal": self.equal,
            "learnt": self.learnt,
            "gain": self.gain.to_json(),
        }


@dataclass(frozen=True, slots=True)
class Tuning:
    """What was found for one index."""

    measure: str
    queries: int
    documents: int
    embedders: tuple[str, ...]
    default: str
    """The fusion that searches take where nothing is learnt."""
    tried: tuple[Tried, ...]
    """In the order asked for; empty where there is one list."""
    chosen: str | None
    """The spec that all queries teach; None where there is one list."""
    gain: Gain | None
    """Of the whole procedure, family and weights chosen anew in every fold; None where there is one list."""
    calibration: Calibration | None
    missing: int
    """Relevant documents that the index does not have."""

    @property
    def recommended(self) -> str | None:
        """The spec to search by; None: keep the default."""
        return self.chosen if self.gain is not None and self.gain.real else None

    def learnt(self) -> Learnt:
        """What an index should keep of it."""
        return Learnt(
            self.recommended,
            {tried.plain: tried.spec for tried in self.tried},
            self.calibration,
            {
                "measure": self.measure,
                "queries": self.queries,
                "documents": self.documents,
                "gain": None if self.gain is None else self.gain.to_json(),
            },
        )

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "measure": self.measure,
            "queries": self.queries,
            "documents": self.documents,
            "missing": self.missing,
            "embedders": list(self.embedders),
            "default": self.default,
            "tried": [tried.to_json() for tried in self.tried],
            "chosen": self.chosen,
            "gain": None if self.gain is None else self.gain.to_json(),
            "recommended": self.recommended,
            "calibration": None if self.calibration is None else self.calibration.to_json(),
        }


def tune(
    pipeline: Pipeline,
    queries: Mapping[str, str],
    qrels: Qrels,
    measure: str = "nDCG@10",
    fusions: Sequence[str] = FAMILIES,
    unanswerable: float = UNANSWERABLE,
) -> Tuning:
    """Learn from labelled queries how to join the lists of an index, and how probably a hit is relevant.

    Each query is searched for once. `fusions` are tried, each with weights from all over the simplex; `measure` is what
    they are to be good at, a document scoring its best chunk. `unanswerable` is the share of queries without an answer
    that the probabilities assume. Nothing is written: ``pipeline.learnt = tuning.learnt()`` does that.

    The same index, queries and options give the same answer. Raises `DatasetError` for fewer than 10 judged queries or
    judgements that are not of this index, `SpecError` for a measure or fusion that will not do.
    """
    if not 0 <= unanswerable < 1:
        raise QueryError(
            f"the share of unanswerable queries is {unanswerable:g}",
            "give a number from 0 up to, not including, 1",
        )
    wanted = parse_measure(measure)
    if not computed_here(wanted):
        raise SpecError(
            f"measure {wanted} cannot be tuned for", "use nDCG@10, R@100, P@5, AP, RR@10 or Success@5"
        )
    counts = pipeline.counts()
    lists = max(DEPTH, depth([wanted], None)) * (_CHUNKS if counts["chunks"] > counts["documents"] else 1)
    gathered = gather(pipeline, queries, qrels, lists)
    if len(gathered.queries) < FEWEST:
        raise DatasetError(
            f"{len(gathered.queries)} judged queries are too few to learn from",
            f"label {FEWEST} or more; 50 are much better",
        )
    default = SearchOptions().make_fusion()
    tried: list[Tried] = []
    chosen, gained = None, None
    joined = default
    if len(gathered.embedders) > 1:
        found = list(families(gathered, fusions, wanted))
        ids = [query.id for query in gathered.queries]
        base = gathered.values(default, wanted)
        everything = np.arange(len(ids))
        tried = [_tried(each, gathered, base, ids) for each in found]
        gained = gain(cross_validated(found, ids), base)
        number, _ = learn(found, everything)
        chosen = tried[number].spec
        if gained.real:
            joined = FUSIONS.create(chosen)
    return Tuning(
        measure=str(wanted),
        queries=len(gathered.queries),
        documents=gathered.documents_of_index,
        embedders=gathered.embedders,
        default=str(default.spec),
        tried=tuple(tried),
        chosen=chosen,
        gain=gained,
        calibration=calibrate(gathered, joined, unanswerable),
        missing=gathered.missing,
    )


def _tried(family: Family, gathered: Gathered, base: Any, ids: Sequence[str]) -> Tried:
    lists = len(gathered.embedders)
    point = learn_weights(family, np.arange(len(ids)))
    weights = tuple(family.grid[point].tolist())
    return Tried(
        family.plain,
        family.spec(weights),
        weights,
        float(family.values[family.nearest(np.full(lists, 1 / lists))].mean()),
        float(family.values[point].mean()),
        gain(cross_validated([family], ids), base),
    )
