"""Workers run at once, their errors come out, and what they have read is told."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path

import pytest

from ragembed.embed.words.train.on_gensim.epoch import run_epoch
from ragembed.embed.words.train.on_gensim.lines import Shard


def shards(folder: Path, *sizes: int) -> list[Shard]:
    found = []
    for number, size in enumerate(sizes):
        path = folder.resolve() / f"{number}.txt"
        path.write_bytes(b"x" * size)
        found.append(Shard(path, size, size))
    return found


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells how far a file is read")
def test_the_share_is_what_was_read_of_the_files(tmp_path: Path) -> None:
    halfway = threading.Event()
    told: list[float] = []

    def work(shard: Shard) -> None:
        if shard.size == 100:
            return
        with shard.path.open("rb", buffering=0) as file:
            file.read(150)
            assert halfway.wait(20)

    def share(done: float) -> None:
        told.append(done)
        if done == 0.625:
            halfway.set()

    run_epoch(work, shards(tmp_path, 100, 300), share, None)  # all of one file, half of the other
    assert 0.625 in told
    assert told == sorted(told)


def test_elsewhere_the_last_epoch_foretells_the_share(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ragembed.embed.words.train.on_gensim.epoch._OPEN_FILES", tmp_path / "none")
    told: list[float] = []
    stop = threading.Event()

    def share(done: float) -> None:
        told.append(done)
        stop.set()

    run_epoch(lambda shard: assert_true(stop.wait(20)), shards(tmp_path, 5), share, 100.0)
    assert 0 < told[0] < 1


def assert_true(value: bool) -> None:
    assert value


def test_an_error_of_a_worker_is_raised(tmp_path: Path) -> None:
    def work(shard: Shard) -> None:
        raise MemoryError(shard.path.name)

    with pytest.raises(MemoryError, match=r"0\.txt"):
        run_epoch(work, shards(tmp_path, 1), lambda share: None, None)


def test_an_interrupted_epoch_ends_its_threads(tmp_path: Path) -> None:
    """Compiled loops look at nothing but the end of their file: it comes at once."""
    given = shards(tmp_path, 1000, 1000)
    ended = []

    def work(shard: Shard) -> None:
        with shard.path.open("rb", buffering=0) as file:
            while file.read(1):
                time.sleep(0.2)
        ended.append(shard)

    def share(done: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_epoch(work, given, share, 100.0)
    assert len(ended) == 2
    assert all(shard.path.stat().st_size == 0 for shard in given)
