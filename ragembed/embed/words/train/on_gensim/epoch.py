"""One epoch in gensim's compiled loops: a thread a worker, each over its own file, and how far they are.

A compiled loop can be told nothing while it runs: it ends where its file ends. So Ctrl-C empties the files, and waits
for the threads; Python would not end while they run, or end with a fault of memory where they were daemons.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

from ragembed.embed.words.train.on_gensim.lines import Shard

Work: TypeAlias = Callable[[Shard], None]
"""Trains on the file of one worker, without holding Python's lock."""

_POLL = 0.25
"""Seconds between two looks at how far the workers are."""
_OPEN_FILES = Path("/proc/self/fd")


def run_epoch(
    work: Work, shards: Sequence[Shard], share: Callable[[float], None], expected: float | None
) -> None:
    """Call `work` for each of `shards` at once, and `share` with the part that is done, now and then.

    `expected`: seconds that it may take, for systems that do not tell how far a file is read. Where it is interrupted,
    the shards are empty afterwards.
    """
    failed: list[BaseException] = []

    def run(shard: Shard) -> None:
        try:
            work(shard)
        except BaseException as error:  # noqa: BLE001 - raised again where the thread was started
            failed.append(error)

    began = time.perf_counter()
    threads = [threading.Thread(target=run, args=(shard,)) for shard in shards]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            while thread.is_alive():
                thread.join(_POLL)
                done = _read(shards, [each.is_alive() for each in threads])
                if done is None and expected:
                    done = (time.perf_counter() - began) / expected
                if done is not None:
                    share(min(done, 1.0))
    except BaseException:
        _stop(threads, shards)
        raise
    if failed:
        raise failed[0]


def _stop(threads: Sequence[threading.Thread], shards: Sequence[Shard]) -> None:
    """Have the threads find the end of their files, and wait for them."""
    for shard in shards:
        with contextlib.suppress(OSError):  # then its thread ends with the epoch
            os.truncate(shard.path, 0)
    for thread in threads:
        if thread.ident is not None:  # it was started
            thread.join()


def _read(shards: Sequence[Shard], running: Sequence[bool]) -> float | None:
    """The share of all bytes that was read; None where the system does not tell (it is Linux that does)."""
    places = {str(shard.path): shard.size for shard, runs in zip(shards, running, strict=True) if not runs}
    wanted = {str(shard.path) for shard in shards} - places.keys()
    try:
        for descriptor in _OPEN_FILES.iterdir():
            name = _target(descriptor)
            if name in wanted:
                told = Path("/proc/self/fdinfo", descriptor.name).read_text()
                places[name] = int(told.split(maxsplit=2)[1])
    except (OSError, ValueError, IndexError):
        return None
    return sum(places.values()) / max(1, sum(shard.size for shard in shards))


def _target(descriptor: Path) -> str:
    try:
        return str(descriptor.readlink())
    except OSError:  # closed meanwhile
        return ""
