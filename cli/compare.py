"""ragembed compare: systems on labelled collections -> a report of which is best, by how much, and at what cost."""

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ragembed.cli.options import AllowUnknown, Json, note, print_json, printable
from ragembed.errors import DatasetError

if TYPE_CHECKING:
    from ragembed.eval.compare.run import Entry, Execute, Job, Settings, Watch
    from ragembed.eval.systems import System

_TOLD = 10
"""Differences that are listed."""


def compare(
    dataset: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FOLDER|NAME", help="BEIR, TREC or SMART folder, or a built-in name; repeatable."
        ),
    ] = None,
    embedder: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SPEC",
            help="Repeatable; '+' joins several, 'SPEC @ CHUNKER' goes with that chunker alone.",
        ),
    ] = None,
    chunker: Annotated[
        list[str] | None, typer.Option(metavar="SPEC", help="Repeatable. [default: whole documents]")
    ] = None,
    index_type: Annotated[
        list[str] | None, typer.Option(metavar="SPEC", help="Repeatable. [default: flat]")
    ] = None,
    fusion: Annotated[
        list[str] | None,
        typer.Option(metavar="SPEC", help="How hybrids join lists: rrf, rrf(k=20), combsum; repeatable."),
    ] = None,
    run: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=FILE",
            help="The TREC run of a system that you have; {dataset} in FILE is the collection's name; repeatable.",
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FOLDER", help="Where the report goes.")
    ] = None,
    split: Annotated[str, typer.Option(help="Which set of judgements.")] = "test",
    measures: Annotated[
        str | None,
        typer.Option(
            help="Names as ir-measures writes them, and SpanR@5 and the like, joined by commas; the first decides."
            " [default: nDCG@10,R@100,RR@10; with reference spans SpanNDCG@5 first]"
        ),
    ] = None,
    k: Annotated[
        int | None,
        typer.Option(
            "-k", "--top-k", help="Documents per query. [default: 100, or what the measures look at]"
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the resampling.")] = 0,
    cache: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Keep vectors for other comparisons. [default: until this one is done]"
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a comparison that is there.")] = False,
    reproduce: Annotated[
        Path | None,
        typer.Option(
            metavar="REPORT", help="Repeat that comparison, and say whether every number is the same."
        ),
    ] = None,
    allow_unknown: AllowUnknown = False,
    json: Json = False,
) -> None:
    """Compare systems: every embedder with every chunker, index type and fusion, on every collection.

    Writes report.html, report.md, report.json, the runs and the configuration. The same command goes on where it was
    stopped.
    """
    given = (dataset, embedder, chunker, index_type, fusion, run, output, measures, k)
    if reproduce is not None:
        if any(given):
            raise typer.BadParameter("--reproduce takes everything from the report; give nothing else")
        _reproduce(reproduce, cache, json)
        return
    if not dataset or not (embedder or run) or output is None:
        raise typer.BadParameter("--dataset, --embedder (or --run) and -o are needed")
    from ragembed.datasets import load
    from ragembed.eval.compare.run import Entry, Settings
    from ragembed.eval.systems import grid, system_of_run

    systems = grid(embedder or (), chunker or (), index_type or (), fusion or ())
    systems += [system_of_run(written) for written in run or ()]
    entries = [Entry(load(name, split, allow_unknown=allow_unknown), name, allow_unknown) for name in dataset]
    settings = Settings.make(measures or _measures(entries, run), k, seed=seed)
    report = _compared(entries, systems, output, settings, force=force, cache=cache)
    told = report["recommendation"]
    if json:
        print_json(
            {
                "report": str(output / "report.html"),
                "primary": report["primary"],
                "systems": [
                    {"name": system["name"], "measures": _means(report, number)}
                    for number, system in enumerate(report["systems"])
                ],
                "recommendation": told,
            }
        )
        return
    _print(report)
    print(f"\n{told['headline']}")
    for reason in told["reasons"]:
        print(f"  + {reason}")
    for doubt in told["doubts"]:
        print(f"  ? {doubt}")
    print(f"\n{output / 'report.html'}")


def _measures(entries: "list[Entry]", runs: list[str] | None) -> str:
    from ragembed.eval.compare.run import MEASURES, SPAN_MEASURES

    spans = all(entry.collection.spans for entry in entries) and not runs
    return f"{SPAN_MEASURES},{MEASURES}" if spans else MEASURES


def _compared(
    entries: "list[Entry]",
    systems: "list[System]",
    folder: Path,
    settings: "Settings",
    *,
    force: bool = False,
    cache: Path | None = None,
) -> dict[str, Any]:
    from ragembed.cli.job import in_process
    from ragembed.eval.compare.run import compare as compared

    with _watching() as (watch, execute):
        return compared(
            entries,
            systems,
            folder,
            settings,
            force=force,
            cache=cache,
            execute=execute(in_process),
            watch=watch,
        )


def _reproduce(folder: Path, cache: Path | None, json: bool) -> None:
    from ragembed.datasets import load
    from ragembed.eval.compare.folder import read_config, read_report
    from ragembed.eval.compare.reproduce import reproduction
    from ragembed.eval.compare.run import Entry, Settings, fingerprint, versions
    from ragembed.eval.systems import System

    before, config = read_report(folder), read_config(folder)
    try:
        wanted = config["datasets"]
        entries = [
            Entry(
                load(each["source"], each["split"], allow_unknown=each["allow_unknown"]),
                each["source"],
                each["allow_unknown"],
            )
            for each in wanted
        ]
        systems = [System(**each) for each in config["systems"]]
        settings = Settings.make(**config["settings"])
    except (KeyError, TypeError) as error:
        raise DatasetError(
            f"{folder / 'config.json'} is damaged ({error})", "make the comparison again"
        ) from error
    for entry, each in zip(entries, wanted, strict=True):
        if fingerprint(entry.collection) != each["sha256"]:
            note(f"{each['source']} is not what it was: other documents, queries or judgements")
    changed = {name: now for name, now in versions().items() if config["versions"].get(name) != now}
    if changed:
        then = ", ".join(
            f"{name} {config['versions'].get(name, 'none')} | {now}" for name, now in changed.items()
        )
        note(f"other versions than then (then | now): {then}")
    with tempfile.TemporaryDirectory(prefix="ragembed-reproduce-") as temporary:
        after = _compared(entries, systems, Path(temporary) / "report", settings, cache=cache)
    found = reproduction(before, after)
    if json:
        print_json(
            {
                "same": not found.differences,
                "compared": found.compared,
                "differences": [
                    {"where": each.where, "before": each.before, "after": each.after}
                    for each in found.differences
                ],
            }
        )
    elif not found.differences:
        print(f"the same: all {found.compared:,} numbers and names came out as before")
    else:
        print(f"not the same: {len(found.differences):,} of {found.compared:,} differ (before | now)")
        for each in found.differences[:_TOLD]:
            print(f"  {printable(str(each))}")
        if len(found.differences) > _TOLD:
            print(
                f"  and {len(found.differences) - _TOLD:,} more; the largest difference is {found.largest:.3g}"
            )
    if found.differences:
        raise typer.Exit(1)


def _means(report: dict[str, Any], number: int) -> dict[str, float] | None:
    """A system's means; over several collections, the means of its means."""
    if report["overall"]:
        means: dict[str, float] | None = report["overall"]["means"][number]
        return means
    alone: dict[str, float] | None = report["datasets"][0]["results"][number].get("means")
    return alone


def _print(report: dict[str, Any]) -> None:
    """A table of the first measure, best first: one column for each collection, and their mean."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    measure, several = report["primary"], report["overall"] is not None
    table = Table(box=box.SIMPLE_HEAD, title=measure, title_justify="left", pad_edge=False)
    table.add_column("system")
    for dataset in report["datasets"]:
        table.add_column(printable(dataset["name"]), justify="right")
    if several:
        table.add_column("mean", justify="right")
    table.add_column("groups")
    table.add_column("ms/query", justify="right")
    frame = report["overall"] or report["datasets"][0]
    means = [_means(report, number) for number in range(len(report["systems"]))]
    order = sorted(range(len(means)), key=lambda n: -(means[n] or {}).get(measure, -1.0))
    for number in order:
        results = [dataset["results"][number] for dataset in report["datasets"]]
        cells = ["failed" if "error" in each else f"{each['means'][measure]:.4f}" for each in results]
        if several:
            cells.append("" if means[number] is None else f"{(means[number] or {})[measure]:.4f}")
        latencies = [each["cost"]["latency_ms"] for each in results if "error" not in each]
        times = [each["p50"] for each in latencies if each]
        table.add_row(
            printable(report["systems"][number]["name"]),
            *cells,
            frame["groups"][measure][number] if measure in frame["groups"] else "",
            f"{sum(times) / len(times):.1f}" if times else "",
        )
    Console(highlight=False, width=None).print(table)
    print("systems that share a letter do not differ significantly")


@contextmanager
def _watching() -> "Iterator[tuple[Watch | None, Callable[[Execute], Execute]]]":
    """What shows how far a comparison is, and measures its jobs to tell how long the rest takes."""
    import sys

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
                    job.spec.name,
                    _size(job),
                    time.perf_counter() - started,
                    share,
                    [(each.spec.name, _size(each)) for each in rest],
                )
                bar.update(task, completed=share, left=_left(left))

            progress(0, 1, "")
            return progress

        def measured(execute: "Execute") -> "Execute":
            def timed(job: "Job", progress: Callable[[int, int, str], None] | None) -> Any:
                started = time.perf_counter()
                done = execute(job, progress)
                remaining.finished(job.spec.name, _size(job), time.perf_counter() - started)
                return done

            return timed

        yield watch, measured


def _size(job: "Job") -> int:
    return len(job.entry.collection.documents)  # type: ignore[arg-type]


def _left(seconds: float | None) -> str:
    if seconds is None:
        return ""
    if seconds < 90:
        return f"{seconds:.0f} s left"
    return f"{seconds / 60:.0f} min left" if seconds < 5400 else f"{seconds / 3600:.1f} h left"
