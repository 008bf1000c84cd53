"""`ragembed compare` of eight systems against the sum of its parts: `ragembed eval` of each, whole processes.

Then the comparison is killed in the middle and run again, and made once more with `--reproduce`.

    python -m ragembed.eval.bench.compare [--dataset FOLDER] [--repeat 1]
"""

from __future__ import annotations

import argparse
import json
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ragembed.eval.bench.harness import SHARED, machine, table
from ragembed.eval.compare.reproduce import reproduction

RAGEMBED = (sys.executable, "-c", "from ragembed.cli import main; main()")
SYSTEMS = (
    "onehot", "tfidf", "bm25", "random-projection", "lsa", "minilm", "bm25+minilm", "bm25 @ recursive(tokens=128)",
)  # fmt: skip
MEASURES = "nDCG@10,R@100,RR@10"
LIMIT_S, LIMIT_RATIO = 15 * 60, 1.1


def main() -> None:
    """Print the table; exit 1 where a limit is broken or a report differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", default=str(SHARED / "scifact"))
    parser.add_argument("--repeat", type=int, default=1)
    options = parser.parse_args()
    print(machine("numpy", "torch", "sentence-transformers"), "\n")
    alone: dict[str, list[float]] = {system: [] for system in SYSTEMS}
    together: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        for turn in range(options.repeat):
            for system in SYSTEMS:
                alone[system].append(_seconds(_evaluate(options.dataset, system)))
            together.append(_seconds(_compare(options.dataset, Path(folder, f"report{turn}"))))
        whole = statistics.median(together)
        parts = {system: statistics.median(values) for system, values in alone.items()}
        table(("system", "s, alone"), [*parts.items(), ("sum", sum(parts.values())), ("compare", whole)])
        ratio = whole / sum(parts.values())
        print(f"ratio {ratio:.2f} (limit {LIMIT_RATIO}), {whole:.0f} s (limit {LIMIT_S})")
        before = _report(Path(folder, "report0"))
        kills = _killed_and_resumed(options.dataset, Path(folder, "killed"), whole)
        resumed = reproduction(before, _report(Path(folder, "killed")))
        print(
            f"killed {kills} times and run again: {len(resumed.differences)} of {resumed.compared:,} numbers differ"
        )
        again = subprocess.run(
            [*RAGEMBED, "compare", "--reproduce", str(Path(folder, "report0"))],
            capture_output=True,
            text=True,
            check=False,
        )
        print("--reproduce:", again.stdout.strip())
    if ratio > LIMIT_RATIO or whole > LIMIT_S or resumed.differences or again.returncode:
        sys.exit(1)


def _evaluate(dataset: str, system: str) -> list[str]:
    embedder, _, chunker = system.partition(" @ ")
    cut = ["--chunker", chunker] if chunker else []
    return [*RAGEMBED, "eval", "--dataset", dataset, "--embedder", embedder, *cut, "--measures", MEASURES]


def _compare(dataset: str, folder: Path) -> list[str]:
    systems = [part for system in SYSTEMS for part in ("--embedder", system)]
    return [*RAGEMBED, "compare", "--dataset", dataset, *systems, "--measures", MEASURES, "-o", str(folder)]


def _seconds(command: Sequence[str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def _killed_and_resumed(dataset: str, folder: Path, seconds: float) -> int:
    """Kill the comparison at a third and at two thirds of its time, then let it end; returns how often it was."""
    kills = 0
    for share in (0.33, 0.33):
        child = subprocess.Popen(_compare(dataset, folder), stdout=subprocess.DEVNULL)
        try:
            child.wait(timeout=share * seconds)
        except subprocess.TimeoutExpired:
            child.send_signal(signal.SIGKILL)
            child.wait()
            kills += 1
    if not (folder / "report.json").exists():
        subprocess.run(_compare(dataset, folder), check=True, stdout=subprocess.DEVNULL)
    return kills


def _report(folder: Path) -> dict[str, Any]:
    report: dict[str, Any] = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    return report


if __name__ == "__main__":
    main()
