"""Steers faultfs.c: the N-th file operation below a folder fails, is done by half, or kills the process.

The library is preloaded, so it sees SQLite's operations as well as Python's. Linux only, and it needs a C compiler.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from ragembed.eval.bench.forked import THREADS

KINDS = ("create", "write", "fsync", "rename", "unlink", "truncate", "mkdir")
"""File operations that are counted, in the order of the C code's ``enum kind``."""
MARK = len(KINDS)
"""The kind of a record in a trace that is no operation but a remark."""
SPACE = ("create", "write", "truncate", "mkdir")
"""Operations that can take space."""
MODES = ("off", "once", "full", "dead", "short", "kill", "torn")
"""What happens at the N-th operation, in the order of the C code's ``enum mode``:

- once: it fails (EIO for fsync, rename and unlink, else ENOSPC)
- full: it and all later ones that take space fail with ENOSPC
- dead: it and all later ones fail with EIO
- short: half of what it writes is written, and then as full
- kill: the process dies before it
- torn: the process dies after half of what it writes is written
"""
COUNTED = {
    "off": KINDS,
    "once": KINDS,
    "full": SPACE,
    "dead": KINDS,
    "short": ("write",),
    "kill": KINDS,
    "torn": ("write",),
}
"""Operations that are counted, and so can be the one at which a mode begins."""
_SOURCE = Path(__file__).with_name("faultfs.c")


def missing() -> str:
    """Why faults cannot be injected on this machine; empty where they can."""
    if not sys.platform.startswith("linux"):
        return f"faults are injected by preloading a library, which needs Linux, not {sys.platform}"
    if shutil.which("cc") is None:
        return "faults are injected by a library in C, and there is no C compiler `cc` here"
    return ""


def build(folder: Path) -> Path:
    """Compile the library into `folder`; returns its path."""
    library = folder / "faultfs.so"
    command = ["cc", "-O1", "-shared", "-fPIC", "-o", str(library), str(_SOURCE), "-ldl"]
    subprocess.run(command, check=True, capture_output=True)
    return library


def environment(library: Path) -> dict[str, str]:
    """The environment of a process that has `library` preloaded and that may fork."""
    return {**os.environ, **dict.fromkeys(THREADS, "1"), "LD_PRELOAD": str(library)}


class Faults:
    """The library as it is loaded into this process. Its state is shared with the processes that this one forks."""

    def __init__(self) -> None:
        library = ctypes.CDLL(os.environ["LD_PRELOAD"])
        library.faultfs_arm.argtypes = (ctypes.c_char_p, ctypes.c_long, ctypes.c_int, ctypes.c_uint)
        library.faultfs_seen.restype = ctypes.c_long
        library.faultfs_hit_path.restype = ctypes.c_char_p
        library.faultfs_mark.argtypes = (ctypes.c_char_p,)
        self._library = library

    def arm(self, folder: Path, number: int, mode: str, kinds: Iterable[str] | None = None) -> None:
        """From now on count operations below `folder`; at the one of that `number`, from 1, `mode` begins."""
        bits = sum(1 << KINDS.index(kind) for kind in kinds or COUNTED[mode])
        mode_number = MODES.index(
            "once" if mode == "off" else mode
        )  # counting alone: number 0 is never reached
        self._library.faultfs_arm(os.fsencode(folder.resolve()), number, mode_number, bits)

    def disarm(self) -> None:
        """Let everything through again, and end the trace."""
        self._library.faultfs_disarm()

    def trace(self, handle: int) -> None:
        """Write a record of every operation that is done to the file `handle`."""
        self._library.faultfs_trace(handle)

    def mark(self, text: str) -> None:
        """Put a remark into the trace."""
        self._library.faultfs_mark(text.encode())

    @property
    def seen(self) -> int:
        """Operations counted since `arm`."""
        return int(self._library.faultfs_seen())

    @property
    def hit(self) -> tuple[str, str] | None:
        """Kind and path of the operation at which the mode began; None where it was not reached."""
        kind = self._library.faultfs_hit_kind()
        return None if kind < 0 else (KINDS[kind], os.fsdecode(self._library.faultfs_hit_path()))
