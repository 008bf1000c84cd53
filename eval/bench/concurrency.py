"""Readers at full speed while a writer commits: each search must equal the answer at some committed state.

python -m ragembed.eval.bench.concurrency [--commits 200] [--readers 4] [--threads]

The writer says in shared memory which state it is about to commit and which it has committed. A reader notes the last
committed state before its search and the last begun one after it: what it found must be what an index built from
scratch answers at one of the states between (so a search sees every commit that was over before it began). Some of the
commits build an accelerator or take it away; every other search goes through it where there is one. With `--threads`
the readers are threads that share one pipeline with the writer.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ragembed.eval.bench.forked import Child, single_threaded
from ragembed.eval.bench.harness import machine, table
from ragembed.eval.bench.phases import Board
from ragembed.eval.bench.scenario import (
    CHUNKER,
    EMBEDDERS,
    FLAT,
    LISTS,
    Found,
    Near,
    Oracle,
    Place,
    State,
    Step,
    ask,
    ask_near,
    document_of,
    hits_differ,
    near_differs,
)

if TYPE_CHECKING:
    from ragembed.pipeline import Pipeline

QUERIES = ("borant calive hodyx", "kipurn felost dunive gamyx")
_DOCUMENTS = 60
"""About as many as the index holds all the time."""
_OPTIMIZED = 7
"""Every so manieth commit is one of `optimize`; after three accelerators it goes back to exact search."""
_OVER = 1 << 40
"""What the writer says it has begun when it is done."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What one search found, and between which states it was made."""

    query: str
    first: int
    last: int
    found: Found = field(default_factory=dict)
    near: Near = field(default_factory=dict)
    """Where only the nearest chunks were asked for."""

    def differs(self, hits: Found) -> str:
        """How it differs from an answer that would have found `hits`."""
        return near_differs(self.near, hits) if self.near else hits_differ(self.found, hits)


@dataclass(slots=True)
class Seen:
    """What one reader did and saw."""

    searches: int = 0
    accelerated: int = 0
    """Searches that an accelerator answered."""
    sights: list[Sight] = field(default_factory=list)
    """Each once."""


