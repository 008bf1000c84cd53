"""Truncated SVD of a large sparse matrix, by randomised subspace iteration.

Source: Halko, Martinsson & Tropp 2011, "Finding structure with randomness", SIAM Review 53(2): Algorithm 4.4
finds the space, section 5.1 the vectors in it. The space is sought on the shorter side of the matrix, so that
of a long and a short factor only the short one is ever held.

Shapes: ``matrix`` (n, m), rank k, sketch width l = k + oversampling, at most min(n, m); b rows in a block.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

Sparse = Any
"""A `scipy.sparse.csr_array`, which scipy leaves without types."""

_ROWS = 8192
"""Rows of the matrix per block: the block's dense product, (8192, l), stays small beside the sketch."""


def truncated_svd(
    matrix: Sparse, rank: int, *, oversampling: int = 32, iterations: int = 6, seed: int = 0
) -> tuple[NDArray[Any], NDArray[Any]]:
    """The `rank` largest singular values, falling, and their right singular vectors: ``(k,)`` and ``(k, m)``.

    Both have the dtype of `matrix` (float32 or float64). Fewer come back where the matrix has a lower rank.
    The sign of each vector is fixed: its entry of largest magnitude is positive. Equal input, equal output.
    """
    n, m = matrix.shape
    width = min(rank + oversampling, n, m)
    if width == 0 or matrix.nnz == 0:
        return np.zeros(0, matrix.dtype), np.zeros((0, m), matrix.dtype)
    if n >= m:
        values, vectors = _right_side(matrix, rank, width, iterations, seed)
    else:
        values, left = _right_side(matrix.T.tocsr(), rank, width, iterations, seed)  # (k,), (k, n)
        vectors = (matrix.T @ left.T).T / values[:, None]  # (k, m)
    strongest = np.abs(vectors).argmax(axis=1)
    vectors = vectors * np.sign(vectors[np.arange(len(vectors)), strongest])[:, None]
    return values, vectors


def _right_side(
    matrix: Sparse, rank: int, width: int, iterations: int, seed: int
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Singular values ``(k,)`` and right singular vectors ``(k, m)`` of either sign."""
    from scipy.linalg import svd

    rng = np.random.default_rng(seed)
    basis: NDArray[Any] = rng.standard_normal((matrix.shape[1], width)).astype(matrix.dtype)  # (m, l)
    for _ in range(iterations):
        image = np.zeros_like(basis)
        for block in _blocks(matrix):
            image += block.T @ (block @ basis)  # (m, l) = (m, b) ((b, m) (m, l))
        basis = _qr(image, "economic")[0]  # (m, l), orthonormal
    # R of the QR of matrix @ basis, block by block: the same values and right vectors, in (l, l)
    triangle: NDArray[Any] = np.zeros((0, width), matrix.dtype)
    for block in _blocks(matrix):
        stacked = np.vstack([triangle, block @ basis])  # (l + b, l)
        triangle = _qr(stacked, "r")[0][:width]
    _, values, rotation = svd(triangle)  # (l,), (l, l)
    # below the rounding of its dtype a value is noise, and its vector no direction of the data
    kept = int(np.count_nonzero(values[:rank] > values[0] * width * float(np.finfo(matrix.dtype).eps)))
    return values[:kept], rotation[:kept] @ basis.T  # (k,), (k, m)


def _qr(matrix: NDArray[Any], mode: str) -> tuple[NDArray[Any], ...]:
    """The factors that `mode` asks for; `matrix` is overwritten."""
    from scipy.linalg import qr

    factors: Any = qr(matrix, mode=mode, overwrite_a=True, check_finite=False)
    return tuple(factors)


def _blocks(matrix: Sparse) -> Iterator[Sparse]:
    for start in range(0, matrix.shape[0], _ROWS):
        yield matrix[start : start + _ROWS]
