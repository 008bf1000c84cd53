"""ragembed chunk: show how a chunker cuts files."""

from pathlib import Path
from typing import Annotated

import typer

from ragembed.cli.options import Exclude, Include, note, print_json, printable
from ragembed.errors import ReadError


def chunk(
    paths: Annotated[
        list[Path], typer.Argument(metavar="PATH...", readable=False, help="Files and folders to cut.")
    ],
    chunker: Annotated[
        str, typer.Option(metavar="SPEC", help="whole, fixed, sentence, recursive, markdown, code.")
    ] = "recursive",
    include: Include = None,
    exclude: Exclude = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object per chunk.")] = False,
) -> None:
    """Cut files into chunks and print them, without an index."""
    from ragembed.chunk import CHUNKERS
    from ragembed.read import read_files
    from ragembed.read.base import Failure, ReadOptions

    maker = CHUNKERS.create(chunker)
    read = failed = 0
    for item in read_files(paths, ReadOptions(include=tuple(include or ()), exclude=tuple(exclude or ()))):
        if isinstance(item, Failure):
            failed += 1
            note(f"failed: {item.where}: {item.reason}")
            continue
        read += 1
        for part in maker.chunk(item):
            if json:
                print_json(
                    {"id": part.id, "document_id": part.document_id, "start": part.start, "end": part.end,
                     "text": part.text, "metadata": dict(part.metadata)}
                )  # fmt: skip
            else:
                where = " ".join(
                    f"{key}={part.metadata[key]}"
                    for key in ("page", "line", "heading")
                    if key in part.metadata
                )
                print(f"--- {part.id} [{part.start}:{part.end}] {where}\n{printable(part.text)}\n")
    if not read:
        raise ReadError(
            "nothing could be read", "see the reasons above" if failed else "name a folder with documents"
        )
