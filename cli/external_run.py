"""ragembed eval --run-file: the run of another system -> measures."""

from pathlib import Path

from ragembed.cli.options import note, print_json


def evaluate_run_file(
    dataset: str, run_file: Path, measures: str, split: str, allow_unknown: bool, json: bool
) -> None:
    """Print what a run reaches on a collection, and on stderr what its reader should know."""
    from ragembed.datasets import load
    from ragembed.eval.run_file import evaluate_run

    result = evaluate_run(load(dataset, split, allow_unknown=allow_unknown), run_file, measures)
    for remark in result.remarks():
        note(remark)
    if json:
        print_json(result.to_json())
        return
    values = "  ".join(f"{name} {value:.4f}" for name, value in result.measures.items())
    print(f"{result.dataset}  {result.tag}  {values}  ({result.queries} queries)")
