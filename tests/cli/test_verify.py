"""ragembed verify, and that no message names a command that is not there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from typer.main import get_command

from ragembed.cli import app

ROOT = Path(__file__).resolve().parents[2]


def test_a_whole_index(run: Any, index: Path) -> None:
    done = run("verify", index)
    assert (done.code, done.err) == (0, "")
    assert re.fullmatch(r"ok: 4 documents, \d+ chunks, 1 segments\n", done.out)
    found = run("verify", index, "--json").json()
    assert (found["ok"], found["documents"], found["problems"], found["orphans"]) == (True, 4, [], [])


def test_files_of_a_crash_are_harmless(run: Any, index: Path) -> None:
    (index / "segments" / "half.tmp").write_bytes(b"x")
    done = run("verify", index)
    assert done.code == 0
    assert "1 files in segments/ belong to nothing, which is harmless" in done.out
    assert run("verify", index, "--json").json()["orphans"] == ["half.tmp"]


def test_a_damaged_index(run: Any, index: Path) -> None:
    (segment,) = (index / "segments").iterdir()
    segment.unlink()
    query = run("query", "cats", "-i", index)
    assert (query.code, query.err.count("\n")) == (1, 1)
    assert "run: ragembed verify" in query.err
    done = run("verify", index)
    assert done.code == 1
    assert done.out.startswith(f"{segment.name} is missing from the index; restore the index from a copy")
    assert done.err.startswith(f"error: {index} is damaged: 1 problem was found; restore")
    assert (done.out.count("\n"), done.err.count("\n")) == (1, 1)
    done = run("verify", index, "--json")
    assert done.code == 1
    assert not done.json()["ok"]
    assert "is missing" in done.json()["problems"][0]["what"]


def test_a_catalog_that_does_not_open(run: Any, index: Path) -> None:
    (index / "catalog.db").write_bytes(b"no catalog " * 1000)
    done = run("verify", index)
    assert (done.code, done.out.count("\n"), done.err.count("\n")) == (1, 1, 1)
    assert "is damaged, or no catalog" in done.out
    assert not run("verify", index, "--json").json()["ok"]


def test_no_index(run: Any, tmp_path: Path) -> None:
    done = run("verify", tmp_path / "none")
    assert (done.code, done.out) == (1, "")
    assert "there is no index" in done.err


def test_every_command_that_a_message_or_a_page_names_is_there() -> None:
    commands = get_command(app).commands  # type: ignore[attr-defined]
    files = [p for folder in ("ragembed", "cli", "docs") for p in (ROOT / folder).rglob("*.*")]
    named = {
        word
        for path in files
        if path.suffix in (".py", ".md")
        for word in re.findall(r"(?:run|with): ragembed (\w+)", path.read_text(encoding="utf-8"))
    }
    assert {"verify", "index"} <= named <= set(commands)
