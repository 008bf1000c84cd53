"""Readers at full speed while a writer commits: each search must equal the answer at some committed state.

python -m ragembed.eval.bench.concurrency [--commits 200] [--readers 4] [--threads]

The writer says in shared memory which state it is about to commit and which it has committed. A reader notes the last
committed state before its search and the last begun one after it: what it found must be what an index built from
scratch answers at one of the states between (so a search sees every commit that was over before it began). With
`--threads` the readers are threads that share one pipeline with the writer.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ragembed.eval.bench.forked import Child, single_threaded
from ragembed.eval.bench.harness import machine, table
from ragembed.eval.bench.phases import Board
from ragembed.eval.bench.scenario import (
    CHUNKER,
    EMBEDDERS,
    Found,
    Oracle,
    Place,
    State,
    Step,
    ask,
    document_of,
    hits_differ,
)

if TYPE_CHECKING:
    from ragembed.pipeline import Pipeline

QUERIES = ("borant calive hodyx", "kipurn felost dunive gamyx")
_DOCUMENTS = 60
"""About as many as the index holds all the time."""
_OVER = 1 << 40
"""What the writer says it has begun when it is done."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What one search found, and between which states it was made."""

    query: str
    first: int
    last: int
    found: Found


def plan(commits: int, seed: int) -> list[Step]:
    """The writer's steps: upserts, deletes and additions, and four times a vacuum."""
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
    after = State({**state.documents, **versions})
    return Step(how, lambda pipeline, _: getattr(pipeline, how)(documents), state, after)


def _deletion(ids: Sequence[str], state: State) -> Step:
    return Step("delete", lambda pipeline, _: pipeline.delete(ids), state, state.without(*ids))


def write(pipeline: Pipeline, place: Place, steps: Sequence[Step], board: Board) -> None:
    """Do all `steps` and say so."""
    try:
        for number, step in enumerate(steps, 1):
            board.begin(number)
            step.act(pipeline, place)
            board.end(number)
    finally:
        board.begin(_OVER)


def read(pipeline: Pipeline, board: Board) -> tuple[int, list[Sight]]:
    """Search until the writer is done; returns how many searches that were and all that they saw, each once."""
    searches = 0
    seen: dict[str, list[Sight]] = {query: [] for query in QUERIES}
    while board.begun != _OVER:
        for query in QUERIES:
            first = board.done
            found = ask(pipeline, [query])[query]
            last = board.begun
            searches += 1
            sights = seen[query]
            if (
                not sights
                or (sights[-1].first, sights[-1].last) != (first, last)
                or sights[-1].found != found
            ):
                sights.append(Sight(query, first, last, found))
    return searches, [sight for sights in seen.values() for sight in sights]


def judge(sights: Sequence[Sight], steps: Sequence[Step], oracle: Oracle) -> list[str]:
    """Those of `sights` that no committed state between theirs explains."""
    states = [State(), *(step.after for step in steps)]
    wrong = []
    for sight in sights:
        between = states[sight.first : sight.last + 1]
        reasons = [
            hits_differ(sight.found, oracle.answers(state, QUERIES).hits[sight.query]) for state in between
        ]
        if all(reasons):
            wrong.append(f"{sight.query!r} between states {sight.first} and {sight.last}: {reasons[0]}")
    return wrong


def processes(place: Place, steps: Sequence[Step], readers: int) -> tuple[int, list[Sight], list[str]]:
    """Searches, what they saw, and errors, where each reader and the writer is a process."""
    from ragembed.pipeline import Pipeline

    board = Board()

    def reading() -> tuple[int, list[list[Any]]]:
        with Pipeline.open(place.index) as pipeline:
            searches, sights = read(pipeline, board)
        return searches, [[sight.query, sight.first, sight.last, sight.found] for sight in sights]

    def writing() -> None:
        with Pipeline.open(place.index) as pipeline:
            write(pipeline, place, steps, board)

    children = [Child(reading, seconds=3600) for _ in range(readers)]
    writer = Child(writing, seconds=3600).join()
    board.begin(_OVER)
    ended = [child.join() for child in children]
    errors = [one.wrong for one in (writer, *ended) if one.wrong]
    values = [one.value for one in ended if not one.wrong]
    return sum(n for n, _ in values), [Sight(*sight) for _, sights in values for sight in sights], errors


def threads(place: Place, steps: Sequence[Step], readers: int) -> tuple[int, list[Sight], list[str]]:
    """As `processes`, where all are threads that share one pipeline."""
    from ragembed.pipeline import Pipeline

    board = Board()
    results: list[tuple[int, list[Sight]]] = []
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
    return sum(n for n, _ in results), [sight for _, sights in results for sight in sights], errors


def run(commits: int, readers: int, embedder: str, *, shared: bool, seed: int = 0) -> dict[str, Any]:
    """One trial: counts of commits, searches and distinct sights, errors, and searches that nothing explains."""
    from ragembed.index.verify import verify
    from ragembed.pipeline import Pipeline

    steps = plan(commits, seed)
    with tempfile.TemporaryDirectory(prefix="ragembed-concurrency-") as folder:
        place = Place(Path(folder).resolve())
        Pipeline.create(place.index, EMBEDDERS[embedder], CHUNKER).close()
        started = time.perf_counter()
        searches, sights, errors = (threads if shared else processes)(place, steps, readers)
        seconds = time.perf_counter() - started
        wrong = judge(sights, steps, Oracle(place, EMBEDDERS[embedder]))
        with Pipeline.open(place.index) as pipeline:
            wrong += [f"verify: {problem}" for problem in verify(pipeline.store)]
    return {
        "commits": len(steps),
        "writes": dict(Counter(step.name for step in steps)),
        "searches": searches,
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
    columns = ("commits", "searches", "sights", "states", "seconds")
    row = [result[name] for name in columns] + [len(result["errors"]), len(result["wrong"])]
    table((*columns, "errors", "wrong"), [row])
    sys.exit(bool(result["errors"] or result["wrong"]))


if __name__ == "__main__":
    main()
