"""ragembed eval: an embedder on a labelled collection -> measures."""

from pathlib import Path
from typing import Annotated

import typer

from ragembed.cli.options import AllowUnknown, Chunker, Json, note, print_json, progress_bar


def evaluate(
    dataset: Annotated[
        str, typer.Option(metavar="FOLDER|NAME", help="BEIR, TREC or SMART folder, or a built-in name.")
    ],
    embedder: Annotated[str, typer.Option(metavar="SPEC", help="Which embedder; '+' joins several.")],
    split: Annotated[str, typer.Option(help="Which set of judgements.")] = "test",
    chunker: Chunker = None,
    measures: Annotated[
        str, typer.Option(help="Names as ir-measures writes them, joined by commas.")
    ] = "nDCG@10,R@100",
    k: Annotated[
        int | None,
        typer.Option(
            "-k", "--top-k", help="Documents per query. [default: 100; 1000 for measures without a cutoff]"
        ),
    ] = None,
    run: Annotated[Path | None, typer.Option(metavar="OUT", help="Write the TREC run.")] = None,
    allow_unknown: AllowUnknown = False,
    json: Json = False,
) -> None:
    """Measure how well an embedder retrieves on a labelled collection.

    Documents are whole unless --chunker is given; then a document scores its best chunk (MaxP).
    """
    from ragembed.datasets import load
    from ragembed.eval.evaluate import evaluate_embedder

    collection = load(dataset, split, allow_unknown=allow_unknown)
    with progress_bar("indexing") as progress:
        result = evaluate_embedder(
            collection, embedder, chunker, measures, k=k, run_file=run, progress=progress
        )
    if result.scores.without_relevant:
        note(
            f"{len(result.scores.without_relevant)} queries have no relevant document; they score 0 and count"
        )
    if json:
        print_json(result.to_json())
        return
    values = "  ".join(f"{name} {value:.4f}" for name, value in result.measures.items())
    seconds = "  ".join(f"{name} {value:.2f} s" for name, value in result.seconds.items())
    print(f"{result.dataset}  {result.embedder}  {values}  ({result.queries} queries; {seconds})")
