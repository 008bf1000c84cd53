"""ragembed vacuum: give the space of deleted chunks back."""

from pathlib import Path
from typing import Annotated

import typer

from ragembed.cli.options import Json, note, print_json


def vacuum(
    index: Annotated[Path, typer.Argument(metavar="INDEX", readable=False, help="Folder of the index.")],
    json: Json = False,
) -> None:
    """Rewrite an index without what was deleted: afterwards no file of it holds any of the deleted text."""
    from dataclasses import asdict

    from ragembed.pipeline import Pipeline

    with Pipeline.open(index) as pipeline:
        done = pipeline.vacuum()
    if json:
        print_json(asdict(done))
        return
    for text in done.notes:
        note(text)
    print(
        f"{done.rows} deleted rows dropped; {done.before / 1e6:.1f} MB before, {done.after / 1e6:.1f} MB now"
    )
