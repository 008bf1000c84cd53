"""ragembed datasets: the test collections at hand."""

from typing import Annotated

import typer

from ragembed.cli.options import AllowUnknown, Json, print_json


def datasets(
    dataset: Annotated[
        str | None,
        typer.Argument(metavar="[FOLDER|NAME]", help="A collection to describe; none lists those built in."),
    ] = None,
    split: Annotated[str, typer.Option(help="Which set of judgements.")] = "test",
    allow_unknown: AllowUnknown = False,
    json: Json = False,
) -> None:
    """List the built-in test collections, or describe one."""
    from ragembed.datasets import available, load

    names = [dataset] if dataset else available()
    rows = []
    for name in names:
        found = load(name, split, allow_unknown=allow_unknown)
        judged = sum(len(judgements) for judgements in found.qrels.values())
        rows.append(
            {"dataset": found.name, "split": found.split, "documents": len(found.documents),
             "queries": len(found.queries), "judgements": judged,
             "spans": sum(map(len, found.spans.values()))}
        )  # fmt: skip
    if json:
        print_json({"datasets": rows})
        return
    for row in rows:
        told = (f"{key} {value}" for key, value in row.items() if value or key != "spans")
        print("  ".join(told))
