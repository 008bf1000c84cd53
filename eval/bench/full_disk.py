"""A real disk that fills up: an index on a small tmpfs, beside a file that takes what is left of it.

Needs root (mount). At each step of the script the free space is cut down until the step fails, and given back.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from ragembed.errors import RagembedError
from ragembed.eval.bench.forked import in_child
from ragembed.eval.bench.harness import table
from ragembed.eval.bench.scenario import CHUNKER, EMBEDDERS, Oracle, Place, State, Step, faults_of, script

_MEGABYTES = 16
_PAGE = 4096
_LEFT = [pages * _PAGE for pages in (0, 1, 2, 4, 8, 12, 16, 24, 32, 48, 64)]
"""Bytes left free, in turn."""


@contextlib.contextmanager
def small_disk() -> Iterator[Path]:
    """A folder on a disk of its own of a few megabytes."""
    with tempfile.TemporaryDirectory(prefix="ragembed-disk-") as folder:
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={_MEGABYTES}m", "tmpfs", folder],
            check=True,
            capture_output=True,
        )
        try:
            yield Path(folder).resolve()
        finally:
            subprocess.run(["umount", "-l", folder], check=True)


@contextlib.contextmanager
def filled(disk: Path, left: int) -> Iterator[None]:
    """Only `left` bytes free."""
    ballast = disk / "ballast"
    with ballast.open("wb") as file:
        state = os.statvfs(disk)
        os.posix_fallocate(file.fileno(), 0, max(state.f_bavail * state.f_frsize - left, 1))
    try:
        yield
    finally:
        ballast.unlink()


def _attempt(place: Place, step: Step) -> str:
    from ragembed.pipeline import Pipeline

    try:
        with Pipeline.open(place.index) as pipeline:
            step.act(pipeline, place)
    except (RagembedError, OSError) as error:
        return f"{type(error).__name__}: {error}"
    return ""


def _check(place: Place, states: Sequence[State], oracle: Oracle) -> list[str]:
    return faults_of(place.index, states, oracle)[1]


def _again(place: Place, step: Step, oracle: Oracle) -> list[str]:
    error = _attempt(place, step)
    return [error] if error else _check(place, [step.after], oracle)


def fill() -> int:
    """Print what became of each step, and return after how many attempts something was wrong."""
    rows: list[list[object]] = []
    bad = 0
    with small_disk() as disk, tempfile.TemporaryDirectory() as outside:
        place, scratch = Place(disk), Place(Path(outside).resolve())
        oracle = Oracle(scratch, EMBEDDERS["hybrid"])
        from ragembed.pipeline import Pipeline

        Pipeline.create(place.index, EMBEDDERS["hybrid"], CHUNKER).close()
        saved = scratch.root / "saved.index"
        for step in script():
            oracle.prepare(step.allowed)
            oracle.prepare([step.after])
            place.show(step.after.files)
            if step.damage:
                step.damage(place)
            shutil.copytree(place.index, saved)
            failed, wrong, messages = 0, [], set()
            for left in _LEFT:
                shutil.rmtree(place.index)
                shutil.copytree(saved, place.index)
                with filled(disk, left):
                    ended = in_child(_attempt, place, step)
                if ended.wrong:
                    wrong.append(ended.wrong)
                    continue
                failed += bool(ended.value)
                messages.add(ended.value.partition(":")[0])
                states = step.allowed if ended.value else [step.after]
                if not step.damage:
                    wrong += in_child(_check, place, states, oracle).value
            ended = in_child(_again, place, step, oracle)
            wrong += [ended.wrong] if ended.wrong else list(ended.value)
            for text in wrong:
                print(f"{step.name}: {text}")
            bad += len(wrong)
            rows.append([step.name, len(_LEFT), failed, ", ".join(sorted(messages - {""})), len(wrong)])
            shutil.rmtree(saved)
    table(("step", "attempts", "failed", "errors", "wrong"), rows)
    return bad
