"""A sync that finds nothing to do against `find`, which looks at the same files: whole processes, in turn.

The tree has folders of 100 small Markdown files each. For information also: a sync after 1% of the files changed,
Python alone, and the command line alone.

    python -m ragembed.eval.bench.noop [--files 20000] [--repeat 15]
"""

from __future__ import annotations

import argparse
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from ragembed.eval.bench.harness import alternate_commands, machine, table

RAGEMBED = (sys.executable, "-c", "from ragembed.cli import main; main()")
PER_FOLDER = 100
LIMIT = 6.0


def make_tree(root: Path, files: int) -> list[Path]:
    """Small Markdown files, each with words of its own."""
    made = []
    for number in range(files):
        path = root / f"{number // PER_FOLDER:03d}" / f"note-{number:05d}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(
            f"# Note {number}\n\nWhat note {number} says of subject {number % 97}.\n", encoding="utf-8"
        )
        made.append(path)
    return made


def after_changes(files: Sequence[Path], command: Sequence[str], repeat: int) -> float:
    """Median seconds of `command` after every hundredth of `files` changed."""
    seconds = []
    for turn in range(repeat):
        for path in files[::100]:
            path.write_text(f"# Changed\n\n{path.name} changed {turn + 1} times.\n", encoding="utf-8")
        started = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)


def main() -> None:
    """Make the tree, index it, and print the table; exit 1 where the limit is broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=20_000)
    parser.add_argument("--repeat", type=int, default=15)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        docs, index = Path(folder, "docs"), str(Path(folder, "my.index"))
        files = make_tree(docs, options.files)
        sync = (*RAGEMBED, "index", str(docs), "-o", index)
        subprocess.run(sync, check=True, stdout=subprocess.DEVNULL)
        find = f"find {shlex.quote(str(docs))} -type f -printf '%s %T@\\n' | wc -l"
        seconds = alternate_commands(
            {
                "find": ("sh", "-c", find),
                "ragembed index, nothing changed": sync,
                "ragembed --version": (*RAGEMBED, "--version"),
                "python -c pass": (sys.executable, "-c", "pass"),
            },
            options.repeat,
        )
        seconds["ragembed index, 1% changed"] = after_changes(files, sync, max(3, options.repeat // 3))
    print(f"{options.files} files; {machine('typer')}\n")
    ratios = {name: value / seconds["find"] for name, value in seconds.items()}
    table(("what", "ms", "times find"), [(name, 1000 * seconds[name], ratios[name]) for name in seconds])
    if ratios["ragembed index, nothing changed"] > LIMIT:
        sys.exit(f"more than {LIMIT:g} times")


if __name__ == "__main__":
    main()
