"""What a sync embeds again on a real documentation tree: after nothing, edits, moves, and deletions.

After each step the index is compared with one that is made anew of the same files: same hits, same scores.

    python -m ragembed.eval.bench.sync [--embedder bm25] [--folder FOLDER]
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from ragembed.eval.bench.harness import SHARED, machine, table
from ragembed.pipeline import Pipeline

_QUERIES = (
    "how do I disable certificate verification?", "retry a failed request", "embedding model", "install",
    "pipeline component", "configuration options", "timeout", "vector store", "async client", "training loss",
)  # fmt: skip
_TEXT = (".md", ".mdx", ".rst", ".txt", ".py")
LIMIT = 1.2
"""Per cent of the chunks that may be embedded after 1% of the documents changed."""


def edit(docs: Path, share: float, seed: int) -> int:
    """Put a sentence into the middle of that share of the files; returns how many."""
    files = sorted(path for path in docs.rglob("*") if path.suffix in _TEXT and path.stat().st_size > 200)
    everything = sum(1 for path in docs.rglob("*") if path.is_file())
    chosen = random.Random(seed).sample(files, max(1, round(share * everything)))
    for path in chosen:
        lines = path.read_text(encoding="utf-8", errors="surrogateescape").split("\n")
        lines.insert(len(lines) // 2, f"This sentence was added by edit {seed}.")
        path.write_text("\n".join(lines), encoding="utf-8", errors="surrogateescape")
    return len(chosen)


def same_answers(one: Pipeline, other: Pipeline) -> bool:
    """Whether two indexes give the same hits with the same scores."""
    first, second = (
        [[(hit.chunk, hit.score) for hit in hits] for hits in pipeline.search_many(_QUERIES, 50)]
        for pipeline in (one, other)
    )
    return first == second


def move(docs: Path) -> int:
    """Give the folder with the most files another name; returns how many files lie in it."""
    folders = sorted(path for path in docs.iterdir() if path.is_dir())
    largest = max(folders, key=lambda folder: sum(1 for _ in folder.rglob("*")))
    count = sum(1 for path in largest.rglob("*") if path.is_file())
    largest.rename(docs / "renamed")
    return count


def remove(docs: Path) -> int:
    """Delete every twentieth file; returns how many."""
    gone = sorted(path for path in docs.rglob("*") if path.is_file())[::20]
    for path in gone:
        path.unlink()
    return len(gone)


def main() -> None:
    """Print what each step embedded, and whether the answers are those of a new index; exit 1 if not."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--embedder", default="bm25")
    parser.add_argument("--folder", default=str(SHARED / "docs_tree"))
    options = parser.parse_args()
    steps: list[tuple[str, Callable[[Path], int]]] = [
        ("nothing", lambda docs: 0),
        ("1% of the files edited", lambda docs: edit(docs, 0.01, 1)),
        ("1% again", lambda docs: edit(docs, 0.01, 2)),
        ("10% of the files edited", lambda docs: edit(docs, 0.1, 3)),
        ("the largest folder renamed", move),
        ("5% of the files deleted", remove),
    ]
    rows = []
    wrong = False
    with tempfile.TemporaryDirectory() as place:
        docs = Path(place, "docs")
        shutil.copytree(options.folder, docs)
        with Pipeline.create(Path(place, "index"), options.embedder) as pipeline:
            first = pipeline.index(docs)
            rows.append(("first run", first.files, first.chunks, 100.0, first.seconds, ""))
            for name, change in steps:
                files = change(docs)
                before = pipeline.counts()["chunks"]
                report = pipeline.index(docs, prune=True)
                shutil.rmtree(Path(place, "new"), ignore_errors=True)
                with Pipeline.create(Path(place, "new"), options.embedder) as new:
                    new.index(docs)
                    same = same_answers(pipeline, new)
                share = 100 * report.chunks / before
                wrong |= not same or ("1%" in name and share > LIMIT)
                rows.append((name, files, report.chunks, share, report.seconds, "yes" if same else "NO"))
    print(machine("numpy"), "\n")
    table(("after", "files", "chunks embedded", "% of all", "s", "as a new index"), rows)
    if wrong:
        sys.exit("a sync embedded too much, or left other answers than a new index gives")


if __name__ == "__main__":
    main()
