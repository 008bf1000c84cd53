"""One count reaches every library, and faiss and torch work side by side whichever comes first."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from ragembed.errors import SpecError
from ragembed.threads import available_threads, set_threads

SIDE_BY_SIDE = """
import sys
from ragembed.threads import set_threads
set_threads(2)
for name in sys.argv[1:]:
    __import__(name)
import faiss, numpy as np, torch
assert torch.get_num_threads() == 2, torch.get_num_threads()
assert faiss.omp_get_max_threads() == 2, faiss.omp_get_max_threads()
rng = np.random.default_rng(0)
vectors = rng.standard_normal((4000, 64), dtype=np.float32)
index = faiss.IndexFlatIP(64)
index.add(vectors)
weights = torch.from_numpy(rng.standard_normal((64, 64), dtype=np.float32))
for _ in range(5):  # the two pools take turns, as they do in a search
    encoded = (torch.from_numpy(vectors[:500]) @ weights).numpy()
    scores, rows = index.search(encoded, 5)
    expected = encoded.astype(np.float64) @ vectors.T.astype(np.float64)
    assert np.array_equal(rows[:, 0], expected.argmax(axis=1))
    assert np.allclose(scores[:, 0], expected.max(axis=1), rtol=1e-4)
set_threads(1)
assert (torch.get_num_threads(), faiss.omp_get_max_threads()) == (1, 1)
assert np.array_equal(index.search(encoded, 5)[1], rows)
print("right")
"""

EARLY = """
import os
from ragembed.threads import set_threads
set_threads(1)
import faiss
assert faiss.omp_get_max_threads() == 1
set_threads(3)
assert faiss.omp_get_max_threads() == 3
assert os.environ["OMP_NUM_THREADS"] == os.environ["NUMBA_NUM_THREADS"] == "3"
print("right")
"""


def run(code: str, *arguments: str) -> str:
    clean = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=clean)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("order", [("faiss", "torch"), ("torch", "faiss")], ids=" then ".join)
def test_faiss_and_torch_in_one_process(order: tuple[str, str]) -> None:
    pytest.importorskip("torch", reason="needs the extra st")
    assert run(SIDE_BY_SIDE, *order) == "right"


def test_count_reaches_what_is_loaded_before_and_after() -> None:
    assert run(EARLY) == "right"


def test_numba_is_told_through_its_function_once_loaded() -> None:
    pytest.importorskip("numba", reason="needs the extra fast")
    code = (
        "import numba; from ragembed.threads import set_threads; set_threads(1);"
        "assert numba.get_num_threads() == 1; set_threads(10_000);"
        "print(numba.get_num_threads() == numba.config.NUMBA_NUM_THREADS)"
    )
    assert run(code) == "True"


def test_numpys_blas_follows_where_threadpoolctl_is_there() -> None:
    pytest.importorskip("threadpoolctl", reason="comes with the extra st")
    code = (
        "import numpy; from ragembed.threads import set_threads; set_threads(1); import threadpoolctl;"
        "print({p['num_threads'] for p in threadpoolctl.threadpool_info() if p['user_api'] == 'blas'})"
    )
    assert run(code) == "{1}"


def test_at_least_one_thread_is_available() -> None:
    assert 1 <= available_threads() <= (os.cpu_count() or 1)


@pytest.mark.parametrize("count", [0, -1])
def test_no_threads_is_an_error(count: int) -> None:
    with pytest.raises(SpecError, match=f"{count} threads.*1 to"):
        set_threads(count)
