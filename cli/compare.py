"""ragembed compare: systems on labelled collections -> a report of which is best, by how much, and at what cost."""

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ragembed.cli.options import AllowUnknown, Json, note, print_json, printable, refuse

if TYPE_CHECKING:
    from ragembed.eval.answers import Collection
    from ragembed.eval.compare.settings import Entry, Settings
    from ragembed.eval.systems import AnySystem

_TOLD = 10
"""Differences that are listed."""
_WIDE = 400
"""Columns of a table that no terminal shows."""
_REPRODUCING = ("reproduce", "cache", "json")


def compare(
    context: typer.Context,
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
        list[str] | None, typer.Option(metavar="SPEC", help="Repeatable. (default: whole documents)")
    ] = None,
    index_type: Annotated[
        list[str] | None, typer.Option(metavar="SPEC", help="Repeatable. (default: flat)")
    ] = None,
    fusion: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SPEC",
            help="How hybrids join lists: evidence, rrf(k=20), convex ...; repeatable. (default: evidence)",
        ),
    ] = None,
    steps: Annotated[
        list[str] | None,
        typer.Option(metavar="SPEC", help="What is done with the lists then, joined by '+'; repeatable."),
    ] = None,
    aggregate: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SPEC",
            help="How chunks score their document: max, first, sum, mean(top=3); repeatable. (default: max)",
        ),
    ] = None,
    run_file: Annotated[
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
            " (default: nDCG@10,R@100,RR@10; with reference spans SpanNDCG@5 first)"
        ),
    ] = None,
    k: Annotated[
        int | None,
        typer.Option(
            "-k", "--top-k", help="Documents per query. (default: 100, or what the measures look at)"
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the resampling.")] = 0,
    cache: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Keep vectors for other comparisons. (default: until this one is done)"
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
    if reproduce is not None:
        given = {name: f"--{name.replace('_', '-')}" for name in context.params if name not in _REPRODUCING}
        refuse(context, given, f"--reproduce takes everything from {reproduce}")
        _reproduce(reproduce, cache, json)
        return
    if not dataset or not (embedder or run_file) or output is None:
        raise typer.BadParameter("--dataset, --embedder (or --run-file) and -o are needed")
    from ragembed.eval.compare.settings import Entry, Settings
    from ragembed.eval.systems import AnySystem, RunFile, grid

    systems: list[AnySystem] = [
        *grid(embedder or (), chunker or (), index_type or (), fusion or (), steps or (), aggregate or ())
    ]
    systems += [RunFile.parse(written) for written in run_file or ()]
    entries = [Entry(_load(name, split, allow_unknown), name, allow_unknown) for name in dataset]
    settings = Settings.make(measures or _measures(entries, run_file), k, seed=seed)
    report = _compared(entries, systems, output, settings, force=force, cache=cache)
    if json:
        print_json(_summary(report, output))
    else:
        _print(report)
        _say(report["recommendation"])
        print(f"\n{output / 'report.html'}")
    failed = sum("error" in result for dataset in report["datasets"] for result in dataset["results"])
    if failed:
        note(f"{failed} of {len(entries) * len(systems)} runs failed; the same command tries them again")
    if failed == len(entries) * len(systems):
        raise typer.Exit(1)


def _summary(report: dict[str, Any], output: Path) -> dict[str, Any]:
    return {
        "report": str(output / "report.html"),
        "primary": report["primary"],
        "systems": [
            {
                "name": system["name"],
                "measures": _means(report, number),
                "datasets": {
                    dataset["name"]: dataset["results"][number].get("means") for dataset in report["datasets"]
                },
            }
            for number, system in enumerate(report["systems"])
        ],
        "recommendation": report["recommendation"],
    }


def _say(told: dict[str, Any]) -> None:
    print(f"\n{printable(told['headline'])}")
    for reason in told["reasons"]:
        print(f"  + {printable(reason)}")
    for doubt in told["doubts"]:
        print(f"  ? {printable(doubt)}")


def _load(source: str, split: str, allow_unknown: bool) -> "Collection":
    from ragembed.datasets import load

    return load(source, split, allow_unknown=allow_unknown)


def _measures(entries: "list[Entry]", runs: list[str] | None) -> str:
    from ragembed.eval.compare.settings import MEASURES, SPAN_MEASURES

    spans = all(entry.collection.spans for entry in entries) and not runs
    return f"{SPAN_MEASURES},{MEASURES}" if spans else MEASURES


def _compared(
    entries: "list[Entry]",
    systems: "list[AnySystem]",
    folder: Path,
    settings: "Settings",
    *,
    force: bool = False,
    cache: Path | None = None,
) -> dict[str, Any]:
    from ragembed.cli._job import in_process
    from ragembed.cli._progress import watching
    from ragembed.eval.compare.run import compare as compared

    with watching() as (watch, execute):
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
    from ragembed.eval.compare.config import changes, configuration, opened
    from ragembed.eval.compare.folder import CONFIG, read_config, read_report
    from ragembed.eval.compare.reproduce import reproduction

    before, config = read_report(folder), read_config(folder)
    entries, systems, settings = opened(config, folder / CONFIG, _load)
    for change in changes(config, configuration(entries, systems, settings)):
        note(change)
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
    from rich.text import Text

    measure, several = report["primary"], report["overall"] is not None
    table = Table(box=box.SIMPLE_HEAD, title=Text(measure), title_justify="left", pad_edge=False)
    table.add_column("system", overflow="fold")
    names = [dataset["name"] for dataset in report["datasets"]] + (["mean"] if several else [])
    for name in names:
        table.add_column(Text(printable(name)), justify="right", no_wrap=True)
    table.add_column("groups", no_wrap=True)
    table.add_column("ms/query", justify="right", no_wrap=True)
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
            Text(printable(report["systems"][number]["name"])),
            *cells,
            frame["groups"][measure][number] if measure in frame["groups"] else "",
            f"{sum(times) / len(times):.1f}" if times else "",
        )
    Console(highlight=False, width=None if sys.stdout.isatty() else _WIDE).print(table)
    print("systems that share a letter do not differ significantly")
