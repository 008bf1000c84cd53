"""A function in a forked process: what it returned, or how the process died."""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
"""What tells the numeric libraries how many threads to use."""


def single_threaded() -> None:
    """Start this process again where its numeric libraries may have threads, which do not survive a fork."""
    if any(os.environ.get(name) != "1" for name in THREADS):
        os.execve(sys.executable, sys.orig_argv, {**os.environ, **dict.fromkeys(THREADS, "1")})


@dataclass(frozen=True, slots=True)
class Ended:
    """How a process ended: with a value, by a signal, or by an exception that nobody expected."""

    value: Any = None
    signal: str = ""
    trace: str = ""

    @property
    def wrong(self) -> str:
        """What must not happen to a process that nobody kills; empty where it did not."""
        return f"died of {self.signal}" if self.signal else self.trace


class Child:
    """A call, whose value JSON can express, running in a forked process that may take so many `seconds`."""

    def __init__(self, function: Callable[..., Any], *arguments: Any, seconds: int = 120) -> None:
        reader, writer = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(reader)
            signal.alarm(seconds)
            os._exit(_report(function, arguments, writer))
        os.close(writer)
        self._reader = reader

    def join(self) -> Ended:
        """Wait for it."""
        with os.fdopen(self._reader, "rb") as file:
            data = file.read()
        _, status = os.waitpid(self.pid, 0)
        if os.WIFSIGNALED(status):
            return Ended(signal=signal.Signals(os.WTERMSIG(status)).name)
        answer = json.loads(data)
        return Ended(value=answer.get("value"), trace=answer.get("trace", ""))

    @property
    def ended(self) -> bool:
        """Whether it is over, seen without waiting."""
        return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def in_child(function: Callable[..., Any], *arguments: Any) -> Ended:
    """Call `function` in a forked process and wait for it."""
    return Child(function, *arguments).join()


def _report(function: Callable[..., Any], arguments: Sequence[Any], writer: int) -> int:
    try:
        answer = {"value": function(*arguments)}
    except BaseException:  # noqa: BLE001 - whatever it is, the parent tells
        answer = {"trace": traceback.format_exc()}
    sys.stdout.flush()
    with os.fdopen(writer, "wb") as file:
        file.write(json.dumps(answer).encode())
    return 0
