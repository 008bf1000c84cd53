from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path

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
    "print('ragembed.index.sparse_compiled' in sys.modules)",
)


@pytest.mark.parametrize(("queries", "loaded"), [(1, "False"), (20_000, "True")])
@pytest.mark.parametrize("script", [LOADED, IMPORTED_BY_OTHERS])
def test_numba_is_loaded_only_where_it_repays(script: str, queries: int, loaded: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", script, str(queries)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == loaded


def test_what_is_loaded_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    importlib.import_module("ragembed.index.sparse_compiled")
    assert kernels.worth_compiling(1, 1)
    monkeypatch.delitem(sys.modules, "ragembed.index.sparse_compiled")
    assert not kernels.worth_compiling(1, 1)
    assert kernels.worth_compiling(1, 10**9)
    monkeypatch.setattr(kernels, "available", lambda: False)
    assert not kernels.worth_compiling(10**9, 10**9)


CACHED = """
import numpy as np
from ragembed.index.ann import rescore, rescore_compiled
from ragembed.index.dense import DenseSegment
from ragembed.index import kernels, sparse_compiled
from ragembed.index.flat import flat_index

vectors = np.eye(400, dtype=np.float32)
segment = DenseSegment(flat_index(vectors), np.arange(400), np.zeros(0, np.int64))
rescore.rescored([segment], vectors[:1], np.arange(100)[np.newaxis], 3, compiled=True)
bounds = np.array([0, 1])
sparse_compiled.search(
    bounds, bounds[:1], np.ones(1, np.float32), bounds, np.zeros(1, np.uint32), np.ones(1, np.float32),
    np.zeros(0, np.bool_), 1, 1,
)
stats = [rescore_compiled.best.stats, sparse_compiled.search.stats]
print([(sum(each.cache_hits.values()), sum(each.cache_misses.values())) for each in stats])
"""


def test_another_process_finds_what_was_compiled(tmp_path: Path) -> None:
    """As it would not, were the functions made anew by each process inside another function."""
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    told = [
        subprocess.run(
            [sys.executable, "-c", CACHED], capture_output=True, text=True, check=True, env=environment
        ).stdout.strip()
        for _ in range(2)
    ]
    assert told == ["[(0, 1), (0, 1)]", "[(1, 0), (1, 0)]"]


def test_without_a_place_for_compiled_code_it_is_not_used() -> None:
    script = """
from numba.core import caching
from ragembed.index import kernels
from ragembed.index.ann import rescore
(getattr(caching, "CacheImpl", None) or caching._CacheImpl)._locator_classes = []
print(kernels.worth_compiling(10**9, 10**9), rescore.worth_compiling(10**9))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False False"
