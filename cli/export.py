"""ragembed export: an index as plain files."""

from pathlib import Path
from typing import Annotated

import typer

from ragembed.cli.options import Json, print_json, progress_bar


def export(
    index: Annotated[Path, typer.Argument(metavar="INDEX", readable=False, help="Folder of the index.")],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FOLDER", help="New or empty folder for the files.")
    ],
    format: Annotated[
        str,
        typer.Option(
            metavar="FORMAT",
            help="jsonl: JSON Lines and .npy, which import reads; parquet: for other programs.",
        ),
    ] = "jsonl",
    json: Json = False,
) -> None:
    """Write an index as files that any program reads: documents, chunks, vectors.

    The index may be read and written meanwhile; the files are those of one moment.
    """
    from dataclasses import asdict

    from ragembed.exchange import export_index
    from ragembed.exchange.export import FORMATS

    if format not in FORMATS:
        raise typer.BadParameter(f"--format is {format!r}; valid are: {', '.join(FORMATS)}")
    with progress_bar("exporting") as progress:
        done = export_index(index, output, format, progress)
    if json:
        print_json(asdict(done))
        return
    print(
        f"{done.documents} documents, {done.chunks} chunks; {done.bytes / 1e6:.1f} MB in {done.seconds:.1f} s"
    )
    for place, spec in done.vectors.items():
        print(f"{place}: vectors of {spec}")
    print(f"export: {done.folder}")
