"""Vectors in fewer bits: float16, int8 or one bit a number, in the forms that FAISS and its like read.

What each keeps is measured by `ragembed.eval.bench.encoder_start`; docs/embedders.md has the table.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ragembed.embed.base import Dense
from ragembed.errors import SpecError

TYPES = ("float32", "float16", "int8", "binary")


def quantized(vectors: Dense, kind: str) -> NDArray[Any]:
    """`vectors` ``(n, d)`` in another type.

    ``float16``: rounded.

    ``int8``: each vector times 127 over its largest absolute number, rounded. Its length is lost and its direction
    kept, so that cosines need no calibration.

    ``binary``: ``(n, ceil(d / 8))`` of uint8, a bit for each number, 1 where it is above 0, the first in the highest
    bit of the first byte. Two vectors are as near as few bits differ.
    """
    check_type(kind)
    if kind == "int8":
        largest = np.abs(vectors).max(axis=1, keepdims=True, initial=0)
        scaled = np.divide(vectors * np.float32(127), largest, out=np.zeros_like(vectors), where=largest > 0)
        steps: NDArray[Any] = np.rint(scaled).astype(np.int8)
        return steps
    if kind == "binary":
        return np.packbits(vectors > 0, axis=1)
    rounded: NDArray[Any] = vectors.astype(kind, copy=False)
    return rounded


def check_type(kind: str) -> None:
    """Raise `SpecError` where there is no type of that name."""
    if kind not in TYPES:
        raise SpecError(f"unknown type {kind!r} of vectors", f"valid are: {', '.join(TYPES)}")
