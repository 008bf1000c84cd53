from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ragembed.errors import LockedError
from ragembed.index.lock import LOCK_NAME, write_lock

HOLD = "import sys\nfrom pathlib import Path\nfrom ragembed.index.lock import write_lock\n" + (
    "with write_lock(Path(sys.argv[1])):\n    print('held', flush=True)\n    sys.stdin.read()\n"
)


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock until its standard input ends."""
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with process:
        assert process.stdout
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_second_process_is_told_who_writes(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    with pytest.raises(LockedError) as raised, write_lock(tmp_path):
        pass
    assert raised.value.fault == f"{tmp_path} is being written by process {holder.pid}"
    assert raised.value.remedy == "wait until it is done, or stop that process"


def test_a_process_that_is_done_frees_the_lock(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    holder.communicate("")
    with write_lock(tmp_path):
        assert (tmp_path / LOCK_NAME).read_text() == f"{os.getpid()}\n"
    assert (tmp_path / LOCK_NAME).read_text() == ""


def test_a_process_that_is_killed_frees_the_lock(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    holder.kill()
    holder.wait()
    with write_lock(tmp_path):
        pass


def test_the_same_process_does_not_write_twice(tmp_path: Path) -> None:
    with write_lock(tmp_path):
        with pytest.raises(LockedError, match="by this process already"), write_lock(tmp_path):
            pass
        with pytest.raises(LockedError, match="by this process already"), write_lock(tmp_path):
            pass
    with write_lock(tmp_path):
        pass


def test_an_exception_frees_the_lock(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), write_lock(tmp_path):
        raise ZeroDivisionError
    with write_lock(tmp_path):
        pass
