from __future__ import annotations

import subprocess
import sys

import pytest

from ragembed.index import kernels

pytest.importorskip("numba", reason="needs the extra fast")

LOADED = """
import sys
import numpy as np
from ragembed.embed.weighting import BM25Weighting
from ragembed.index.postings import postings_of_terms
from ragembed.index.sparse import SparseIndex, SparseSegment
index = SparseIndex([SparseSegment(postings_of_terms([["a"]] * 1000), np.arange(1000))], BM25Weighting())
index.search_many([["a"]] * int(sys.argv[1]), 10)
print("numba" in sys.modules)
"""
IMPORTED_BY_OTHERS = "import numba\n" + LOADED.replace(
    'print("numba" in sys.modules)',
    "from ragembed.index import kernels; print(kernels._compiled.cache_info().currsize > 0)",
)


@pytest.mark.parametrize(("queries", "loaded"), [(1, "False"), (20_000, "True")])
@pytest.mark.parametrize("script", [LOADED, IMPORTED_BY_OTHERS])
def test_numba_is_loaded_only_where_it_repays(script: str, queries: int, loaded: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", script, str(queries)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == loaded


def test_what_is_loaded_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    kernels._compiled()
    assert kernels.worth_compiling(1, 1)
    kernels._compiled.cache_clear()
    assert not kernels.worth_compiling(1, 1)
    assert kernels.worth_compiling(1, 10**9)
    monkeypatch.setattr(kernels, "available", lambda: False)
    assert not kernels.worth_compiling(10**9, 10**9)
