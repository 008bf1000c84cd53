"""What is tried: fusions, each with weights from a grid over the simplex, and what every one scores on every query."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb

import numpy as np
from numpy.typing import NDArray

from ragembed.errors import SpecError
from ragembed.eval.exact import scorer
from ragembed.eval.names import Measure
from ragembed.eval.tune.gather import Doubles, Gathered, Labelled, place
from ragembed.retrieve.fusion import FUSIONS, UNKNOWN, Fusion
from ragembed.spec import Spec

FAMILIES = ("evidence", "rrf", "convex", "convex(scale=minmax)", "convex(scale=zscore)")
"""What is tried where nothing is named."""
MOST_WEIGHTS = 300
"""Points of the grid of weights, at most."""
FINEST = 50
"""Steps from 0 to 1, at most: no number of queries that anybody labels tells 0.50 from 0.51."""


@dataclass(frozen=True, slots=True)
class Family:
    """A fusion and what it scores with each of the weights of the grid."""

    plain: str
    """Its spec without weights."""
    grid: Doubles
    """(w, lists), each row summing to 1."""
    values: Doubles
    """(w, q)."""

    def spec(self, weights: Sequence[float]) -> str:
        """The spec with weights, to two digits."""
        return weighted(self.plain, weights)

    def nearest(self, weights: Doubles) -> int:
        """The point of the grid that is nearest to some weights."""
        return int(np.abs(self.grid - weights).sum(axis=1).argmin())


def weighted(plain: str, weights: Sequence[float]) -> str:
    """A fusion's spec with weights."""
    spec = Spec.parse(plain)
    written = ":".join(f"{weight:.4g}" for weight in weights)
    return str(Spec(spec.name, None, (*spec.params, ("weights", written))))


def simplex(lists: int, most: int = MOST_WEIGHTS) -> Doubles:
    """Weights that sum to 1, evenly spread over all of that kind: (w, lists), the finest grid of at most `most`."""
    parts = 1
    while comb(parts + lists, lists - 1) <= most and parts < FINEST:
        parts += 1
    rows = [
        np.diff((-1, *bars, parts + lists - 1)) - 1
        for bars in combinations(range(parts + lists - 1), lists - 1)
    ]
    return np.array(rows, np.float64) / parts


def tunable(written: str) -> Fusion:
    """The fusion that is written, without weights; raises `SpecError` for one that has none to be learnt."""
    spec = Spec.parse(written)
    params = tuple(pair for pair in spec.params if pair != ("weights", "auto"))
    fusion = FUSIONS.create(Spec(spec.name, None, params))
    names = {field.name for field in dataclasses.fields(fusion)}  # type: ignore[arg-type]  # all are dataclasses
    own = type(fusion)
    if "weights" not in names or own.fuse is not Fusion.fuse or own.contributions is not Fusion.contributions:
        raise SpecError(
            f"fusion {spec.name} has no weights to be learnt", f"valid are: {', '.join(FAMILIES)}"
        )
    if getattr(fusion, "weights", None) is not None:
        raise SpecError(f"fusion {written} has its weights already", f"write {spec.name}")
    return fusion


def family(gathered: Gathered, written: str, measure: Measure) -> Family:
    """A fusion tried with every point of the grid."""
    fusion = tunable(written)
    grid = simplex(len(gathered.embedders))
    score = scorer(measure)
    values = np.empty((len(grid), len(gathered.queries)))
    for number, query in enumerate(gathered.queries):
        documents, shares, counts = _shares(gathered, query, fusion)
        joint = (shares @ grid.T) * np.array([fusion.bonus(count) for count in counts])[:, None]  # (n, w)
        names, best = _best_of(documents, joint)
        answers = place(query.gains, names, best.astype(np.float32))
        values[:, number] = [score(answer) for answer in answers]
    return Family(str(fusion.spec), grid, values)


def _shares(gathered: Gathered, query: Labelled, fusion: Fusion) -> tuple[list[str], Doubles, list[int]]:
    """The documents of all rows that were found, what each list gives each row (n, lists), and how many have it."""
    rows = {row: at for at, row in enumerate({row: None for hits in query.lists for row, _ in hits})}
    shares = np.zeros((len(rows), len(query.lists)))
    counts = [0] * len(rows)
    about = gathered.about or [UNKNOWN] * len(query.lists)
    for number, (hits, of) in enumerate(zip(query.lists, about, strict=True)):
        if not hits:
            continue
        given = fusion.shares(np.array([score for _, score in hits], np.float64), of)
        for (row, _), share in zip(hits, given.tolist(), strict=True):
            shares[rows[row], number] = share
            counts[rows[row]] += 1
    return [gathered.documents[row] for row in rows], shares, counts


def _best_of(documents: Sequence[str], joint: Doubles) -> tuple[list[str], NDArray[np.float64]]:
    """The documents, each once, and the score of each one's best row (d, w)."""
    if not documents:
        return [], joint
    names, inverse = np.unique(np.array(documents, dtype=object), return_inverse=True)
    order = np.argsort(inverse, kind="stable")
    starts = np.flatnonzero(np.diff(inverse[order], prepend=-1))
    return list(names), np.maximum.reduceat(joint[order], starts, axis=0)


def families(gathered: Gathered, written: Sequence[str], measure: Measure) -> Iterator[Family]:
    """Each of the fusions tried; each once, however it is written."""
    for plain in dict.fromkeys(str(tunable(each).spec) for each in written):
        yield family(gathered, plain, measure)
