from __future__ import annotations

import random
from pathlib import Path

import pytest

from ragembed.eval.bench.powercut import DONE, Disk, Record, cuts, with_unseen_renames


def record(kind: str, path: str = "", target: str = "", at: int = 0, data: bytes = b"") -> Record:
    return Record(kind, path, target, at, data)


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    """A synced file `old` that says ``old``."""
    (tmp_path / "old").write_bytes(b"old")
    return Disk(tmp_path)


def image(disk: Disk, survives: str) -> dict[str, bytes]:
    return disk.image(survives, random.Random(0))


def test_an_unsynced_write_is_lost(disk: Disk) -> None:
    disk.apply(record("write", "/old", at=3, data=b"er"))
    assert image(disk, "nothing") == {"/old": b"old"}
    disk.apply(record("fsync", "/old"))
    assert image(disk, "nothing") == {"/old": b"older"}


def test_a_synced_file_needs_its_folder_synced_to_have_a_name(disk: Disk) -> None:
    for step in (
        record("create", "/new"),
        record("write", "/new", data=b"new"),
        record("fsync", "/new"),
    ):
        disk.apply(step)
    assert image(disk, "nothing") == {"/old": b"old"}
    disk.apply(record("fsync", ""))
    assert image(disk, "nothing") == {"/old": b"old", "/new": b"new"}


def test_a_rename_before_the_content_is_synced_leaves_an_empty_file(disk: Disk) -> None:
    for step in (
        record("create", "/new.tmp"),
        record("write", "/new.tmp", data=b"new"),
        record("rename", "/new.tmp", "/new"),
    ):
        disk.apply(step)
    assert image(disk, "names") == {"/old": b"old", "/new": b""}


def test_a_rename_that_the_trace_lacks_is_put_after_the_last_write() -> None:
    made, written = record("create", "/new.tmp", at=7), record("write", "/new.tmp", data=b"new")
    folder, synced = record("fsync", "", at=1), record("fsync", "/new", at=7)
    renamed = record("rename", "/new.tmp", "/new")
    whole = [made, written, renamed, folder, synced]
    assert with_unseen_renames([made, written, folder, synced]) == whole
    assert with_unseen_renames(whole) == whole


def test_an_unsynced_unlink_may_be_undone(disk: Disk) -> None:
    disk.apply(record("unlink", "/old"))
    assert image(disk, "nothing") == {"/old": b"old"}
    assert image(disk, "names") == {}
    disk.apply(record("fsync", ""))
    assert image(disk, "nothing") == {}


def test_a_later_write_may_land_without_an_earlier_one(disk: Disk) -> None:
    disk.apply(record("truncate", "/old"))
    disk.apply(record("write", "/old", data=b"ab"))
    disk.apply(record("write", "/old", at=2, data=b"cd"))
    seen = {disk.image("random", random.Random(seed))["/old"] for seed in range(100)}
    assert seen == {b"old", b"abd", b"olcd", b"abcd", b"", b"ab", b"\0\0cd"}


def test_cuts_know_when_the_step_had_said_that_it_was_done(disk: Disk) -> None:
    trace = [record("write", "/old", data=b"x"), record("mark", DONE), record("unlink", "/old")]
    told = [(cut.number, cut.done) for cut in cuts(disk, trace, every=1) if cut.survives == "nothing"]
    assert told == [(0, False), (1, False), (2, True), (3, True)]
