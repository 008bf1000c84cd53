"""ragembed verify: check every file of an index."""

from pathlib import Path
from typing import Annotated

import typer

from ragembed.cli.options import Json, print_json
from ragembed.errors import CorruptError


def verify(
    index: Annotated[Path, typer.Argument(metavar="INDEX", help="Folder of the index.")],
    json: Json = False,
) -> None:
    """Check every file of an index against its catalog, and the catalog against itself; changes nothing."""
    from contextlib import closing

    from ragembed.index.store import Store
    from ragembed.index.verify import Problem, orphans
    from ragembed.index.verify import verify as problems_of

    counts: dict[str, int] = {}
    unnamed: list[str] = []
    try:
        with closing(Store(index)) as store:
            problems = problems_of(store)
            if not problems:
                unnamed = orphans(store)
                with store.snapshot() as catalog:
                    counts = {**catalog.counts(), "segments": len(catalog.segments())}
    except CorruptError as error:  # so damaged that it cannot even be opened
        problems = [Problem(error.fault, error.remedy)]
    if json:
        listed = [{"what": problem.what, "remedy": problem.remedy} for problem in problems]
        print_json({"ok": not problems, **counts, "problems": listed, "orphans": unnamed})
    elif problems:
        for problem in problems:
            print(problem)
    else:
        print("ok: {documents} documents, {chunks} chunks, {segments} segments".format(**counts))
        if unnamed:
            print(
                f"{len(unnamed)} files in segments/ belong to nothing, which is harmless: the next write removes them"
            )
    if problems:
        count = "1 problem was" if len(problems) == 1 else f"{len(problems)} problems were"
        raise CorruptError(f"{index} is damaged: {count} found", problems[0].remedy)
