"""ragembed import: an index from what ragembed export wrote."""

from pathlib import Path
from typing import Annotated

import typer

from ragembed.cli.options import Json, print_json, progress_bar


def import_(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", readable=False, help="An export, as jsonl and not as parquet.")
    ],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="INDEX", help="New or empty folder for the index.")
    ],
    json: Json = False,
) -> None:
    """Make an index again from its export; nothing is embedded, and it answers as the one exported did.

    Takes exports of the format jsonl. An error names the file and the line, and leaves no index.
    """
    from dataclasses import asdict

    from ragembed.exchange import import_index

    with progress_bar("importing") as progress:
        done = import_index(folder, output, progress)
    if json:
        print_json(asdict(done))
        return
    print(f"{done.documents} documents, {done.chunks} chunks of {done.files} files in {done.seconds:.1f} s")
    print(f"index: {done.index}")
