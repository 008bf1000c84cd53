"""ragembed datasets convert: a test collection -> a folder in BEIR or TREC form."""

from pathlib import Path
from typing import Annotated

import typer

from ragembed.cli.options import AllowUnknown, Json, note, print_json


def convert(
    dataset: Annotated[
        str, typer.Argument(metavar="FOLDER|NAME", help="A collection in any form, or a built-in name.")
    ],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FOLDER", help="New or empty folder for the files.")
    ],
    to: Annotated[
        str,
        typer.Option(
            "--to",
            metavar="FORM",
            help="beir: JSON Lines, which holds everything; trec: SGML, topics and qrels, for older programs.",
        ),
    ] = "beir",
    split: Annotated[str, typer.Option(help="Which set of judgements.")] = "test",
    force: Annotated[bool, typer.Option("--force", help="Replace a folder that holds a collection.")] = False,
    allow_unknown: AllowUnknown = False,
    json: Json = False,
) -> None:
    """Write a test collection in the form that another program reads."""
    from dataclasses import asdict

    from ragembed.datasets import load
    from ragembed.datasets.write import FORMS, write_dataset

    if to not in FORMS:
        raise typer.BadParameter(f"--to is {to!r}; valid are: {', '.join(FORMS)}")
    done = write_dataset(load(dataset, split, allow_unknown=allow_unknown), output, to, force=force)
    for lost in done.lost:
        note(f"not in {to} form: {lost}")
    if json:
        print_json({**asdict(done), "folder": str(done.folder)})
        return
    spans = f", {done.spans} spans" if done.spans else ""
    print(f"{done.documents} documents, {done.queries} queries, {done.judgements} judgements{spans}")
    print(f"{to}: {done.folder}")
