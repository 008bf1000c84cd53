"""Many dimensions in two: where words or passages are put on a map, and how far the map can be trusted.

Every method sees vectors scaled to length 1, so that a map is of cosines, as search is. A map in two dimensions loses
most of what there is: `nearest_rows` are the neighbours in all dimensions, and `kept` says how many of them are
neighbours on the map too.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ragembed.embed.base import Dense, normalized
from ragembed.errors import QueryError
from ragembed.extras import require

Points = NDArray[np.float64]
"""``(n, 2)``"""
Rows = NDArray[np.int64]

_UMAP_NEIGHBORS = 15
"""What `umap` looks at around each point; the package's default."""
_LEAST = {"pca": 2, "umap": 5}
"""Points below which a method has nothing to say."""


@dataclass(frozen=True)
class Plane:
    """Where vectors lie in two dimensions."""

    points: Points
    axes: tuple[str, str]
    """What the axes are called."""
    variance: tuple[float, float] | None
    """The share of all variance that each axis shows; None where the method does not say."""
    place: Callable[[Dense], Points]
    """Puts other vectors ``(m, dimension)`` on the same map."""


def project(vectors: Dense, method: str = "pca", seed: int = 0) -> Plane:
    """Put the rows of `vectors` ``(n, dimension)`` on a plane; none of them may be zeros.

    ``pca`` is exact; ``umap`` needs the extra of that name, and repeats itself for the same `seed`.
    """
    if method not in _METHODS:
        raise QueryError(f"there is no method {method!r} to draw a map", f"valid are: {', '.join(_METHODS)}")
    if len(vectors) < _LEAST[method]:
        raise QueryError(
            f"there are {len(vectors)} points, and a map by {method} needs {_LEAST[method]}", "give more"
        )
    return _METHODS[method](normalized(np.asarray(vectors, np.float32)), seed)


def nearest_rows(vectors: Dense, k: int) -> tuple[Rows, Dense]:
    """The `k` other rows of highest cosine to each row, best first, equal ones by row: rows and cosines ``(n, k)``.

    Compares all with all: quadratic in n.
    """
    import faiss

    units = normalized(np.asarray(vectors, np.float32))
    n = len(units)
    k = min(k, n - 1)
    if not k:
        return np.zeros((n, 0), np.int64), np.zeros((n, 0), np.float32)
    library: Any = faiss  # its stubs know the C++ signatures only
    cosines, rows = library.knn(units, units, k + 1, metric=library.METRIC_INNER_PRODUCT)
    order = np.lexsort((rows, -cosines), axis=1)
    rows, cosines = (np.take_along_axis(found, order, 1) for found in (rows, cosines))
    own = rows == np.arange(n)[:, np.newaxis]
    own[~own.any(axis=1), -1] = True  # crowded out by rows equal to it: then the last is one too many
    return rows[~own].reshape(n, k), cosines[~own].reshape(n, k)


def kept(points: Points, near: Rows) -> float:
    """Of the neighbours `near` ``(n, k)`` in all dimensions, the share that are among the k nearest on the map.

    1 on a map that loses no neighbour; k / (n - 1) on one that is drawn by chance.
    """
    from scipy.spatial import KDTree

    n, k = near.shape
    if not k:
        return 1.0
    tree: Any = KDTree(points)
    _, found = tree.query(points, k + 1)  # itself among them, but for points on top of one another
    on_map = [[row for row in rows if row != own][:k] for own, rows in enumerate(found.tolist())]
    both = sum(len(set(rows) & set(on_map[own])) for own, rows in enumerate(near.tolist()))
    return float(both / (n * k))


def _pca(units: Dense, seed: int) -> Plane:
    """The two directions of most variance, each with its entry of largest magnitude positive."""
    from scipy.linalg import eigh

    middle = units.mean(axis=0, dtype=np.float64)
    centred = units.astype(np.float64) - middle  # (n, d)
    n, d = centred.shape
    square = centred.T @ centred if d <= n else centred @ centred.T
    last = len(square) - 1
    values, vectors = eigh(square, subset_by_index=[max(0, last - 1), last])
    total = float(np.trace(square))
    directions, shares = np.zeros((d, 2)), [0.0, 0.0]
    for axis, (value, vector) in enumerate(zip(values[::-1], vectors.T[::-1], strict=True)):
        if value <= total * 1e-12:  # the rounding of nothing is no direction
            continue
        direction = vector if d <= n else centred.T @ vector / np.sqrt(value)
        directions[:, axis] = direction * np.sign(direction[np.abs(direction).argmax()])
        shares[axis] = float(value) / total

    def place(others: Dense) -> Points:
        found: Points = (normalized(others).astype(np.float64) - middle) @ directions
        return found

    return Plane(centred @ directions, ("PC 1", "PC 2"), (shares[0], shares[1]), place)


def _umap(units: Dense, seed: int) -> Plane:
    """McInnes, Healy & Melville 2018, "UMAP", by the package umap-learn, started from the map by PCA."""
    flat = _pca(units, seed).points
    start = flat / (np.abs(flat).max() or 1) * 10
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of tensorflow that is not there, and of points that are alone
        umap: Any = require("umap", "umap", "a map by UMAP")
        model = umap.UMAP(
            n_neighbors=min(_UMAP_NEIGHBORS, len(units) - 1),
            metric="cosine",
            init=start.astype(np.float32),
            random_state=seed,
            n_jobs=1,
        )
        points = np.asarray(model.fit_transform(units), np.float64)

    def place(others: Dense) -> Points:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return np.asarray(model.transform(normalized(others)), np.float64)

    return Plane(points, ("UMAP 1", "UMAP 2"), None, place)


_METHODS: Mapping[str, Callable[[Dense, int], Plane]] = {"pca": _pca, "umap": _umap}
