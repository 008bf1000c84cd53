"""ragembed eval: an embedder on a labelled collection, or on a file of words or sentences -> measures."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ragembed.cli.options import (
    Aggregate,
    AllowUnknown,
    Chunker,
    Fusion,
    Json,
    Steps,
    note,
    print_json,
    progress_bar,
    refuse,
    tell_coverage,
)

if TYPE_CHECKING:
    from ragembed.eval.cost import Cost
    from ragembed.eval.evaluate import Evaluation

_FOLDER = {
    "split": "--split",
    "chunker": "--chunker",
    "fusion": "--fusion",
    "steps": "--steps",
    "aggregate": "--aggregate",
    "measures": "--measures",
    "k": "--top-k",
    "run": "--run",
    "allow_unknown": "--allow-unknown",
}
_FILE = {"corpus": "--corpus", "unknown": "--unknown", "vocabulary": "--vocabulary"}
_OF_RUNS = ("split", "measures", "allow_unknown")
_PANEL = "For a file of words or sentences"


def evaluate(
    context: typer.Context,
    dataset: Annotated[
        str,
        typer.Option(
            metavar="FOLDER|NAME|FILE",
            help="BEIR, TREC or SMART folder, a built-in name, or a file of word or sentence pairs, analogies or"
            " bias tests.",
        ),
    ],
    embedder: Annotated[
        str | None, typer.Option(metavar="SPEC", help="Which embedder; '+' joins several.")
    ] = None,
    split: Annotated[str, typer.Option(help="Which set of judgements.")] = "test",
    chunker: Chunker = None,
    fusion: Fusion = None,
    steps: Steps = None,
    aggregate: Aggregate = None,
    measures: Annotated[
        str, typer.Option(help="Names as ir-measures writes them, joined by commas.")
    ] = "nDCG@10,R@100",
    k: Annotated[
        int | None,
        typer.Option(
            "-k", "--top-k", help="Documents per query. (default: 100; 1000 for measures without a cutoff)"
        ),
    ] = None,
    run: Annotated[Path | None, typer.Option(metavar="OUT", help="Write the TREC run.")] = None,
    run_file: Annotated[
        Path | None,
        typer.Option(metavar="RUN", help="Score the TREC run of another system; no embedder then."),
    ] = None,
    allow_unknown: AllowUnknown = False,
    corpus: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATH",
            help="Texts to learn from first: lines of a .txt or .gz, documents of a folder; repeatable.",
            rich_help_panel=_PANEL,
        ),
    ] = None,
    unknown: Annotated[
        str | None,
        typer.Option(
            metavar="skip|zero",
            help="Leave out what has no vector (default for words), or score it 0 (default for sentences).",
            rich_help_panel=_PANEL,
        ),
    ] = None,
    vocabulary: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|N",
            help="Words that may answer an analogy, one on each line, or the embedder's first N. Without: all of its"
            " own, or those of the questions where it has none.",
            rich_help_panel=_PANEL,
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Measure how well an embedder, or another system's run, retrieves; or how good vectors are by themselves.

    Documents are whole unless --chunker is given; then a document scores its best chunk (MaxP), or see --aggregate.

    A file, such as WS-353, STS-B, questions-words.txt or weat.json, is recognised by its first line.
    """
    from ragembed.datasets import available, load
    from ragembed.eval.evaluate import evaluate_embedder
    from ragembed.eval.runs import check_queries, write_run

    if (embedder is None) == (run_file is None):
        raise typer.BadParameter("give --embedder, or the --run-file of another system")
    if run_file is not None:
        from ragembed.cli.external_run import evaluate_run_file

        not_here = {key: option for key, option in {**_FOLDER, **_FILE}.items() if key not in _OF_RUNS}
        refuse(context, not_here, f"{run_file} has answered already")
        evaluate_run_file(dataset, run_file, measures, split, allow_unknown, json)
        return
    assert embedder is not None
    if dataset not in available() and Path(dataset).is_file():
        from ragembed.cli.quality import evaluate_file

        refuse(context, _FOLDER, f"{dataset} is a file, no test collection")
        evaluate_file(
            Path(dataset), embedder, corpus=corpus or (), unknown=unknown, vocabulary=vocabulary, json=json
        )
        return
    refuse(context, _FILE, f"{dataset} is a test collection, no file of words or sentences")

    collection = load(dataset, split, allow_unknown=allow_unknown)
    if run is not None:
        check_queries(query for query in collection.qrels if query in collection.queries)
    with progress_bar("indexing") as progress:
        result = evaluate_embedder(
            collection,
            embedder,
            chunker,
            measures,
            fusion=fusion,
            steps=steps,
            aggregate=aggregate,
            k=k,
            timed=True,
            progress=progress,
        )
    try:
        if run is not None:
            write_run(run, result.run)
    finally:  # a run that cannot be written is no reason to lose what was measured
        _tell(result, json)


def _tell(result: "Evaluation", json: bool) -> None:
    from ragembed.eval.cost import peak_memory

    for remark in result.scores.remarks():
        note(remark)
    tell_coverage(result.coverage.values())
    cost = replace(result.cost, peak_memory_bytes=peak_memory())  # this process does nothing else
    if json:
        print_json(replace(result, cost=cost).to_json())
        return
    values = "  ".join(f"{name} {value:.4f}" for name, value in result.measures.items())
    print(f"{result.dataset}  {result.embedder}  {values}  ({result.queries} queries)")
    print(_costs(cost))


def _costs(cost: "Cost") -> str:
    """What it took, in a line."""
    told = [f"index {cost.index_seconds:.2f} s", f"{cost.vector_bytes / 1e6:.2f} MB of vectors"]
    if cost.latency_ms:
        told.append(f"a query {cost.latency_ms.p50:.2g} ms (p95 {cost.latency_ms.p95:.2g} ms)")
    told.append(f"{(cost.peak_memory_bytes or 0) / 1e6:.0f} MB of memory")
    if cost.truncated_chunks:
        told.append(f"{cost.truncated_chunks:,} of {cost.chunks:,} texts cut at their ends")
    return "  " + ", ".join(told)