def plan(commits: int, seed: int, *, dense: bool = True) -> list[Step]:
    """The writer's steps: upserts, deletes and additions, four times a vacuum, and if `dense` optimisations."""
    source = random.Random(seed)
    steps: list[Step] = []
    state = State().put(*(f"d{number}" for number in range(_DOCUMENTS)))
    steps.append(_put(dict.fromkeys(state.documents, 0), State(), "add"))
    fresh = _DOCUMENTS
    while len(steps) < commits:
        state = steps[-1].after
        names = sorted(state.documents)
        if len(steps) % max(commits // 5, 1) == 0:
            steps.append(Step("vacuum", lambda p, _: p.vacuum(), state, state))
        elif dense and len(steps) % _OPTIMIZED == 2:
            steps.append(
                _optimisation(FLAT if len(steps) % (4 * _OPTIMIZED) == 2 + 3 * _OPTIMIZED else LISTS, state)
            )
        elif len(names) > _DOCUMENTS and source.random() < 0.7:
            steps.append(_deletion(source.sample(names, 4), state))
        else:
            versions = {name: state.documents[name] + 1 for name in source.sample(names, 2)}
            versions.update({f"d{number}": 0 for number in (fresh, fresh + 1)})
            fresh += 2
            steps.append(_put(versions, state, "upsert"))
    return steps


def _put(versions: dict[str, int], state: State, how: str) -> Step:
    documents = [document_of(*item) for item in versions.items()]
    after = replace(state, documents={**state.documents, **versions})
    return Step(how, lambda pipeline, _: getattr(pipeline, how)(documents), state, after)


def _deletion(ids: Sequence[str], state: State) -> Step:
    return Step("delete", lambda pipeline, _: pipeline.delete(ids), state, state.without(*ids))


def _optimisation(kind: str, state: State) -> Step:
    return Step("optimize", lambda p, _: p.optimize(index_type=kind), state, replace(state, index_type=kind))


def write(pipeline: Pipeline, place: Place, steps: Sequence[Step], board: Board) -> None:
    """Do all `steps` and say so."""
    try:
        for number, step in enumerate(steps, 1):
            board.begin(number)
            step.act(pipeline, place)
            board.end(number)
    finally:
        board.begin(_OVER)


def read(pipeline: Pipeline, board: Board) -> Seen:
    """Search until the writer is done, for all that is found and for the nearest in turn."""
    seen = Seen()
    known: dict[tuple[str, bool], Sight] = {}
    while board.begun != _OVER:
        for query, near in itertools.product(QUERIES, (False, True)):
            first = board.done
            if near:
                nearest, accelerated = ask_near(pipeline, query)
                sight = Sight(query, first, board.begun, near=nearest)
                seen.accelerated += accelerated
            else:
                found = ask(pipeline, [query])[query]
                sight = Sight(query, first, board.begun, found)
            seen.searches += 1
            if known.get((query, near)) != sight:
                known[query, near] = sight
                seen.sights.append(sight)
    return seen


def judge(sights: Sequence[Sight], steps: Sequence[Step], oracle: Oracle) -> list[str]:
    """Those of `sights` that no committed state between theirs explains."""
    states = [State(), *(step.after for step in steps)]
    wrong = []
    for sight in sights:
        between = states[sight.first : sight.last + 1]
        reasons = [sight.differs(oracle.answers(state, QUERIES).hits[sight.query]) for state in between]
        if all(reasons):
            wrong.append(f"{sight.query!r} between states {sight.first} and {sight.last}: {reasons[0]}")
    return wrong


def processes(place: Place, steps: Sequence[Step], readers: int) -> tuple[list[Seen], list[str]]:
    """What the readers did and saw, and errors, where each reader and the writer is a process."""
    from ragembed.pipeline import Pipeline

    board = Board()

    def reading() -> tuple[Any, ...]:
        with Pipeline.open(place.index) as pipeline:
            return astuple(read(pipeline, board))

    def writing() -> None:
        with Pipeline.open(place.index) as pipeline:
            write(pipeline, place, steps, board)

    children = [Child(reading, seconds=3600) for _ in range(readers)]
    writer = Child(writing, seconds=3600).join()
    board.begin(_OVER)
    ended = [child.join() for child in children]
    errors = [one.wrong for one in (writer, *ended) if one.wrong]
    values = [one.value for one in ended if not one.wrong]
    seen = [Seen(searches, fast, [Sight(*sight) for sight in sights]) for searches, fast, sights in values]
    return seen, errors


def threads(place: Place, steps: Sequence[Step], readers: int) -> tuple[list[Seen], list[str]]:
    """As `processes`, where all are threads that share one pipeline."""
    from ragembed.pipeline import Pipeline

    board = Board()
    results: list[Seen] = []
    errors: list[str] = []

    def guarded(work: Callable[[], object]) -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001 - any error of a thread is a finding
            errors.append(repr(error))

    with Pipeline.open(place.index) as pipeline:
        work: list[Callable[[], object]] = [lambda: results.append(read(pipeline, board))] * readers
        work.append(lambda: write(pipeline, place, steps, board))
        running = [threading.Thread(target=guarded, args=(each,)) for each in work]
        for thread in running:
            thread.start()
        for thread in running:
            thread.join()
    return results, errors


def run(commits: int, readers: int, embedder: str, *, shared: bool, seed: int = 0) -> dict[str, Any]:
    """One trial: counts of commits, searches and distinct sights, errors, and searches that nothing explains."""
    from ragembed.index.verify import verify
    from ragembed.pipeline import Pipeline

    steps = plan(commits, seed, dense=embedder != "sparse")
    with tempfile.TemporaryDirectory(prefix="ragembed-concurrency-") as folder:
        place = Place(Path(folder).resolve())
        Pipeline.create(place.index, EMBEDDERS[embedder], CHUNKER).close()
        started = time.perf_counter()
        seen, errors = (threads if shared else processes)(place, steps, readers)
        seconds = time.perf_counter() - started
        sights = [sight for one in seen for sight in one.sights]
        wrong = judge(sights, steps, Oracle(place, EMBEDDERS[embedder]))
        with Pipeline.open(place.index) as pipeline:
            wrong += [f"verify: {problem}" for problem in verify(pipeline.store)]
    return {
        "commits": len(steps),
        "writes": dict(Counter(step.name for step in steps)),
        "searches": sum(one.searches for one in seen),
        "accelerated": sum(one.accelerated for one in seen),
        "sights": len(sights),
        "states": len({sight.first for sight in sights}),
        "errors": errors,
        "wrong": wrong,
        "seconds": round(seconds, 2),
    }


def main() -> None:
    """Run it and print a table, or with --json the findings."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--commits", type=int, default=200)
    parser.add_argument("--readers", type=int, default=4)
    parser.add_argument("--embedder", choices=sorted(EMBEDDERS), default="hybrid")
    parser.add_argument(
        "--threads", action="store_true", help="threads that share one pipeline, not processes"
    )
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    single_threaded()
    result = run(options.commits, options.readers, options.embedder, shared=options.threads)
    if options.json:
        print(json.dumps(result))
        return
    print(machine("numpy"), "\n")
    for text in (*result["errors"], *result["wrong"][:20]):
        print(text)
    columns = ("commits", "searches", "accelerated", "sights", "states", "seconds")
    row = [result[name] for name in columns] + [len(result["errors"]), len(result["wrong"])]
    table((*columns, "errors", "wrong"), [row])
    sys.exit(bool(result["errors"] or result["wrong"]))


if __name__ == "__main__":
    main()
