"""The crash tests' machinery lies in eval/bench, where the long versions run; here are the short ones."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from ragembed.eval.bench import faultfs

Script = Callable[..., str]


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The compiled library that injects faults; skips where it cannot be, fails in CI."""
    if reason := faultfs.missing():
        if os.environ.get("CI"):
            pytest.fail(f"CI must be able to inject faults: {reason}")
        pytest.skip(reason)
    return faultfs.build(tmp_path_factory.mktemp("faultfs"))


@pytest.fixture(scope="session", autouse=True)
def _in_memory() -> Iterator[None]:
    """Temporary folders of these tests' processes lie in memory where the system has that: syncing takes no time."""
    memory = Path("/dev/shm")
    with pytest.MonkeyPatch.context() as patch:
        if os.access(memory, os.W_OK):
            patch.setenv("TMPDIR", str(memory))
        yield


@pytest.fixture(scope="session")
def script() -> Script:
    """Runs Python code, or a module, in a process of its own."""

    def run(code: str, *arguments: object, environment: Mapping[str, str] | None = None) -> str:
        command = [sys.executable, "-c" if "\n" in code else "-m", code, *map(str, arguments)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run
