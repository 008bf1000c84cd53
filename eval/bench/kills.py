"""Kills at random moments of random writes, and what the index is worth afterwards.

Each run continues with the index that the last one left. A process does three random steps; it is killed (SIGKILL)
within a phase that is drawn evenly from those that the same steps went through when nobody disturbed them, at a
moment drawn evenly from the time that phase took; a phase too short to be met is held at its beginning. Then, in a
fresh process: `verify` finds nothing, the index holds exactly a committed state and answers as one built from
scratch, and the steps that were not done, done again, give the end that was meant.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ragembed.eval.bench.forked import Child, Ended, in_child
from ragembed.eval.bench.phases import IDLE, PHASES, STEP, Board, Turn, turns, watch
from ragembed.eval.bench.scenario import (
    CHUNKER,
    EMBEDDERS,
    ENOUGH_CHUNKS,
    FLAT,
    LISTS,
    Oracle,
    Place,
    State,
    Step,
    ask_near,
    document_of,
    faults_of,
    queries_for,
    traces,
)

_WEIGHTS = {False: (2, 2, 2, 2, 1, 2), True: (2, 1, 1, 1, 1, 6)}
"""How often what is done: add, upsert, delete, index, vacuum, optimize. True: to kill mostly the last."""
_STEPS = 3
"""Writes of one process."""
_SHORT = 0.000_2
"""Seconds below which a phase would often be over before the kill arrives."""
_RENEW = 25
"""Runs after which a new index is begun, so that building the oracle's stays quick."""


@dataclass(frozen=True, slots=True)
class Kill:
    """One run: the step and phase in which the process died, and what was wrong afterwards."""

    number: int
    step: str
    phase: str
    wrong: Sequence[str]
    accelerated: bool = False
    """Whether what was left was searched through an accelerator, too."""

    def __str__(self) -> str:
        return f"run {self.number}, killed in {self.phase} of {self.step!r}: {'; '.join(self.wrong) or 'nothing wrong'}"


