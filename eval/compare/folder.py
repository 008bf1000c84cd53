"""The folder of a comparison: what is done of it, so that a run that was stopped goes on, and no result is overwritten.

config.json     what is compared on what, in full: with it the comparison can be repeated
work/           answers of the systems that are done, and vectors; removed when all are
runs/           a TREC run for each collection and system
report.json     every number; report.html and report.md show it
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ragembed.errors import DatasetError, StoreError
from ragembed.eval.answers import SCRATCH
from ragembed.eval.compare.outcome import Outcome
from ragembed.index.lock import write_lock
from ragembed.lines import write_lines

CONFIG, WORK, RUNS, REPORT = "config.json", "work", "runs", "report.json"
_OURS = (CONFIG, WORK, RUNS, REPORT, "report.html", "report.md")
_LOCK = ".lock"


class ReportFolder:
    """A folder that holds one comparison, finished or not."""

    def __init__(self, path: Path, config: dict[str, Any]) -> None:
        self.path = path
        self.config = config
        self._digest = hashlib.sha256(_plain(_deciding(config)).encode()).hexdigest()[:16]

    @contextlib.contextmanager
    def open(self, *, force: bool = False) -> Iterator[bool]:
        """Hold the folder for this comparison; gives whether a run before has left something to go on from.

        Raises `StoreError` where it holds anything else: another comparison, or one that is finished, which `force`
        removes, or files that are none of ours, which nothing removes.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(
                f"{self.path} cannot be made ({error.strerror})", "name a folder you may write to"
            ) from error
        with write_lock(self.path, _LOCK):
            try:
                resumed = self._claim(force)
            except StoreError:
                (self.path / _LOCK).unlink()
                raise
            write_lines(self.path / CONFIG, [json.dumps(self.config, ensure_ascii=False, indent=1)])
            work = self.path / WORK
            work.mkdir(exist_ok=True)
            for left in work.glob(f"{SCRATCH}*"):  # indexes of jobs that were killed
                _remove(left)
            yield resumed
            if not work.exists():
                (self.path / _LOCK).unlink()

    def outcome(self, dataset: int, system: int) -> Outcome | None:
        """What was saved of that system on that collection; None where nothing whole was."""
        try:
            return Outcome.from_json(json.loads(self._place(dataset, system).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError, LookupError, AttributeError):
            return None

    def save(self, dataset: int, system: int, outcome: Outcome) -> None:
        """Keep what a system has answered; whole or not at all."""
        write_lines(self._place(dataset, system), [_plain(outcome.to_json())])

    def finish(self) -> None:
        """Remove what only an unfinished comparison needs."""
        _remove(self.path / WORK)

    def _place(self, dataset: int, system: int) -> Path:
        return self.path / WORK / f"{self._digest}-{dataset}-{system}.json"

    def _claim(self, force: bool) -> bool:
        there = {path.name for path in self.path.iterdir() if not path.name.startswith(".")}
        strange = sorted(there - set(_OURS))
        if strange:
            raise StoreError(
                f"{self.path} holds {strange[0]!r}, which is of no comparison", "name a new or empty folder"
            )
        if not there:
            return False
        before = self._before()
        if before is None:
            raise StoreError(
                f"{self.path} is no comparison that can be gone on from: its {CONFIG} is missing or damaged",
                "name another folder, or delete this one",
            )
        if not force:
            if not (self.path / WORK).is_dir():
                raise StoreError(
                    f"{self.path} holds a comparison already",
                    "name another folder, give --force to replace it, or --reproduce to repeat it",
                )
            if _deciding(before) != _deciding(self.config):
                now = _deciding(self.config)
                changed = ", ".join(key for key, value in _deciding(before).items() if now.get(key) != value)
                raise StoreError(
                    f"{self.path} holds an unfinished comparison with other {changed or 'options'}",
                    "give the same options to go on, or --force to begin anew",
                )
            return True
        for name in _OURS:
            _remove(self.path / name)
        return False

    def _before(self) -> dict[str, Any] | None:
        try:
            return read_config(self.path)
        except DatasetError:
            return None


def _deciding(config: dict[str, Any]) -> dict[str, Any]:
    """The configuration without the places of collections, which their contents stand for."""
    datasets = [{**each, "source": None} for each in config.get("datasets", [])]
    return {**config, "datasets": datasets}


def read_config(folder: Path) -> dict[str, Any]:
    """The configuration of the comparison in `folder`; raises `DatasetError` where there is none."""
    return _read(folder / CONFIG, "configuration")


def read_report(folder: Path) -> dict[str, Any]:
    """The report of the comparison in `folder`; raises `DatasetError` where there is none, or none that is whole."""
    return _read(folder / REPORT, "report")


def _read(path: Path, what: str) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DatasetError(
            f"{path} cannot be read ({error.strerror})", "name the folder of a finished comparison"
        ) from error
    except (ValueError, RecursionError) as error:
        raise DatasetError(f"{path} is damaged ({error})", "make the comparison again") from error
    if not isinstance(found, dict) or found.get("format") != 1:
        raise DatasetError(f"{path} is no {what} of a comparison", "name the folder of a finished comparison")
    return found


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _plain(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
