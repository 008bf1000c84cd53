"""How many threads the numeric libraries use: set once, in this one place.

What is known about them in one process (Linux wheels; `tests/test_threads.py` holds it):

* faiss and torch each bring an OpenMP runtime of their own (two copies of GNU's libgomp), and numpy and faiss
  each an OpenBLAS. Importing faiss or torch first makes no difference; each keeps its own pool of threads.
* A runtime reads its environment variable once, when it is loaded, and afterwards listens only to its own
  function. So a count has to go both ways: into the environment for what is not imported yet, and through the
  function of what is.
* The pools do not survive a fork: start worker processes with the ``spawn`` method.
* On macOS both wheels bring LLVM's libomp, which may refuse a second copy of itself; this is not tested here.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from ragembed.errors import SpecError

T = TypeVar("T")

_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS")


def available_threads() -> int:
    """Processor cores that this process may use: fewer than the machine has, under ``taskset``."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def spread(work: Callable[[int, int], T], count: int, least: int) -> list[T]:
    """What `work` returns for the first and last of `count` things, in one part for each thread, in their order.

    A part has at least `least`, so that few are not worth a thread. `work` must let the others run while it computes.
    """
    parts = max(1, min(threads(), count // least))
    bounds = [count * part // parts for part in range(parts + 1)]
    if parts == 1:
        return [work(0, count)]
    with ThreadPoolExecutor(parts, "ragembed-spread") as pool:
        return list(pool.map(work, bounds[:-1], bounds[1:]))


def threads() -> int:
    """How many threads there are to use: as `set_threads` was told, else one a core."""
    told = os.environ.get("OMP_NUM_THREADS", "")
    return int(told) if told.isdecimal() and int(told) else available_threads()


def wait_calmly() -> None:
    """Have OpenMP threads that wait for work sleep soon, instead of spinning on a processor that others need.

    With one other process busy on two cores, an embedding of one query by a transformer took 468 ms with the
    runtimes' own setting and 8 ms with this; alone it made no difference. Call before torch or faiss is imported;
    an environment that says how to wait is left as it is.
    """
    if not {"GOMP_SPINCOUNT", "OMP_WAIT_POLICY"} & os.environ.keys():
        os.environ["GOMP_SPINCOUNT"] = "1000"


def set_threads(count: int) -> None:
    """Make every numeric library, loaded already or later, use `count` threads.

    Call this early, for two of them listen badly once they are loaded: numba never uses more threads than it
    started with, and numpy's own BLAS is told only where threadpoolctl is installed (extra ``st``).
    """
    if count < 1:
        raise SpecError(f"{count} threads make no sense", f"give a number from 1 to {available_threads()}")
    for variable in _VARIABLES:
        os.environ[variable] = str(count)
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(count)
    if faiss := sys.modules.get("faiss"):
        faiss.omp_set_num_threads(count)
    if numba := sys.modules.get("numba"):
        numba.set_num_threads(min(count, numba.config.NUMBA_NUM_THREADS))
    else:
        # numba raises if this changes after its threads have started
        os.environ["NUMBA_NUM_THREADS"] = str(count)
    if "numpy" in sys.modules and importlib.util.find_spec("threadpoolctl") is not None:
        importlib.import_module("threadpoolctl").threadpool_limits(count, user_api="blas")
