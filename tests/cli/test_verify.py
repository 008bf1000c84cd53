"""ragembed verify, and that no message names a command that is not there."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.main import get_command

from ragembed.cli import app
from ragembed.embed.words import WordVectors

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


@pytest.fixture(params=["sif", "mean"])
def outside(run: Any, docs: Path, tmp_path: Path, request: pytest.FixtureRequest) -> tuple[Path, Path]:
    """An index, and the model outside it that it was made with."""
    words = ["cats", "sleep", "river", "floods", "lake", "key"]
    table = np.random.default_rng(1).normal(size=(len(words), 4)).astype(np.float32)
    model, index = tmp_path / "model", tmp_path / "words.index"
    WordVectors(words, table).save(model)
    spec = f"glove(path={model}, pooling={request.param})"
    assert run("index", docs, "-o", index, "--embedder", spec).code == 0
    assert run("verify", index).code == 0
    return index, model


def trained_again(model: Path) -> None:
    found = WordVectors.open(model)
    WordVectors(list(found.words), found.vectors[::-1].copy()).save(model)


def exchanged(model: Path) -> None:
    np.save(model / "vectors.npy", np.load(model / "vectors.npy")[::-1])


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda model: model.rename(model.with_name("away")), "needs the model"),
        (trained_again, r"\(then \| now\): .*[0-9a-f]{12} \| [0-9a-f]{12}"),
        (exchanged, r"vectors\.npy was changed after it was written \(sha256 then \| now: [0-9a-f]{12} \|"),
    ],
)
def test_a_model_outside_that_is_not_what_it_was(
    run: Any, outside: tuple[Path, Path], damage: Callable[[Path], None], told: str
) -> None:
    index, model = outside
    damage(model)
    for arguments in ((), ("--repair",)):
        done = run("verify", index, *arguments)
        assert (done.code, done.err.count("\n")) == (1, 1)
        assert re.search(told, done.err)
        assert f"put the model that made it back at {model}, or index again" in done.err
        assert "ragembed index PATH... -o NEW_INDEX" in done.err
        assert "is damaged: " not in done.err
        assert "--repair" not in done.err  # which cannot help
    (problem,) = run("verify", index, "--json").json()["problems"]
    assert re.search(told, problem["what"])
    assert run("query", "cats", "-i", index).code == 1
