"""Indexing a real documentation tree end to end: files per second and peak memory of the whole process.

python -m ragembed.eval.bench.indexing [--embedder bm25] [--folder FOLDER] [--repeat 5]
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile

from ragembed.eval.bench.harness import SHARED, in_process, machine, peak_megabytes, table


def once(folder: str, embedder: str) -> None:
    """Child process: index `folder` into a temporary index and print what it took."""
    from ragembed.pipeline import Pipeline

    with tempfile.TemporaryDirectory() as place, Pipeline.create(f"{place}/index", embedder) as pipeline:
        report = pipeline.index(folder)
        size = pipeline.info()["bytes"] / 1e6
        again = pipeline.index(folder).seconds
    print(
        json.dumps(
            {
                "files": report.files,
                "documents": report.added,
                "chunks": report.chunks,
                "failed": len(report.failed),
                "seconds": report.seconds,
                "again": again,
                "megabytes": size,
                "peak": peak_megabytes(),
            }
        )
    )


def main() -> None:
    """Run it in processes of their own and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--embedder", default="bm25")
    parser.add_argument("--folder", default=str(SHARED / "docs_tree"))
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--once", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.once:
        once(options.folder, options.embedder)
        return
    print(machine("numpy"), "\n")
    arguments = ("--once", "--folder", options.folder, "--embedder", options.embedder)
    runs = [in_process(__file__, *arguments) for _ in range(options.repeat)]
    middle = {key: statistics.median(run[key] for run in runs) for key in runs[0]}
    rows = [
        (options.embedder, int(middle["files"]), int(middle["failed"]), int(middle["chunks"]),
         middle["seconds"], f"{middle['files'] / middle['seconds']:.0f}", middle["again"],
         middle["megabytes"], f"{middle['peak']:.0f}"),
    ]  # fmt: skip
    table(
        ("embedder", "files", "failed", "chunks", "s", "files/s", "s, run again", "index MB", "peak MB"), rows
    )


if __name__ == "__main__":
    main()
