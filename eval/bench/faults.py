"""Fault injection at every file operation of every kind of write, and what the index is worth afterwards.

For each step of `scenario.script`, each way of failing and each N: a copy of the index as the step finds it, the step
in a process whose N-th file operation fails, and then, undisturbed: `verify` finds nothing, the index holds exactly a
committed state (the one after the step, where the step said that it was done) and answers as one built from scratch,
and the step, done again, succeeds. After every other fault the same object goes on instead of a fresh process.

Run by `python -m ragembed.eval.bench.kill --faults`, or by the tests, in a process that has faultfs preloaded.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ragembed.errors import NotAnIndexError, RagembedError, StoreError
from ragembed.eval.bench.faultfs import COUNTED, MODES, Faults, environment
from ragembed.eval.bench.forked import Ended, in_child, single_threaded
from ragembed.eval.bench.powercut import DONE, Disk, cuts, read_trace
from ragembed.eval.bench.scenario import (
    CHUNKER,
    EMBEDDERS,
    Oracle,
    Place,
    State,
    Step,
    ask,
    ask_near,
    faults_of,
    hits_differ,
    near_differs,
    queries_for,
    script,
    traces,
)

_MODULE = "ragembed.eval.bench.faults"
CUT = "cut"
"""The way of failing that is a power cut; see `powercut`."""
WAYS = (*MODES[1:], CUT)
"""All ways of failing."""
CREATE = "create"
"""The name of the step that makes the index, before those of the script."""


@dataclass(frozen=True, slots=True)
class Injection:
    """One fault: where it struck, what came of it, and what was wrong afterwards."""

    step: str
    mode: str
    number: int
    kind: str
    path: str
    outcome: str
    """``raised`` an error of ours, ``absorbed`` without one, ``killed`` or ``cut off``."""
    wrong: Sequence[str] = ()

    def __str__(self) -> str:
        where = f"{self.mode} at operation {self.number} ({self.kind} {self.path}) of {self.step!r}"
        return f"{where}, {self.outcome}: {'; '.join(self.wrong) or 'nothing wrong'}"


class Sweep:
    """Goes through the script, and at each step through the file operations that it does."""

    def __init__(
        self,
        place: Place,
        embedder: str,
        modes: Sequence[str] = WAYS,
        every: int = 1,
        only: Sequence[str] = (),
        *,
        careless: bool = False,
    ) -> None:
        """Of each step (those named in `only`, or all) every `every`-th operation is made to fail.

        `careless`: as if nothing was ever synced, to see that power cuts then leave something wrong.
        """
        self.careless = careless
        os.environ["SQLITE_TMPDIR"] = str(place.root)
        self.place = place
        self.embedder = embedder
        self.modes = modes
        self.every = every
        self.only = only
        self.faults = Faults()
        self.oracle = Oracle(place, embedder)
        self.found: list[Injection] = []
        self._saved = place.root / "saved.index"

    def run(self) -> list[Injection]:
        """Every fault in turn."""
        if not self.only or CREATE in self.only:
            self._creation()
        self._create()
        past: list[State] = []
        steps = script()
        wanted = [number for number, step in enumerate(steps, 1) if not self.only or step.name in self.only]
        for step in steps[: max(wanted, default=0)]:
            past.append(step.before)
            self.oracle.prepare(step.allowed)
            self.oracle.prepare([step.after])
            self.place.show(step.before.files)
            self.place.show(step.after.files)
            if step.damage:
                step.damage(self.place)
            if not self.only or step.name in self.only:
                shutil.copytree(self.place.index, self._saved)
                for mode in self.modes:
                    if mode == CUT:
                        self._cut(step, past)
                    else:
                        self._step(step, mode, past)
                self._restore()
                shutil.rmtree(self._saved)
            self._must(in_child(self._do, step), step.name)
        return self.found

    def _step(self, step: Step, mode: str, past: Sequence[State]) -> None:
        total = self._must(in_child(self._count, step, mode), step.name)
        for number in range(1 + MODES.index(mode) % self.every, total + 1, self.every):
            self._restore()
            stay = number // self.every % 2 == 0 and mode not in ("kill", "torn")
            ended = in_child(self._disturbed, step, mode, number, stay)
            hit = self.faults.hit
            self.faults.disarm()
            if hit is None:  # an operation fewer than when they were counted
                continue
            outcome, wrong = self._outcome(ended, mode)
            if not wrong:
                done = outcome == "absorbed" or ended.value == "mended"
                after = in_child(self._afterwards, step, done, past)
                wrong = [after.wrong] if after.wrong else after.value
            self.found.append(Injection(step.name, mode, number, *hit, outcome, wrong))

    def _cut(self, step: Step, past: Sequence[State]) -> None:
        self._restore()
        path = self.place.root / "trace"
        self._must(in_child(self._traced, step, path), step.name)
        trace = [record for record in read_trace(path) if not (self.careless and record.kind == "fsync")]
        disk = Disk(self._saved)
        for cut in cuts(disk, trace, self.every):
            disk.write(cut.image, self.place.index)
            after = in_child(self._afterwards, step, cut.done, past)
            wrong = [after.wrong] if after.wrong else after.value
            kind, name = (cut.at.kind, cut.at.path) if cut.at else ("mark", "")
            where = f"{name}, {cut.survives} of the unsynced left"
            self.found.append(Injection(step.name, CUT, cut.number, kind, where, "cut off", wrong))

    def _traced(self, step: Step, path: Path) -> None:
        from ragembed.pipeline import Pipeline

        with path.open("wb") as file:
            self.faults.arm(self.place.index, 0, "off")
            self.faults.trace(file.fileno())
            with Pipeline.open(self.place.index) as pipeline:
                step.act(pipeline, self.place)
                self.faults.mark(DONE)
            self.faults.disarm()

    def _outcome(self, ended: Ended, mode: str) -> tuple[str, list[str]]:
        if ended.signal == "SIGKILL" and mode in ("kill", "torn"):
            return "killed", []
        if ended.wrong:
            return "broken", [ended.wrong]
        return ("absorbed", []) if ended.value == "done" else ("raised", [])

    def _disturbed(self, step: Step, mode: str, number: int, stay: bool) -> str:
        """Do `step` with the fault: ``done``, ``raised``, or ``mended`` where the same object then did it again."""
        from ragembed.pipeline import Pipeline

        self.faults.arm(self.place.root, number, mode)
        pipeline = None
        try:
            pipeline = Pipeline.open(self.place.index)
            step.act(pipeline, self.place)
        except (RagembedError, OSError) as error:
            _check_message(error)
            if pipeline is None or not stay:
                return "raised"
            self.faults.disarm()
            self._goes_on(pipeline, step)
            return "mended"
        pipeline.close()
        return "done"

    def _goes_on(self, pipeline: Any, step: Step) -> None:
        queries = queries_for(step.allowed)
        if not step.damage:
            hits = ask(pipeline, queries)
            states = [self.oracle.answers(state, queries).hits for state in step.allowed]
            if all(any(hits_differ(hits[query], state[query]) for query in queries) for state in states):
                raise AssertionError("after the error the same object answers as no committed state does")
            for query in queries:
                if fault := near_differs(ask_near(pipeline, query)[0], hits[query]):
                    raise AssertionError(f"after the error of the same object {fault}")
        step.act(pipeline, self.place)
        pipeline.close()

    def _afterwards(self, step: Step, done: bool, past: Sequence[State]) -> list[str]:
        """What is wrong after a fault: before and after the step is done (again), which needs no other help."""
        from ragembed.index.verify import orphans
        from ragembed.pipeline import Pipeline

        if not done:
            if not step.damage:
                _, wrong = faults_of(self.place.index, step.allowed, self.oracle)
                if wrong:
                    return wrong
            self._do(step)
        _, wrong = faults_of(self.place.index, [step.after], self.oracle)
        if not done and not wrong:
            with Pipeline.open(self.place.index) as pipeline:
                wrong = [f"{name} is left over" for name in orphans(pipeline.store)]
            if step.leaves_no_trace:
                wrong += traces(self.place.index, past, step.after)
        return wrong

    def _do(self, step: Step) -> None:
        from ragembed.pipeline import Pipeline

        with Pipeline.open(self.place.index) as pipeline:
            step.act(pipeline, self.place)

    def _count(self, step: Step, mode: str) -> int:
        self._restore()
        self.faults.arm(self.place.root, 0, "off", COUNTED[mode])
        self._do(step)
        seen = self.faults.seen
        self.faults.disarm()
        return seen

    def _restore(self) -> None:
        shutil.rmtree(self.place.index, ignore_errors=True)
        shutil.copytree(self._saved, self.place.index)

    # the making of the index

    def _create(self) -> None:
        from ragembed.pipeline import Pipeline

        Pipeline.create(self.place.index, self.embedder, CHUNKER).close()

    def _creation(self) -> None:
        self.oracle.prepare([State()])
        for mode in (mode for mode in self.modes if mode != CUT):
            number = 1 + MODES.index(mode) % self.every
            while True:
                ended = in_child(self._disturbed_creation, mode, number)
                hit = self.faults.hit
                self.faults.disarm()
                if hit is not None:
                    outcome, wrong = self._outcome(ended, mode)
                    if not wrong:
                        after = in_child(self._after_creation, outcome == "absorbed")
                        wrong = [after.wrong] if after.wrong else after.value
                    self.found.append(Injection(CREATE, mode, number, *hit, outcome, wrong))
                shutil.rmtree(self.place.index, ignore_errors=True)
                if hit is None:
                    break
                number += self.every

    def _disturbed_creation(self, mode: str, number: int) -> str:
        self.faults.arm(self.place.root, number, mode)
        try:
            self._create()
        except (RagembedError, OSError) as error:
            _check_message(error)
            return "raised"
        return "done"

    def _after_creation(self, done: bool) -> list[str]:
        if not done:
            try:
                self._create()
            except NotAnIndexError as error:
                return [f"cannot be made again: {error}"]
            except StoreError as error:
                if "already" not in error.fault:
                    raise
        return faults_of(self.place.index, [State()], self.oracle)[1]

    def _must(self, ended: Ended, step: str) -> Any:
        if ended.wrong:
            raise RuntimeError(f"{step!r} fails without any fault: {ended.wrong}")
        return ended.value


def _check_message(error: BaseException) -> None:
    if "\n" in str(error) or not str(error):
        raise AssertionError(f"the error is not one line: {error!r}")


def inject(
    library: Path,
    modes: Sequence[str] = WAYS,
    every: int = 1,
    only: Sequence[str] = (),
    embedder: str = "hybrid",
    *,
    careless: bool = False,
) -> list[Injection]:
    """Run a `Sweep` in a process of its own that has `library` preloaded."""
    command = [
        sys.executable,
        "-m",
        _MODULE,
        "--modes",
        *modes,
        "--every",
        str(every),
        "--embedder",
        embedder,
    ]
    done = subprocess.run(
        [*command, "--only", *only, *["--careless"] * careless],
        env=environment(library),
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    return [Injection(**values) for values in map(json.loads, done.stdout.splitlines())]


def by_step(found: Sequence[Injection]) -> tuple[list[str], list[list[object]]]:
    """A table: for each step, how many faults at each kind of operation, what came of them, and what was wrong."""
    return _table(found, "step", ("kind", "outcome"))


def by_mode(found: Sequence[Injection]) -> tuple[list[str], list[list[object]]]:
    """A table: the same for each way of failing."""
    return _table(found, "mode", ("kind", "outcome"))


def _table(
    found: Sequence[Injection], rows: str, columns: Sequence[str]
) -> tuple[list[str], list[list[object]]]:
    headers = [
        (column, value) for column in columns for value in dict.fromkeys(getattr(i, column) for i in found)
    ]
    lines: list[list[object]] = []
    for row in (*dict.fromkeys(getattr(item, rows) for item in found), "all"):
        own = [item for item in found if row in (getattr(item, rows), "all")]
        counts = Counter((column, getattr(item, column)) for item in own for column in columns)
        lines.append(
            [row, len(own), *(counts[header] for header in headers), sum(bool(i.wrong) for i in own)]
        )
    return [rows, "faults", *(value for _, value in headers), "wrong"], lines


def main() -> None:
    """The process with the library: print each injection as a line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--modes", nargs="*", default=WAYS)
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--only", nargs="*", default=())
    parser.add_argument("--careless", action="store_true")
    parser.add_argument("--embedder", default="hybrid", choices=sorted(EMBEDDERS))
    options = parser.parse_args()
    single_threaded()
    with tempfile.TemporaryDirectory(prefix="ragembed-faults-") as folder:
        sweep = Sweep(
            Place(Path(folder).resolve()),
            EMBEDDERS[options.embedder],
            options.modes,
            options.every,
            options.only,
            careless=options.careless,
        )
        try:
            sweep.run()
        except BaseException:
            traceback.print_exc()
            raise
        finally:
            for item in sweep.found:
                values = {name: getattr(item, name) for name in item.__slots__}
                print(json.dumps(values))


if __name__ == "__main__":
    main()
