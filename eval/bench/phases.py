"""What a process is doing at this moment, told through memory that outlives it, so that a kill knows what it hit.

The functions that make up a write are wrapped, in the process that is to be killed only; the innermost one that is
running is the phase.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import mmap
import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

_WRAPPED = {
    "open": "ragembed.pipeline:Pipeline.open",
    "walk": "ragembed.read:walk",
    "chunk": "ragembed.chunk.base:Chunker.chunk",
    "embed": "ragembed.sync:embed",
    "plan": "ragembed.index.writer:Writer.plan",
    "commit": "ragembed.index.writer:Writer.commit",
    "segment file": "ragembed.index.writer:durable_file",
    "merge": "ragembed.index.writer:Writer.merge",
    "compact": "ragembed.index.writer:Writer.compact",
    "shrink": "ragembed.index.writer:Writer.shrink",
    "sweep": "ragembed.index.writer:Writer.sweep",
    "build accelerator": "ragembed.accelerate:Kept.built",
    "save accelerator": "ragembed.accelerate:Kept.save",
    "drop accelerators": "ragembed.accelerate:drop_all",
    "look after accelerators": "ragembed.accelerate:after_update",
    "fsync": "os:fsync",
    "rename": "os:replace",
}
"""Phase -> the function whose running it is."""
_STATEMENTS = {
    "SELECT": "SQL read",
    "PRAGMA": "SQL pragma",
    "BEGIN": "SQL begin",
    "COMMIT": "SQL commit",
    "ROLLBACK": "SQL rollback",
    "VACUUM": "SQL vacuum",
}
_WRITE, _CLOSE = "SQL write", "SQL close"
IDLE, STEP = "idle", "other work"
PHASES = (IDLE, STEP, *_WRAPPED, *dict.fromkeys(_STATEMENTS.values()), _WRITE, _CLOSE)
"""All phases: `IDLE` is outside of any step, `STEP` is in a step but in none of the others."""
_BEGUN, _DONE, _PHASE, _TURN, _HELD = range(5)
_HOLD = 5.0
"""Seconds in which a process that is held is surely killed."""


@dataclass(slots=True)
class Turn:
    """A stretch of time in one phase; `number` counts the changes of phase."""

    number: int
    phase: str
    seconds: float = 0.0


@dataclass(slots=True)
class Board:
    """Memory that a process shares with those it forks: steps begun and done, the phase, changes of phase so far."""

    _memory: mmap.mmap = field(default_factory=lambda: mmap.mmap(-1, 4096))

    def _cells(self) -> memoryview:
        return memoryview(self._memory).cast("q")

    def clear(self) -> None:
        """Before a run."""
        self._memory[:] = bytes(len(self._memory))

    def begin(self, step: int) -> None:
        """Say that the step of that number, from 1, is about to begin."""
        self._cells()[_BEGUN] = step

    def end(self, step: int) -> None:
        """Say that it is done."""
        self._cells()[_DONE] = step

    def hold(self, turn: int) -> None:
        """Have the process wait when the phase has changed so many times, to be killed there."""
        self._cells()[_HELD] = turn

    @property
    def begun(self) -> int:
        """The last step that began."""
        return self._cells()[_BEGUN]

    @property
    def done(self) -> int:
        """The last step that was done."""
        return self._cells()[_DONE]

    @property
    def phase(self) -> str:
        """The phase that the process is in, or died in."""
        return PHASES[self._cells()[_PHASE]]

    @property
    def turn(self) -> int:
        """How often the phase has changed."""
        return self._cells()[_TURN]

    @contextlib.contextmanager
    def within(self, phase: str, timeline: list[tuple[float, str]] | None = None) -> Iterator[None]:
        """Be in `phase`, and after it in what was before."""
        cells = self._cells()
        outer = cells[_PHASE]
        self._turn(PHASES.index(phase), timeline)
        try:
            yield
        finally:
            self._turn(outer, timeline)

    def _turn(self, phase: int, timeline: list[tuple[float, str]] | None) -> None:
        cells = self._cells()
        cells[_PHASE] = phase
        cells[_TURN] += 1
        if timeline is not None:
            timeline.append((time.perf_counter(), PHASES[phase]))
        if cells[_TURN] == cells[_HELD]:
            time.sleep(_HOLD)


def watch(board: Board, timeline: list[tuple[float, str]] | None = None) -> None:
    """Wrap the functions of this process, for good; `timeline` gets the time of every change of phase."""
    for phase, name in _WRAPPED.items():
        module, _, path = name.partition(":")
        owner: Any = importlib.import_module(module)
        *outer, last = path.split(".")
        for part in outer:
            owner = getattr(owner, part)
        made_by_class = isinstance(vars(owner).get(last), classmethod)
        wrapped = _wrapped(getattr(owner, last), functools.partial(board.within, phase, timeline))
        setattr(owner, last, staticmethod(wrapped) if made_by_class else wrapped)
    connect = sqlite3.connect

    class Watched(sqlite3.Connection):
        def execute(self, sql: str, *rest: Any) -> sqlite3.Cursor:
            with board.within(_STATEMENTS.get(sql.split(None, 1)[0].upper(), _WRITE), timeline):
                return super().execute(sql, *rest)

        def executemany(self, sql: str, *rest: Any) -> sqlite3.Cursor:
            with board.within(_WRITE, timeline):
                return super().executemany(sql, *rest)

        def close(self) -> None:
            with board.within(_CLOSE, timeline):
                super().close()

    setattr(sqlite3, "connect", functools.partial(connect, factory=Watched))  # noqa: B010 - it is overloaded


def _wrapped(function: Callable[..., Any], within: Callable[[], Any]) -> Callable[..., Any]:
    """`function` within a phase; where it makes a context, the phase is its entering and its leaving."""

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        with within():
            result = function(*args, **kwargs)
        return _Context(result, within) if hasattr(result, "__exit__") and hasattr(result, "gen") else result

    return wrapper


class _Context:
    def __init__(self, inner: Any, within: Callable[[], Any]) -> None:
        self.inner = inner
        self.within = within

    def __enter__(self) -> Any:
        self.body = self.within()
        self.body.__enter__()
        return self.inner.__enter__()

    def __exit__(self, *error: Any) -> Any:
        try:
            return self.inner.__exit__(*error)
        finally:
            self.body.__exit__(None, None, None)


def turns(timeline: list[tuple[float, str]]) -> list[Turn]:
    """How long each phase of a timeline lasted; the last change has no length."""
    return [
        Turn(number, phase, timeline[number][0] - at)
        for number, (at, phase) in enumerate(timeline, 1)
        if number < len(timeline)
    ]
