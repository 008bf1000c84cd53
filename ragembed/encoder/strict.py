"""A text's vector to the last bit, whatever it is embedded with.

What sums come to depends on their order, and the order that a matrix product takes depends on how many rows it has and
how many threads share it. So each text goes through the model alone, on one thread; several texts go side by side.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

Text = TypeVar("Text")
Vector = TypeVar("Vector")
_ONE_AT_A_TIME = threading.Lock()
"""MKL's number of threads belongs to the process: whoever is done first would give it back too early."""


def one_by_one(texts: Sequence[Text], run: Callable[[Text], Vector], device: torch.device) -> list[Vector]:
    """What `run` makes of each of `texts`, on one of torch's threads each, as many at once as torch has threads.

    Meanwhile torch has one thread in the whole process, also for what others compute.
    """
    threads = torch.get_num_threads()
    if device.type != "cpu" or threads == 1 or not texts:
        return [run(text) for text in texts]
    with _ONE_AT_A_TIME:
        try:
            # OpenMP counts threads for each thread that calls it, so each has to be told
            with ThreadPoolExecutor(threads, "strict", torch.set_num_threads, (1,)) as pool:
                return list(pool.map(run, texts))
        finally:
            torch.set_num_threads(threads)
