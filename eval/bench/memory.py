"""Peak memory of indexing as the corpus grows, under a stated budget: it must not grow with the corpus.

python -m ragembed.eval.bench.memory [--embedder bm25] [--memory 300MB] [--megabytes 50 200 800]
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np

from ragembed.eval.bench.harness import in_process, machine, peak_megabytes, table

_FILE = 1_000_000
"""Characters of a file."""


def make(folder: Path, megabytes: int) -> None:
    """Files of a million characters of words, frequent and rare ones as in language (Zipf)."""
    words = np.array([f"{stem}{n}" for n in range(4_000) for stem in ("ba", "ke", "li", "mo", "nu")])
    weights = 1 / np.arange(1, len(words) + 1)
    draw = np.random.default_rng(1)
    for number in range(megabytes):
        chosen = words[draw.choice(len(words), _FILE // 5, p=weights / weights.sum())]
        paragraphs = (" ".join(part) for part in np.array_split(chosen, 1_000))
        (folder / f"{number:04d}.txt").write_text("\n\n".join(paragraphs)[:_FILE], encoding="utf-8")


def once(megabytes: int, embedder: str, memory: str) -> None:
    """Child process: index a corpus of that size and print what it took."""
    from ragembed.cli.options import size_in_bytes
    from ragembed.pipeline import Pipeline

    with tempfile.TemporaryDirectory() as place:
        docs = Path(place, "docs")
        docs.mkdir()
        make(docs, megabytes)
        before = peak_megabytes()
        with Pipeline.create(Path(place, "index"), embedder) as pipeline:
            report = pipeline.index(docs, memory=size_in_bytes(memory, "--memory"))
            segments = len(pipeline.info()["segments"])
            size = pipeline.info()["bytes"] / 1e6
    figures = {"chunks": report.chunks, "segments": segments, "index": size, "before": before}
    print(json.dumps({**figures, "seconds": report.seconds, "peak": peak_megabytes()}))


def main() -> None:
    """Run each size in a process of its own and print the peaks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--embedder", default="bm25")
    parser.add_argument("--memory", default="300MB")
    parser.add_argument("--megabytes", type=int, nargs="*", default=[50, 200, 800])
    parser.add_argument("--once", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.once:
        once(options.once, options.embedder, options.memory)
        return
    print(f"{options.embedder}, --memory {options.memory}; {machine('numpy')}\n")
    rows = []
    for size in options.megabytes:
        arguments = ("--once", str(size), "--embedder", options.embedder, "--memory", options.memory)
        run = in_process(__file__, *arguments)
        rows.append(
            (size, run["chunks"], run["segments"], f"{run['index']:.0f}", f"{run['seconds']:.0f}",
             f"{run['before']:.0f}", f"{run['peak']:.0f}")
        )  # fmt: skip
    table(("MB of text", "chunks", "segments", "index MB", "s", "MB before", "peak MB"), rows)


if __name__ == "__main__":
    main()
