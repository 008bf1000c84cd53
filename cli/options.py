"""Options that several commands share, and how commands print."""

import contextlib
import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from ragembed.embed.coverage import Coverage

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object to stdout.")]
Index = Annotated[
    Path, typer.Option("-i", "--index", metavar="INDEX", readable=False, help="Folder of the index.")
]
Embedder = Annotated[
    str | None,
    typer.Option(
        metavar="SPEC",
        help="bm25, tfidf, lsa, minilm, st:NAME ...; '+' joins several: bm25+minilm. (default: bm25)",
    ),
]
Chunker = Annotated[
    str | None,
    typer.Option(
        metavar="SPEC",
        help="whole, fixed, sentence, recursive, markdown, code. (default: recursive(tokens=256, overlap=32))",
    ),
]
Include = Annotated[
    list[str] | None,
    typer.Option(metavar="PATTERN", help="Only files that match (as in .gitignore); repeatable."),
]
Exclude = Annotated[
    list[str] | None,
    typer.Option(metavar="PATTERN", help="No files that match (as in .gitignore); repeatable."),
]

AllowUnknown = Annotated[
    bool,
    typer.Option("--allow-unknown", help="Go on though judged documents are missing from the collection."),
]


Where = Annotated[
    str | None,
    typer.Option(
        metavar="EXPR",
        help="Only chunks whose metadata meet this: \"lang = 'en' and year >= 2020\", path:guide/*",
    ),
]

Fusion = Annotated[
    str | None,
    typer.Option(
        metavar="SPEC",
        help="How the lists of several embedders are joined: evidence, rrf(k=20), convex ...;"
        " auto: as tune learnt. (default: as tune learnt, else evidence)",
    ),
]
Steps = Annotated[
    str | None,
    typer.Option(metavar="SPEC", help="What is done with the list then, in that order, joined by '+'."),
]

Aggregate = Annotated[
    str | None,
    typer.Option(
        metavar="SPEC",
        help="How chunks score their document: max, first, sum, mean(top=3). (default: max)",
    ),
]


def size_in_bytes(text: str, option: str) -> int:
    """A size such as ``500MB`` or ``2GiB`` in bytes."""
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]?)(i?)b?\s*", text, re.IGNORECASE)
    if found is None or not float(found[1]):
        raise typer.BadParameter(f"{option} is {text!r}; give a size such as 500MB or 2GB")
    base = 1024 if found[3] else 1000
    return int(float(found[1]) * base ** " kmgt".index(found[2].lower() or " "))


def refuse(context: typer.Context, options: dict[str, str], why: str) -> None:
    """Exit with 2 where one of `options`, {parameter: how it is written}, was given, which mean nothing here."""
    for name, option in options.items():
        source = context.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE":
            raise typer.BadParameter(f"{option} does nothing here: {why}")


def print_json(value: Any) -> None:
    """One JSON value on one line of stdout."""
    plain = not (sys.stdout.encoding or "").lower().startswith("utf")
    sys.stdout.write(json.dumps(value, ensure_ascii=plain) + "\n")


def note(text: str) -> None:
    """A line for people, on stderr."""
    print(printable(text), file=sys.stderr)


def tell_coverage(found: "Iterable[Coverage]") -> None:
    """Which tokens had no vector, where there were any, on stderr."""
    for each in found:
        if each.unknown:
            note(str(each))


def printable(text: str) -> str:
    """`text` without control characters: a stranger's document could take over the terminal, or turn a line around."""
    return _CONTROL.sub("\ufffd", text)


@contextlib.contextmanager
def progress_bar(label: str) -> Iterator[Callable[[int, int, str], None] | None]:
    """A bar with the time left on stderr; None where stderr is no terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn(label),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[what]}"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(label, total=None, what="")
        yield lambda done, total, what: bar.update(task, completed=done, total=total, what=what[-50:])
