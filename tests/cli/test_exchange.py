"""ragembed export and ragembed import, on small documents and on a real collection."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest


def test_there_and_back(run: Any, docs: Path, index: Path, tmp_path: Path) -> None:
    done = run("export", index, "-o", tmp_path / "files", "--json").json()
    assert done["folder"] == str(tmp_path / "files")
    assert (done["format"], done["documents"], done["vectors"]) == ("jsonl", 4, {})
    made = run("import", tmp_path / "files", "-o", tmp_path / "again", "--json").json()
    assert (made["index"], made["documents"], made["files"]) == (str(tmp_path / "again"), 4, 3)
    assert made["chunks"] == done["chunks"]
    hits = [
        run("query", "How often are keys rotated?", "-i", folder, "--json").json()["hits"]
        for folder in (index, tmp_path / "again")
    ]
    assert hits[0] == hits[1] != []
    report = run("index", docs, "-o", tmp_path / "again", "--json").json()
    assert (report["unchanged"], report["added"], report["chunks"]) == (4, 0, 0)


def test_what_is_printed(run: Any, index: Path, tmp_path: Path) -> None:
    out = run("export", index, "-o", tmp_path / "files").out
    assert out.startswith("4 documents, ")
    assert out.endswith(f"export: {tmp_path / 'files'}\n")
    out = run("import", tmp_path / "files", "-o", tmp_path / "again").out
    assert out.startswith("4 documents, ")
    assert out.endswith(f"index: {tmp_path / 'again'}\n")


def test_mistakes_are_one_line(run: Any, index: Path, tmp_path: Path) -> None:
    done = run("export", index, "-o", index)
    assert (done.code, done.err.count("\n")) == (1, 1)
    assert "lies in the index itself" in done.err
    done = run("import", index, "-o", tmp_path / "new")
    assert (done.code, done.err.count("\n")) == (1, 1)
    assert "is no export: it has no manifest.json; make one with: ragembed export INDEX" in done.err
    assert run("export", index, "-o", tmp_path / "files", "--format", "csv").code == 2
    assert run("export", index).code == 2


def test_parquet(run: Any, index: Path, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    done = run("export", index, "-o", tmp_path / "tables", "--format", "parquet", "--json").json()
    assert done["format"] == "parquet"
    assert "--format jsonl" in run("import", tmp_path / "tables", "-o", tmp_path / "new").err


RAGEMBED = [sys.executable, "-c", "from ragembed.cli import main; main()"]


@pytest.mark.parametrize("command", ["export", "import"])
def test_ctrl_c_leaves_nothing(command: str, run: Any, tmp_path: Path) -> None:
    rows = (json.dumps({"_id": str(n), "text": f"apple {n} " * 20}) for n in range(30_000))
    (tmp_path / "rows.jsonl").write_text("\n".join(rows))
    index, files, new = tmp_path / "index", tmp_path / "files", tmp_path / "new"
    assert run("index", tmp_path / "rows.jsonl", "-o", index, "--chunker", "whole").code == 0
    if command == "import":
        assert run("export", index, "-o", files).code == 0
    before = sorted(path.name for path in tmp_path.iterdir())
    source = index if command == "export" else files
    process = subprocess.Popen(
        [*RAGEMBED, command, source, "-o", new],
        stderr=subprocess.PIPE,
        text=True,
        # a shell that runs the tests in the background has them ignore Ctrl-C, and so would this process
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    while not list(tmp_path.glob(".new.*.tmp")):  # until it has begun
        assert process.poll() is None
        time.sleep(0.001)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 130
    assert sorted(path.name for path in tmp_path.iterdir()) == before


@pytest.mark.parametrize("embedder", ["bm25", "lsa(dimension=32)", "bm25+lsa(dimension=32)"])
def test_a_real_collection_with_a_past(embedder: str, run: Any, shared_data: Path, tmp_path: Path) -> None:
    """Part of Cranfield, of which documents were then changed and deleted, by the command line alone."""
    lines = (shared_data / "cranfield" / "corpus.jsonl").read_text(encoding="utf-8").splitlines()[:300]
    corpus = tmp_path / "corpus.jsonl"
    corpus.write_text("\n".join(lines) + "\n", encoding="utf-8")
    index, files, again = tmp_path / "index", tmp_path / "files", tmp_path / "again"
    chunker = "recursive(tokens=64, overlap=8)"
    assert run("index", corpus, "-o", index, "--embedder", embedder, "--chunker", chunker).code == 0
    changed = [
        line.replace("flow", "stream") if number % 7 == 0 else line for number, line in enumerate(lines)
    ]
    corpus.write_text("\n".join(changed[20:]) + "\n", encoding="utf-8")
    report = run("index", corpus, "-o", index, "--json").json()
    assert report["updated"] > 0
    assert report["deleted"] == 20

    assert run("export", index, "-o", files).code == 0
    assert run("import", files, "-o", again).code == 0
    queries = tmp_path / "queries.jsonl"
    shutil.copyfile(shared_data / "cranfield" / "queries.jsonl", queries)
    runs = []
    for folder in (index, again):
        out = run("query", "--queries", queries, "-i", folder, "-k", "50", "--json").out
        runs.append([json.loads(line) for line in out.splitlines()])
    assert len(runs[0]) == 225
    assert runs[0] == runs[1]
    report = run("index", corpus, "-o", again, "--json").json()
    assert (report["unchanged"], report["added"], report["updated"], report["chunks"]) == (280, 0, 0, 0)
    assert run("verify", again).code == 0
    os.utime(corpus)  # another time, the same content: known by its hash
    assert run("index", corpus, "-o", again, "--json").json()["chunks"] == 0