class Killer:
    """Runs, kills and checks."""

    def __init__(self, place: Place, seed: int, *, optimizing: bool = False) -> None:
        self.place = place
        self.optimizing = optimizing
        self.random = random.Random(seed)
        self.board = Board()
        self.state = State()
        self.past: list[State] = []
        self.names = 0
        self.oracle = Oracle(place, "")
        self.renew(0)

    def renew(self, number: int) -> None:
        """Begin a new index; the kinds of embedders take turns."""
        from ragembed.pipeline import Pipeline

        kinds = ["hybrid"] if self.optimizing else ["hybrid", "learnt", "sparse"]
        self.kind = kinds[number // _RENEW % len(kinds)]
        embedder = EMBEDDERS[self.kind]
        shutil.rmtree(self.place.index, ignore_errors=True)
        self.oracle.forget()
        self.oracle = Oracle(self.place, embedder)
        self.state, self.past = State(), []
        Pipeline.create(self.place.index, embedder, CHUNKER).close()

    def run(self, number: int) -> Kill:
        """One kill; where the steps are over before it strikes, others are done."""
        while True:
            steps = self._steps()
            killed = self._killed(number, steps)
            if killed is not None:
                return killed

    def _killed(self, number: int, steps: Sequence[Step]) -> Kill | None:
        states = [self.state, *(state for step in steps for state in (*step.between, step.after))]
        self.past.extend(states)
        queries = queries_for(states)
        for state in states:
            self.oracle.answers(state, queries)
        ended = self._rehearse(steps)
        if ended.wrong:
            return Kill(number, "+".join(step.name for step in steps), "undisturbed", [ended.wrong])
        aim = self._aim([Turn(*values) for values in ended.value])
        self.place.show(self.state.files)
        dead = self._strike(steps, aim)
        begun, done, phase = self.board.begun, self.board.done, self.board.phase
        step = steps[max(begun, 1) - 1]
        allowed = [(steps[done - 1].after if done else self.state)]
        if begun > done:
            allowed.extend((*step.between, step.after))
        ended = in_child(self._check, allowed, queries)
        wrong, accelerated = ([ended.wrong], False) if ended.wrong else ended.value
        if not wrong:
            ended = in_child(self._resume, steps[done:], queries)
            wrong = [f"resumed: {fault}" for fault in ([ended.wrong] if ended.wrong else ended.value)]
        self.state = steps[-1].after
        if wrong or (dead and phase != IDLE):
            return Kill(number, step.name, phase, wrong, accelerated)
        return None

    def _rehearse(self, steps: Sequence[Step]) -> Ended:
        """How long each phase takes; on a copy of the index that lies where the index does."""
        kept = self.place.root / "kept.index"
        shutil.copytree(self.place.index, kept)
        self.place.show(self.state.files)
        self.board.clear()

        def timed() -> list[tuple[int, str, float]]:
            timeline: list[tuple[float, str]] = []
            self._do(steps, timeline)
            return [(turn.number, turn.phase, turn.seconds) for turn in turns(timeline)]

        ended = in_child(timed)
        shutil.rmtree(self.place.index)
        kept.rename(self.place.index)
        return ended

    def _aim(self, known: Sequence[Turn]) -> Turn:
        """The turn to strike in, and how many seconds after it began."""
        phase = self.random.choice(sorted({turn.phase for turn in known} - {IDLE}))
        moments = [turn for turn in known if turn.phase == phase]
        chosen = self.random.choices(moments, [turn.seconds for turn in moments])[0]
        return Turn(
            chosen.number, phase, self.random.uniform(0, chosen.seconds) if chosen.seconds > _SHORT else 0.0
        )

    def _strike(self, steps: Sequence[Step], aim: Turn) -> bool:
        """Do `steps` in another process and kill it; False where it was done first."""
        self.board.clear()
        if not aim.seconds:
            self.board.hold(aim.number)
        child = Child(self._do, steps, None)
        while self.board.turn < aim.number and not child.ended:
            pass
        until = time.perf_counter() + aim.seconds
        while time.perf_counter() < until:
            pass
        os.kill(child.pid, signal.SIGKILL)
        return child.join().signal == "SIGKILL"

    def _do(self, steps: Sequence[Step], timeline: list[tuple[float, str]] | None) -> None:
        from ragembed.pipeline import Pipeline

        watch(self.board, timeline)
        for number, step in enumerate(steps, 1):
            self.place.show(step.after.files)
            self.board.begin(number)
            with self.board.within(STEP, timeline), Pipeline.open(self.place.index) as pipeline:
                step.act(pipeline, self.place)
            self.board.end(number)

    def _check(self, allowed: Sequence[State], queries: Sequence[str]) -> tuple[list[str], bool]:
        from ragembed.pipeline import Pipeline

        wrong = faults_of(self.place.index, allowed, self.oracle, queries)[1]
        with Pipeline.open(self.place.index) as pipeline:
            return wrong, not wrong and ask_near(pipeline, queries[0])[1]

    def _resume(self, steps: Sequence[Step], queries: Sequence[str]) -> list[str]:
        from ragembed.index.verify import orphans
        from ragembed.pipeline import Pipeline

        for step in steps:
            self.place.show(step.after.files)
            with Pipeline.open(self.place.index) as pipeline:
                step.act(pipeline, self.place)
        last = steps[-1] if steps else None
        wrong = []
        if last:
            wrong = faults_of(self.place.index, [last.after], self.oracle, queries)[1]
            with Pipeline.open(self.place.index) as pipeline:
                wrong += [f"{name} is left over" for name in orphans(pipeline.store)]
            if last.leaves_no_trace:
                wrong += traces(self.place.index, self.past, last.after)
        return wrong

    # what is done

    def _steps(self) -> list[Step]:
        makers = (self._add, self._upsert, self._delete, self._index, self._vacuum, self._optimize)
        steps: list[Step] = []
        state = self.state
        for maker in self.random.choices(makers, _WEIGHTS[self.optimizing], k=_STEPS):
            steps.append(maker(state))
            state = steps[-1].after
        return steps

    def _new(self, most: int) -> list[str]:
        first = self.names
        self.names += self.random.randint(1, most)
        return [f"d{number}" for number in range(first, self.names)]

    def _some(self, names: Sequence[str]) -> list[str]:
        return self.random.sample(sorted(names), self.random.randint(0, min(len(names), 8)))

    def _add(self, state: State) -> Step:
        ids = self._new(16)
        return Step("add", lambda p, _: p.add([document_of(name, 0) for name in ids]), state, state.put(*ids))

    def _upsert(self, state: State) -> Step:
        versions = {name: state.documents[name] + 1 for name in self._some(list(state.documents))}
        versions.update(dict.fromkeys(self._new(4), 0))
        after = replace(state, documents={**state.documents, **versions})
        return Step(
            "upsert", lambda p, _: p.upsert([document_of(*item) for item in versions.items()]), state, after
        )

    def _delete(self, state: State) -> Step:
        if self.random.random() < 0.3:
            chosen = self.random.choice(("en", "de", "fr"))
            ids = [
                name for name, v in state.documents.items() if document_of(name, v).metadata["lang"] == chosen
            ]
            return Step(
                "delete by filter", lambda p, _: p.delete(where={"lang": chosen}), state, state.without(*ids)
            )
        ids = self._some(list(state.documents))
        if not ids:
            return self._add(state)
        return Step("delete", lambda p, _: p.delete(ids), state, state.without(*ids))

    def _index(self, state: State) -> Step:
        gone = self._some(list(state.files))[:3]
        changed = {name: version + 1 for name, version in state.files.items() if self.random.random() < 0.2}
        synced = {**state.files, **changed, **{f"{name}.md": 0 for name in self._new(6)}}
        after = {name: version for name, version in synced.items() if name not in gone}
        return Step(
            "index and prune",
            lambda p, place: p.index(place.sources, prune=True),
            state,
            replace(state, files=after),
            (replace(state, files=synced | {name: state.files[name] for name in gone}),),
        )

    def _vacuum(self, state: State) -> Step:
        return Step("vacuum", lambda p, _: p.vacuum(), state, state, leaves_no_trace=True)

    def _optimize(self, state: State) -> Step:
        if self.kind == "sparse" or state.chunks < ENOUGH_CHUNKS:
            return self._add(state)
        kind = FLAT if self.random.random() < 0.2 else LISTS
        return Step(
            "optimize", lambda p, _: p.optimize(index_type=kind), state, replace(state, index_type=kind)
        )


def kill(runs: int, seed: int = 0, *, optimizing: bool = False) -> list[Kill]:
    """Kill that many processes, mostly while `optimizing` if wanted; stops after 5 that left something wrong."""
    found: list[Kill] = []
    with tempfile.TemporaryDirectory(prefix="ragembed-kill-") as folder:
        killer = Killer(Place(Path(folder).resolve()), seed, optimizing=optimizing)
        for number in range(runs):
            if number and (number % _RENEW == 0 or found[-1].wrong):
                killer.renew(number)
            found.append(killer.run(number))
            if sum(bool(one.wrong) for one in found) >= 5:
                break
    return found


def by_phase(found: Sequence[Kill]) -> tuple[list[str], list[list[object]]]:
    """A table: how often each phase of each kind of step was hit."""
    steps = sorted({one.step for one in found})
    rows: list[list[object]] = []
    for phase in PHASES:
        own = [one for one in found if one.phase == phase]
        if own:
            rows.append([phase, *(sum(one.step == step for one in own) for step in steps), len(own)])
    rows.append(["all", *(sum(one.step == step for one in found) for step in steps), len(found)])
    return ["killed in", *steps, "all"], rows
