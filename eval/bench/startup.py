"""Start-up: `ragembed --help` against a two-command Typer app's, and a cold query against what it must import.

python -m ragembed.eval.bench.startup [--repeat 15]
"""

from __future__ import annotations

import argparse
import sys
import tempfile

from ragembed.eval.bench.harness import SHARED, alternate_commands, machine, table

TWO_COMMANDS = """
import typer
app = typer.Typer()
@app.command()
def first(name: str) -> None: ...
@app.command()
def second(name: str) -> None: ...
app()
"""
RAGEMBED = (sys.executable, "-c", "from ragembed.cli import main; main()")


def main() -> None:
    """Run both comparisons and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=15)
    options = parser.parse_args()
    from ragembed.pipeline import Pipeline

    with tempfile.TemporaryDirectory() as folder:
        index = f"{folder}/scifact.index"
        with Pipeline.create(index, "bm25", "whole") as pipeline:
            pipeline.index(SHARED / "scifact" / "corpus.jsonl")
        seconds = alternate_commands(
            {
                "help": (*RAGEMBED, "--help"),
                "two-command Typer app": (sys.executable, "-c", TWO_COMMANDS, "--help"),
                "query": (*RAGEMBED, "query", "does vitamin D prevent cancer?", "-i", index),
                "query --json": (*RAGEMBED, "query", "does vitamin D prevent cancer?", "-i", index, "--json"),
                "import numpy, typer, rich.console": (
                    sys.executable,
                    "-c",
                    "import numpy, typer, rich.console",
                ),
            },
            options.repeat,
        )
    print(machine("numpy", "typer", "rich"), "\n")
    pairs = (
        ("help", "two-command Typer app", 1.5),
        ("query", "import numpy, typer, rich.console", 2.0),
        ("query --json", "import numpy, typer, rich.console", 2.0),
    )
    rows = [
        (
            f"ragembed {ours}",
            seconds[ours],
            theirs,
            seconds[theirs],
            f"{seconds[ours] / seconds[theirs]:.2f}",
            limit,
        )
        for ours, theirs, limit in pairs
    ]
    table(("ours", "s", "against", "s", "ratio", "limit"), rows)


if __name__ == "__main__":
    main()
