"""How far a comparison or an embedding is, and how long the rest takes, as a bar on stderr."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ragembed.cli.options import printable

if TYPE_CHECKING:
    from ragembed.eval.compare.job import Execute, Job
    from ragembed.eval.compare.run import Watch


@contextmanager
def watching() -> "Iterator[tuple[Watch | None, Callable[[Execute], Execute]]]":
    """What shows how far a comparison is, and measures its jobs to tell how long the rest takes."""
    if not sys.stderr.isatty():
        yield None, lambda execute: execute
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    from ragembed.eval.compare.remaining import Remaining

    columns = (
        TextColumn("{task.fields[place]}"),
        BarColumn(),
        TextColumn("{task.percentage:3.0f}%"),
        TextColumn("{task.fields[label]}"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[left]}"),
    )
    remaining = Remaining()
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=1.0, place="", label="", left="")

        def watch(todo: "list[Job]", number: int) -> Callable[[int, int, str], None] | None:
            if number == len(todo):
                return None
            job, rest = todo[number], todo[number + 1 :]
            started = time.perf_counter()
            bar.update(task, completed=0.0, place=f"{number + 1}/{len(todo)}", label=printable(job.label))

            def progress(done: int, total: int, what: str) -> None:
                share = done / total if total else 0.0
                left = remaining.estimate(
                    job.system.name,
                    _size(job),
                    time.perf_counter() - started,
                    share,
                    [(each.system.name, _size(each)) for each in rest],
                )
                bar.update(task, completed=share, left=_left(left))

            progress(0, 1, "")
            return progress

        def measured(execute: "Execute") -> "Execute":
            def timed(job: "Job", progress: Callable[[int, int, str], None] | None) -> Any:
                started = time.perf_counter()
                done = execute(job, progress)
                remaining.finished(job.system.name, _size(job), time.perf_counter() - started)
                return done

            return timed

        yield watch, measured


@contextmanager
def embedding(total: int | None) -> "Iterator[Callable[[int], None]]":
    """What shows how many texts of `total` are embedded, how many a second, and how long the rest takes."""
    if not sys.stderr.isatty():
        yield lambda done: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.fields[told]}"),
        BarColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[left]}"),
    )
    started = time.perf_counter()
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=total, told="", left="")

        def show(done: int) -> None:
            rate = done / max(time.perf_counter() - started, 1e-9)
            of = "" if total is None else f"/{total:,}"
            left = "" if total is None or not done else _left((total - done) / rate)
            bar.update(task, completed=done, told=f"{done:,}{of} texts  {rate:,.0f}/s", left=left)

        show(0)
        yield show


def _size(job: "Job") -> int:
    return len(job.entry.collection.documents)  # type: ignore[arg-type]


def _left(seconds: float | None) -> str:
    if seconds is None:
        return ""
    if seconds < 90:
        return f"{seconds:.0f} s left"
    return f"{seconds / 60:.0f} min left" if seconds < 5400 else f"{seconds / 3600:.1f} h left"
