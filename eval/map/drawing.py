"""Points -> a drawing: places in two dimensions, true neighbours, and words about how far to trust it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ragembed.embed.base import Dense, normalized
from ragembed.embed.words.explore.projection import Points as Places
from ragembed.embed.words.explore.projection import kept, nearest_rows, project
from ragembed.eval.map.points import Points

NEAR = 8
"""Neighbours that are looked up of every point."""


@dataclass(frozen=True)
class Drawing:
    """A map, all but its page."""

    points: Points
    method: str
    places: Places
    """``(n, 2)``"""
    axes: tuple[str, str]
    """With the share of the variance that each shows, where it is known."""
    variance: tuple[float, float] | None
    near: NDArray[np.int64]
    """The nearest other points in all dimensions, best first: ``(n, NEAR)`` or fewer."""
    cosines: Dense
    """Their cosines."""
    kept: float
    """The share of them that are as near on the map."""
    query_places: Places = field(default_factory=lambda: np.zeros((0, 2)))
    """``(queries, 2)``"""
    query_near: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 0), np.int64))
    query_cosines: Dense = field(default_factory=lambda: np.zeros((0, 0), np.float32))

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        points = self.points
        groups = points.groups
        return {
            "kind": points.kind,
            "source": points.source,
            "embedder": points.embedder or None,
            "method": self.method,
            "dimension": int(points.vectors.shape[1]),
            "of": points.total,
            "left_out": points.left_out,
            "axes": list(self.axes),
            "variance": None if self.variance is None else list(self.variance),
            "kept": self.kept,
            "color": groups.by,
            "points": [
                {"name": name, "x": x, "y": y, **({"group": groups.names[of]} if groups.by else {})}
                for name, (x, y), of in zip(points.names, self.places.tolist(), groups.of, strict=True)
            ],
            "queries": [
                {"text": text, "x": x, "y": y}
                for text, (x, y) in zip(points.queries, self.query_places.tolist(), strict=True)
            ],
        }


def draw(points: Points, method: str = "pca", seed: int = 0) -> Drawing:
    """Put `points` on a plane. Queries are put where chunks of their vectors would lie; they do not move the others."""
    plane = project(points.vectors, method, seed)
    near, cosines = nearest_rows(points.vectors, NEAR)
    names = plane.axes
    if plane.variance is not None:
        first, second = map(_percent, plane.variance)
        names = f"{names[0]}, {first} of the variance", f"{names[1]}, {second}"
    found = Drawing(
        points, method, plane.points, names, plane.variance, near, cosines, kept(plane.points, near)
    )
    if points.query_vectors is None:
        return found
    asked = _nearest_to(points.query_vectors, points.vectors)
    return Drawing(**{**vars(found), "query_places": plane.place(points.query_vectors), **asked})


def _nearest_to(queries: Dense, vectors: Dense) -> dict[str, Any]:
    cosines = normalized(queries) @ normalized(vectors).T  # (queries, n)
    order = np.argsort(-cosines, axis=1, kind="stable")[:, :NEAR]
    return {"query_near": order, "query_cosines": np.take_along_axis(cosines, order, 1)}


def told(drawing: Drawing) -> Sequence[str]:
    """Sentences on what the map shows and what it hides."""
    points = drawing.points
    what = points.kind
    lines = []
    if drawing.variance is not None:
        lines.append(
            "The axes are the two directions in which the vectors vary most;"
            f" together they show {_percent(sum(drawing.variance))} of the variance."
        )
    else:
        lines.append(
            "Only what is near to what is meant here: the axes mean nothing, nor do the sizes of groups and gaps."
        )
    near = drawing.near.shape[1]
    dimension = points.vectors.shape[1]
    lines.append(
        f"Of the {near} nearest {what} in all {dimension:,} dimensions, {near * drawing.kept:.1f} on average are among"
        f" the {near} nearest here. Choose a point: lines lead to those that are really near."
    )
    return lines


def _percent(share: float) -> str:
    return f"{100 * share:.{1 if share < 0.0995 else 0}f} %"
