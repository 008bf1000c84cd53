"""ragembed optimize: choose, build and measure the approximate structure that an index is searched through."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ragembed.cli.options import Json, note, print_json, progress_bar, size_in_bytes
from ragembed.errors import ReadError

if TYPE_CHECKING:
    from ragembed.optimize import Optimized


def optimize(
    index: Annotated[Path, typer.Argument(metavar="INDEX", readable=False, help="Folder of the index.")],
    target_recall: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE", help="Of the 10 best hits of exact search, how many are found. (default: 0.95)"
        ),
    ] = None,
    memory: Annotated[
        str | None, typer.Option(metavar="SIZE", help="Memory that searching may take, such as 500MB.")
    ] = None,
    latency: Annotated[
        str | None, typer.Option(metavar="TIME", help="Time that one query may take, such as 5ms.")
    ] = None,
    queries: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            readable=False,
            help="Queries to measure by: one a line, JSON Lines with text, or .tsv. (default: chunks held out)",
        ),
    ] = None,
    index_type: Annotated[
        str | None,
        typer.Option(
            metavar="SPEC", help="Build this type instead of choosing one; flat: exact search again."
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Choose how vectors are searched by measuring, and build it: exact where that is fast enough."""
    from ragembed.pipeline import Pipeline

    size = None if memory is None else size_in_bytes(memory, "--memory")
    seconds = None if latency is None else _seconds(latency)
    asked = None if queries is None else _queries(queries)
    with Pipeline.open(index) as pipeline, progress_bar("optimizing") as progress:
        done = pipeline.optimize(target_recall, size, seconds, asked, index_type, progress)
    if json:
        print_json(done.to_json())
    else:
        _tell(done)
    for text in done.notes:
        note(text)


def _tell(done: "Optimized") -> None:
    for choice in done.choices:
        if choice.trials:
            print(f"{'type':<16}{'recall@10':>10}{'ms':>9}{'MB':>9}  setting")
            for trial in choice.trials:
                rows = "all rows" if trial.whole else "reckoned from a sample"
                print(
                    f"{trial.index_type:<16}{trial.recall:>10.3f}{trial.seconds * 1e3:>9.3f}"
                    f"{trial.memory / 1e6:>9.1f}  {trial.settings} ({rows})"
                )
        print(f"{choice.embedder}: {choice.index_type}, because {choice.reason}")
        found = ", ".join(f"{name} {recall:.3f}" for name, recall in choice.recall.items())
        print(
            f"  {choice.rows:,} rows; {found} (by {choice.probes}); {choice.seconds * 1e3:.3f} ms a query"
            f" by one thread; {choice.memory / 1e6:.1f} MB, flat vectors {choice.flat_bytes / 1e6:.1f} MB"
        )


def _seconds(text: str) -> float:
    import re

    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(us|ms|s)\s*", text)
    if found is None or not float(found[1]):
        raise typer.BadParameter(f"--latency is {text!r}; give a time such as 5ms or 0.5s")
    return float(found[1]) * {"us": 1e-6, "ms": 1e-3, "s": 1.0}[found[2]]


def _queries(path: Path) -> list[str]:
    import json

    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ReadError(
            f"{path} cannot be read ({error})", "give a text file with a query on each line"
        ) from error
    if path.suffix == ".tsv":  # as `query` and `tune` take them
        from ragembed.datasets import read_queries

        return list(read_queries(path).values())
    found = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        if path.suffix != ".jsonl":
            found.append(line.strip())
            continue
        try:
            found.append(str(json.loads(line)["text"]))
        except (ValueError, LookupError, TypeError) as error:
            raise ReadError(f"{path}, line {number}: no object with text", 'write {"text": "..."}') from error
    return found
