"""ragembed verify, and that no message names a command that is not there."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
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
    assert "1 files belong to nothing, which is harmless" in done.out
    assert run("verify", index, "--json").json()["orphans"] == ["segments/half.tmp"]


def test_a_damaged_index(run: Any, index: Path) -> None:
    (segment,) = (index / "segments").iterdir()
    segment.unlink()
    query = run("query", "cats", "-i", index)
    assert (query.code, query.err.count("\n")) == (1, 1)
    assert "run: ragembed verify" in query.err
    done = run("verify", index)
    assert done.code == 1
    assert done.out.startswith(
        f"{segment.name} is missing from the index; run: ragembed verify {index} --repair"
    )
    assert done.err.startswith(
        f"error: {index} is damaged: 1 problem found; run: ragembed verify {index} --repair"
    )
    assert (done.out.count("\n"), done.err.count("\n")) == (1, 1)
    done = run("verify", index, "--json")
    assert done.code == 1
    assert not done.json()["ok"]
    assert "is missing" in done.json()["problems"][0]["what"]


def test_a_repaired_index(run: Any, index: Path) -> None:
    before = run("query", "cats sleep", "-i", index, "--json").json()
    (segment,) = (index / "segments").iterdir()
    segment.write_bytes(segment.read_bytes()[:-1])
    assert run("verify", index).code == 1
    assert segment.exists()  # without --repair nothing changes
    done = run("verify", index, "--repair")
    assert (done.code, done.err) == (0, "")
    assert re.match(rf"mended: {segment.name} has \d+ bytes, \d+ were written\nok: 4 documents", done.out)
    assert run("query", "cats sleep", "-i", index, "--json").json() == before
    again = run("verify", index, "--repair", "--json").json()
    assert (again["ok"], again["problems"], again["mended"]) == (True, [], [])


def test_what_cannot_be_mended_is_told(run: Any, index: Path) -> None:
    with closing(sqlite3.connect(index / "catalog.db")) as db, db:
        db.execute("CREATE TABLE more (a)")
        db.execute("UPDATE chunks SET text = text || 'x'")
    done = run("verify", index, "--repair")
    assert done.code == 1
    assert "the catalog has a table 'more', which is none of ours; do not use an index" in done.out
    assert done.err.count("\n") == 1


def test_what_was_lost_is_read_again(run: Any, index: Path, docs: Path) -> None:
    with closing(sqlite3.connect(index / "catalog.db")) as db, db:
        db.execute("UPDATE chunks SET text = replace(text, 'Cats', 'Rats')")
    done = run("verify", index, "--repair")
    assert (done.code, done.err.count("\n")) == (0, 1)
    assert "mended: 1 chunks have another text than was embedded, the first 'docs/cats.txt::0'" in done.out
    assert "index the files again" in done.err
    report = run("index", docs, "-o", index, "--json").json()
    assert (report["updated"], report["unchanged"]) == (1, 3)
    (hit,) = run("query", "cats", "-i", index, "--json", "-k", 1).json()["hits"]
    assert hit["text"].startswith("Cats sleep")


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
