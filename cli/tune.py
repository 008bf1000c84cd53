"""ragembed tune: labelled queries -> how an index's lists are joined, and how probably a hit is relevant."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ragembed.cli.options import AllowUnknown, Json, note, print_json

if TYPE_CHECKING:
    from ragembed.eval.tune import Tuning
    from ragembed.retrieve.calibration import Calibration
    from ragembed.types import Qrels


def tune(
    index: Annotated[Path, typer.Argument(metavar="INDEX", readable=False, help="Folder of the index.")],
    queries: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Queries as JSON Lines ({_id, text}) or as lines 'id<TAB>text'."),
    ] = None,
    qrels: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Which documents are relevant: BEIR .tsv or TREC qrels."),
    ] = None,
    dataset: Annotated[
        str | None,
        typer.Option(metavar="FOLDER", help="In their place: queries and judgements of a test collection."),
    ] = None,
    split: Annotated[str, typer.Option(help="Which set of judgements of the collection.")] = "dev",
    allow_unknown: AllowUnknown = False,
    measure: Annotated[str, typer.Option(help="What the weights are to be good at.")] = "nDCG@10",
    fusion: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SPEC",
            help="Fusion to learn weights for; repeatable. (default: evidence, rrf, convex in three scales)",
        ),
    ] = None,
    unanswerable: Annotated[
        float,
        typer.Option(metavar="SHARE", help="Share of queries that will have no answer in the index, 0 to 1."),
    ] = 0.25,
    apply: Annotated[bool, typer.Option("--apply", help="Have the index search by it from now on.")] = False,
    forget: Annotated[bool, typer.Option("--forget", help="Drop what the index has learnt.")] = False,
    json: Json = False,
) -> None:
    """Learn from labelled queries how to join an index's lists, and how probably a hit is relevant.

    Without --apply it only tells what it found.
    """
    from ragembed.datasets import load, read_qrels, read_queries
    from ragembed.pipeline import Pipeline

    given = queries is not None or qrels is not None or dataset is not None
    if forget:
        if given or apply:
            raise typer.BadParameter("--forget drops what was learnt; leave all else out")
        with Pipeline.open(index) as pipeline:
            pipeline.learnt = None
        if json:
            print_json({"index": str(index), "learnt": None})
        else:
            print(f"{index} has forgotten what it learnt")
        return
    if dataset is None and (queries is None or qrels is None):
        raise typer.BadParameter("give --queries and --qrels, or --dataset")
    if dataset is not None and (queries is not None or qrels is not None):
        raise typer.BadParameter("give --queries and --qrels, or --dataset, not both")
    from ragembed.eval.tune import tune as learn
    from ragembed.eval.tune.candidates import FAMILIES

    judged: Qrels
    with Pipeline.open(index) as pipeline:
        if dataset is not None:
            collection = load(dataset, split, allow_unknown=allow_unknown)
            texts, judged = collection.queries, collection.qrels
        else:
            assert queries is not None
            assert qrels is not None
            texts, judged = read_queries(queries), read_qrels(qrels)
        found = learn(pipeline, texts, judged, measure, tuple(fusion or FAMILIES), unanswerable)
        if apply:
            pipeline.learnt = found.learnt()
    if found.missing:
        note(f"{found.missing} relevant documents are not in the index; queries that need them lose by it")
    if json:
        print_json({"index": str(index), **found.to_json(), "applied": apply})
    else:
        _tell(found)
        if not apply:
            note("nothing is changed; with --apply the index searches by it")


def _tell(found: "Tuning") -> None:
    print(f"{found.queries} labelled queries, {found.measure}, {' + '.join(found.embedders)}")
    if found.gain is None:
        print("one list: there is nothing to weigh")
    else:
        anew = "chosen anew in every fold"
        wide = max(len(name) for name in (anew, found.default, *(tried.spec for tried in found.tried)))
        print(f"\n{'fusion':<{wide}}{'held out':>10}   gain over {found.default} with 95% interval")
        print(f"{found.default:<{wide}}{found.gain.default:>10.4f}   (default)")
        for tried in found.tried:
            gain = tried.gain
            print(
                f"{tried.spec:<{wide}}{gain.learnt:>10.4f}   {gain.difference:+.4f} [{gain.low:+.4f}, {gain.high:+.4f}]"
                f"  p {gain.p:.4f}"
            )
        gain = found.gain
        print(
            f"{anew:<{wide}}{gain.learnt:>10.4f}   {gain.difference:+.4f}"
            f" [{gain.low:+.4f}, {gain.high:+.4f}]  p {gain.p:.4f}"
        )
        print(
            f"\nrecommended: {found.recommended}"
            if found.recommended
            else f"\nkeep the default: these {found.queries} queries do not show that learnt weights are better"
        )
    if found.calibration is None:
        print("no probabilities: among the first hits nothing tells relevant ones from others")
    else:
        _tell_calibration(found.calibration)


def _tell_calibration(calibration: "Calibration") -> None:
    """What a threshold gives, as it was measured."""
    figures = calibration.evidence
    joined = f" of {calibration.fusion}" if calibration.fusion else ""
    print(
        f"\nprobability that a hit{joined} is relevant, on held-out queries: AUROC {figures['auroc']:.3f},"
        f" calibration error {figures['calibration_error']:.3f}"
    )
    print(
        f"queries against the same queries without their documents: AUROC {figures['auroc_answerable']:.3f}\n"
    )
    print("threshold   precision   surely   recall   answered   answered wrongly")
    for level in calibration.levels:
        if level.hits and (round(level.probability * 100) % 10 == 0):
            precision = "-" if level.precision is None else f"{level.precision:.2f}"
            surely = "-" if level.surely is None else f"{level.surely:.2f}"
            print(
                f"{level.probability:>9.1f}{precision:>12}{surely:>9}{level.recall:>9.2f}{level.answered:>11.2f}"
                f"{level.answered_wrongly:>19.2f}"
            )
