"""The folder ``OUTPUT.training`` beside a model: a training works in it, and a kill leaves it.

plan.json     what is being trained, and how; whoever wants something else is refused, or begins anew
source.json   which texts the corpus was read from;   corpus/       its tokens
files/        what the trainer keeps;                 checkpoint/   where to go on from
result/       the model, before it takes the place of OUTPUT;   replaced/   what was in that place

The model records the plan's number, so that a folder whose model is in its place is known to be of no more use.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ragembed.embed.words.train.checkpoint import STATE, latest_checkpoint
from ragembed.errors import RagembedError, StoreError
from ragembed.index.files import replacing
from ragembed.index.lock import LOCK_NAME, write_lock

CHECKPOINT = "checkpoint"
_PLAN = "plan.json"
_NUMBER = "number"
_REPLACED = "replaced"
_OURS = frozenset({_PLAN, "source.json", "corpus", "files", CHECKPOINT, "result", _REPLACED, LOCK_NAME})
_IN_BETWEEN = (".tmp", f"{CHECKPOINT}.new", f"{CHECKPOINT}.old")
"""Ends of names that a kill may leave."""


def work_folder_of(output: Path) -> Path:
    """The folder in which a training to `output` works."""
    return output.with_name(output.name + ".training")


@contextlib.contextmanager
def work_folder(output: Path, *, replace: bool) -> Iterator[Path]:
    """The folder to train in, locked, with what an interrupted training left there; gone at the end.

    An interruption leaves it, and so does an error after the first checkpoint. Raises `StoreError` where `output` may
    not be written.
    """
    work = work_folder_of(output)
    if not work.is_dir():
        _check_output(output, replace=replace)  # before a folder is made
    if strange := _strange(work):
        raise StoreError(
            f"a training to {output} works in {work}, where {strange} is, which no training made",
            "name another folder for the model, or move that away",
        )
    with _writable(work):
        work.mkdir(parents=True, exist_ok=True)
        with write_lock(work), _nothing_left(work):
            _settle(work, output)
            _check_output(output, replace=replace)
            yield work
            shutil.rmtree(work, ignore_errors=True)


def _strange(work: Path) -> str | None:
    """The name of something in `work` that is none of a training's files; None where there is nothing."""
    if not work.is_dir():
        return work.name if work.exists() else None
    names = sorted(path.name for path in work.iterdir())
    return next((name for name in names if name not in _OURS and not name.endswith(_IN_BETWEEN)), None)


def claim(work: Path, plan: dict[str, Any], *, restart: bool) -> None:
    """Write what is being done to `work`, or raise `StoreError` where something else was begun and comes to something.

    What was begun by nobody knows whom, or has no checkpoint yet, is dropped, and with `restart` all is.
    """
    if restart:
        _clear(work)
    told = json.loads(json.dumps(plan))
    before = _read(work / _PLAN)
    if isinstance(before, dict):
        before.pop(_NUMBER, None)
    if before == told:
        return
    if before is not None and latest_checkpoint(work / CHECKPOINT) is not None:
        raise StoreError(
            f"{work} holds an interrupted training with {_difference(before, told)}",
            "repeat that command to go on with it, or add --restart to drop it",
        )
    _clear(work)
    with replacing(work / _PLAN) as file:
        file.write(json.dumps({**plan, _NUMBER: secrets.token_hex(8)}).encode() + b"\n")


def mark(work: Path, model: Path) -> None:
    """Record in `model`, not yet in its place, that it is what came out of `work`."""
    plan = _read(work / _PLAN)
    (model / STATE / _NUMBER).write_text(str(plan[_NUMBER]) + "\n", encoding="ascii")


def put_in_place(work: Path, result: Path, output: Path) -> None:
    """Rename `result` to `output`. A kill in between is mended when `work` is next opened."""
    old = work / _REPLACED
    shutil.rmtree(old, ignore_errors=True)
    if output.exists():
        output.rename(old)
    result.rename(output)


def put_back(output: Path) -> None:
    """Put the model back to `output` that was there before a kill came between the two last renames."""
    output = Path(os.path.realpath(output))
    work = work_folder_of(output)
    if not output.exists() and (work / _REPLACED).is_dir():
        with write_lock(work):
            _settle(work, output)


def _settle(work: Path, output: Path) -> None:
    """Mend what a kill left between the last renames, and drop all of a training whose model is in its place."""
    if not output.exists() and (work / _REPLACED).is_dir():
        (work / _REPLACED).rename(output)
    with contextlib.suppress(OSError, UnicodeDecodeError, TypeError, KeyError):
        if (output / STATE / _NUMBER).read_text(encoding="ascii").strip() == _read(work / _PLAN)[_NUMBER]:
            _clear(work)


@contextlib.contextmanager
def _writable(work: Path) -> Iterator[None]:
    """Turn what the system says while a training works in `work` into a `StoreError`."""
    try:
        yield
    except OSError as error:
        kept = latest_checkpoint(work / CHECKPOINT) is not None
        fault = error.strerror or f"the disk did not take all of it: {error}"
        raise StoreError(
            f"the training in {work} was stopped ({error.filename or work}: {fault})",
            "check that path, its disk and permissions, and run the same again"
            + (": it goes on from the last checkpoint" if kept else ""),
        ) from error


@contextlib.contextmanager
def _nothing_left(work: Path) -> Iterator[None]:
    """Remove `work` where an error, which is no interruption, comes before the first checkpoint."""
    try:
        yield
    except RagembedError:
        if not (work / _REPLACED).exists() and latest_checkpoint(work / CHECKPOINT) is None:
            shutil.rmtree(work, ignore_errors=True)
        raise


def _check_output(output: Path, *, replace: bool) -> None:
    if not output.exists() or (output.is_dir() and not any(output.iterdir())):
        return
    if not output.is_dir() or not any((output / STATE).glob("*.json")):
        raise StoreError(f"{output} exists and is no model that ragembed train made", "name another folder")
    if not replace:
        raise StoreError(
            f"{output} holds a trained model already", "name another folder, or add --force to replace it"
        )


def _difference(before: Any, now: Any) -> str:
    if isinstance(before, dict) and isinstance(now, dict):
        for part in ("trainer", "settings", "reading"):
            one, other = before.get(part), now.get(part)
            if isinstance(one, dict) and isinstance(other, dict):
                for key in one:
                    if one[key] != other.get(key):
                        return f"{key}={one[key]} where {other.get(key)} is asked for now"
            elif one != other:
                return f"{one} where {other} is asked for now"
    return "other settings"


def _clear(work: Path) -> None:
    for path in work.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.suffix == ".json":
            path.unlink()


def _read(path: Path) -> Any:
    """The JSON value in `path`; None where there is none."""
    with contextlib.suppress(OSError, ValueError):
        return json.loads(path.read_text(encoding="utf-8"))
    return None
