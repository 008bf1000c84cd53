"""ragembed verify: check every file of an index, and mend what can be mended."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ragembed.cli.options import Json, note, print_json, printable
from ragembed.errors import CorruptError, IdentityError, RagembedError

if TYPE_CHECKING:
    from ragembed.index.problems import Problem


def verify(
    index: Annotated[Path, typer.Argument(metavar="INDEX", help="Folder of the index.")],
    repair: Annotated[
        bool, typer.Option("--repair", help="Mend what is wrong: stored texts are embedded again.")
    ] = False,
    json: Json = False,
) -> None:
    """Check every file of an index against its catalog, and the catalog against itself.

    Without --repair it changes nothing.
    """
    from contextlib import closing

    from ragembed.index.problems import READ_AGAIN, Problem
    from ragembed.index.store import Store
    from ragembed.index.verify import orphans
    from ragembed.index.verify import verify as problems_of

    counts: dict[str, int] = {}
    unnamed: list[str] = []
    found: list[Problem] = []
    stopped: RagembedError | None = None
    try:
        if repair:
            found, stopped = _repaired(index)
        with closing(Store(index)) as store:
            problems = problems_of(store)
            if not problems:
                unnamed = orphans(store)
                with store.snapshot() as catalog:
                    counts = {**catalog.counts(), "segments": len(catalog.segments())}
    except CorruptError as error:  # so damaged that it cannot even be opened
        problems = [Problem(error.fault, error.remedy)]
    mended = [problem for problem in found if problem not in problems]
    if json:
        print_json(
            {
                "ok": not problems,
                **counts,
                "problems": [
                    {"what": problem.what, "remedy": _remedy(problem, index)} for problem in problems
                ],
                "mended": [problem.what for problem in mended],
                "orphans": unnamed,
            }
        )
    else:
        for problem in mended:
            print(_line(f"mended: {problem.what}"))
        for problem in problems:
            print(_line(f"{problem.what}; {_remedy(problem, index)}"))
        if not problems:
            print("ok: {documents} documents, {chunks} chunks, {segments} segments".format(**counts))
        if unnamed:
            print(f"{len(unnamed)} files belong to nothing, which is harmless: the next write removes them")
    if any(problem.remedy == READ_AGAIN for problem in mended):
        note("some texts or metadata were lost: index the files again, and upsert what came from no file")
    if stopped is not None:
        raise stopped
    if problems:
        if all(problem.outside for problem in problems):
            fault = f"{index} is whole, but cannot be searched: {problems[0].what}"
            raise IdentityError(fault, _remedy(problems[0], index))
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        fault = f"{index} is damaged: {count} {'left that cannot be mended' if repair else 'found'}"
        raise CorruptError(fault, _remedy(problems[0], index))


def _repaired(index: Path) -> "tuple[list[Problem], RagembedError | None]":
    """What was wrong before the repair, and the error for which not all could be mended."""
    from ragembed.index.verify import verify as problems_of
    from ragembed.pipeline import Pipeline

    with Pipeline.open(index) as pipeline:
        found = problems_of(pipeline.store)
        try:
            pipeline.repair()
        except RagembedError as error:
            return found, error
    return found, None


def _remedy(problem: "Problem", index: Path) -> str:
    return re.sub(r"\bINDEX\b", lambda _: str(index), problem.remedy)  # not of NEW_INDEX


def _line(text: str) -> str:
    return printable(" ".join(text.split()))
