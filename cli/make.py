"""ragembed datasets make: one's own documents -> a test collection, without a language model."""

from pathlib import Path
from typing import Annotated

import typer

from ragembed.cli.options import Json, note, print_json, progress_bar


def make(
    source: Annotated[
        Path,
        typer.Argument(metavar="INDEX|FOLDER", readable=False, help="An index, a collection, or documents."),
    ],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FOLDER", help="New or empty folder for the test set.")
    ],
    queries: Annotated[int, typer.Option(min=1, metavar="N", help="How many queries, at most.")] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Another seed draws other queries.")] = 0,
    kind: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KIND",
            help="heading, opening, docstring, definition, phrases, sentence; repeatable. (default: all)",
        ),
    ] = None,
    language: Annotated[
        str, typer.Option(metavar="NAME", help="Language of the documents; none: no stop words and stems.")
    ] = "auto",
    keep_text: Annotated[
        bool,
        typer.Option(
            "--keep-text",
            help="Leave the text of the queries in the documents, which favours word matching by far.",
        ),
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace a test set that was made before.")] = False,
    json: Json = False,
) -> None:
    """Make a test set of your own documents, without a language model.

    Headings, first sentences, definitions, docstrings and phrases become queries, and are cut from the documents that
    answer them. The same documents and seed give the same files. README.md in FOLDER says what it cannot measure.
    """
    from ragembed.datasets.make import KINDS, MakeOptions, make_dataset

    kinds = tuple(dict.fromkeys(kind or KINDS))
    options = MakeOptions(queries, seed, kinds, language, keep_text)
    with progress_bar("making queries") as progress:
        made = make_dataset(
            source,
            output,
            options,
            force=force,
            progress=progress,
            failed=lambda failure: note(f"failed: {failure.where}: {failure.reason}"),
        )
    facts = made.facts
    if facts["queries"] < queries:
        note(f"{queries} queries were asked for; the documents hold no more than {facts['queries']}")
    if facts["failed"]:
        note(f"{facts['failed']} failed, and {'is' if facts['failed'] == 1 else 'are'} left out")
    if keep_text:
        note(
            "the text of the queries stays in the documents: systems that match words are at a large advantage"
        )
    if json:
        print_json({"folder": str(made.folder), **facts})
        return
    shares = ", ".join(f"{count} {name}" for name, count in facts["queries_by_kind"].items())
    print(f"{facts['queries']} queries ({shares})")
    print(f"{facts['documents']} documents, {facts['judgements']} judgements, {facts['spans']} spans")
    print(f"test set: {made.folder}; try: ragembed eval --dataset {made.folder} --embedder bm25")
