"""The sparse search compiled by numba (extra ``fast``), once so many queries have come that its import is repaid.

Same sums in the same order as `ragembed.index.sparse`, hence the same scores bit for bit.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import sys
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ragembed.threads import spread

if TYPE_CHECKING:
    from ragembed.index.sparse import SparseSegment, Weighed

LOADING = 0.5
"""Seconds that loading numba and its cached code takes, about."""
_MODULE = "ragembed.index.sparse_compiled"
_LEAST = 32
"""Queries for which a thread is worth starting."""
_NONE = np.zeros(0, np.bool_)


def worth_compiling(queries: int, documents: int) -> bool:
    """Whether so many queries would have repaid the loading of the compiled code, or it is loaded already."""
    without = queries * (4e-5 + documents * 3e-9)
    return (_MODULE in sys.modules or (available() and without > LOADING)) and usable(_MODULE)


@functools.cache
def available() -> bool:
    """Whether numba is installed."""
    return importlib.util.find_spec("numba") is not None


@functools.cache
def usable(module: str) -> bool:
    """Whether that module of compiled code can be loaded: numba is installed, and has a place for what it compiles."""
    try:
        importlib.import_module(module)
    except (ImportError, OSError, RuntimeError):
        return False
    return True


def search_many(
    segment: SparseSegment,
    weights: NDArray[np.float32],
    weighed: Weighed,
    numbers: NDArray[np.int64],
    k: int,
    excluded: NDArray[np.bool_] | None,
) -> list[tuple[NDArray[np.int64], NDArray[np.float32]]]:
    """The k best (rows, scores) of one segment for each query, without the documents `excluded`.

    `numbers` are the segment's numbers of ``weighed.terms``.
    """
    postings = segment.postings
    k = min(k, postings.size)
    from ragembed.index import sparse_compiled

    def part(first: int, last: int) -> list[tuple[NDArray[np.int64], NDArray[np.float32]]]:
        documents, scores, found = sparse_compiled.search(
            weighed.bounds[first : last + 1],
            numbers,
            weighed.values,
            postings.list_starts,
            postings.documents.view(
                np.uint32
            ),  # unsigned: spares the compiled code a check for negative ones
            weights,
            excluded if excluded is not None else _NONE,
            postings.size,
            k,
        )
        rows = segment.rows[documents]
        return [(of[:n], score[:n]) for of, score, n in zip(rows, scores, found.tolist(), strict=True)]

    return list(chain.from_iterable(spread(part, len(weighed.bounds) - 1, _LEAST)))
