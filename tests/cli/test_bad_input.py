"""Wrong input gives one line with the fault and the remedy, exit 1 (or 2 for wrong usage), and harms nothing."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

RAGEMBED = (sys.executable, "-c", "from ragembed.cli import main; main()")


def fails(done: Any, *parts: str, code: int = 1) -> None:
    assert done.code == code, done
    assert done.out == ""
    last = done.err.strip().splitlines()[-1]
    assert last.startswith("error: ")
    for part in parts:
        assert part in last
    assert "Traceback" not in done.err


def test_missing_path(run: Any, tmp_path: Path) -> None:
    fails(
        run("index", tmp_path / "absent", "-o", tmp_path / "i"),
        "no file or folder",
        "absent",
        "check the path",
    )
    assert not (tmp_path / "i").exists()


def test_empty_folder(run: Any, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    fails(run("index", tmp_path / "empty", "-o", tmp_path / "i"), "nothing to read", "empty")


def test_nothing_readable(run: Any, tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(b"%PDF-1.4\nbroken")
    done = run("index", tmp_path / "a.pdf", "-o", tmp_path / "i")
    assert done.code == 1
    assert "failed: a.pdf" in done.err
    assert "nothing could be read" in done.err.splitlines()[-1]


def test_a_folder_that_is_no_index(run: Any, tmp_path: Path) -> None:
    fails(run("query", "x", "-i", tmp_path), "is no index", "ragembed index")
    fails(run("query", "x", "-i", tmp_path / "absent"), "there is no index", "ragembed index")
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.txt").write_text("a")
    fails(
        run("index", tmp_path / "notes", "-o", tmp_path / "notes"),
        "exists and is no index",
        "new or empty folder",
    )
    assert (tmp_path / "notes" / "a.txt").read_text() == "a"


def test_newer_format(run: Any, index: Path) -> None:
    with sqlite3.connect(index / "catalog.db") as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    fails(run("query", "x", "-i", index), "format version 99", "upgrade ragembed")


@pytest.mark.parametrize(
    ("option", "spec", "parts"),
    [
        ("--embedder", "bm52", ("unknown embedder 'bm52'", "did you mean bm25?", "minilm", "tfidf")),
        ("--embedder", "bm25(k2=1)", ("no parameter 'k2'", "valid are", "k1")),
        ("--embedder", "bm25(k1=big)", ("bm25(k1=...)", "'big'")),
        ("--embedder", "bm25(b=2)", ("b=2", "0 to 1")),
        ("--embedder", "bm25(", ("does not parse",)),
        ("--embedder", "bm25(language=klingon)", ("klingon",)),
        ("--chunker", "recursiv", ("unknown chunker", "did you mean recursive?")),
        ("--chunker", "recursive(tokens=0)", ("tokens",)),
        ("--index-type", "flut", ("unknown index type", "flat")),
    ],
)
def test_bad_specs(
    run: Any, docs: Path, tmp_path: Path, option: str, spec: str, parts: tuple[str, ...]
) -> None:
    fails(run("index", docs, "-o", tmp_path / "i", option, spec), *parts)
    assert not (tmp_path / "i").exists()


def test_another_embedder_than_the_index_has(run: Any, docs: Path, index: Path) -> None:
    fails(run("index", docs, "-o", index, "--embedder", "tfidf"), "bm25", "tfidf", "new folder")


def test_k_of_zero(run: Any, index: Path) -> None:
    done = run("query", "x", "-i", index, "-k", "0")
    assert (done.code, done.out) == (2, "")
    assert "x>=1" in done.err


def test_empty_query(run: Any, index: Path) -> None:
    fails(run("query", "  ", "-i", index), "query is empty")


def test_query_of_a_megabyte(run: Any, index: Path) -> None:
    fails(run("query", "word " * 300_000, "-i", index), "1,500,000 characters", "1,048,576", "fewer words")


def test_query_just_below_the_limit(run: Any, index: Path) -> None:
    assert run("query", "winter " * 140_000, "-i", index, "--json").code == 0


def test_query_without_any_known_word(run: Any, index: Path) -> None:
    done = run("query", "zyzzyva", "-i", index)
    assert (done.code, done.out.strip()) == (0, "no hits")


def test_invalid_utf8_is_read(run: Any, tmp_path: Path) -> None:
    (tmp_path / "latin.txt").write_bytes(
        "Das Café öffnet früh am Morgen, sagte die Bäckerin.".encode("latin-1")
    )
    assert run("index", tmp_path / "latin.txt", "-o", tmp_path / "i").code == 0
    assert "Café" in run("query", "Café", "-i", tmp_path / "i").out


def test_duplicate_ids(run: Any, tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"_id": "1", "text": "one"}\n{"_id": "1", "text": "two"}\n', encoding="utf-8")
    done = run("index", rows, "-o", tmp_path / "i")
    assert done.code == 0
    assert "failed: rows.jsonl:2" in done.err
    assert "'1'" in done.err


def test_broken_queries_file(run: Any, index: Path, tmp_path: Path) -> None:
    path = tmp_path / "q.jsonl"
    fails(run("query", "--queries", path, "-i", index), "no queries file")
    path.write_text('{"_id": "1", "text": "ok"}\n{"_id": ', encoding="utf-8")
    fails(run("query", "--queries", path, "-i", index), "line 2")


def test_wrong_usage(run: Any, index: Path, tmp_path: Path) -> None:
    assert run("query", "x").code == 2
    assert run("index", "-o", "x").code == 2
    assert run("nonsense").code == 2
    assert run("query", "x", "--queries", tmp_path / "q", "-i", index).code == 2
    assert run("query", "x", "-i", index, "--run", tmp_path / "r").code == 2


def beir(folder: Path, qrels: str) -> Path:
    (folder / "qrels").mkdir(parents=True)
    (folder / "corpus.jsonl").write_text(
        '{"_id": "d1", "title": "", "text": "apples and pears"}\n', encoding="utf-8"
    )
    (folder / "queries.jsonl").write_text('{"_id": "q1", "text": "pears"}\n', encoding="utf-8")
    (folder / "qrels" / "test.tsv").write_text(f"query-id\tcorpus-id\tscore\n{qrels}", encoding="utf-8")
    return folder


def test_qrels_naming_unknown_documents(run: Any, tmp_path: Path) -> None:
    folder = beir(tmp_path / "c", "q1\td1\t1\nq1\td9\t1\n")
    fails(run("eval", "--dataset", folder, "--embedder", "bm25"), "d9", "--allow-unknown")
    done = run(
        "eval", "--dataset", folder, "--embedder", "bm25", "--measures", "R@10", "--json", "--allow-unknown"
    )
    assert done.json()["measures"] == {"R@10": 0.5}


def test_eval_with_wrong_names(run: Any, tmp_path: Path) -> None:
    folder = beir(tmp_path / "c", "q1\td1\t1\n")
    fails(run("eval", "--dataset", tmp_path / "no", "--embedder", "bm25"), "primer")
    fails(run("eval", "--dataset", folder, "--split", "dev", "--embedder", "bm25"), "dev", "test")
    fails(run("eval", "--dataset", folder, "--embedder", "bm25", "--measures", "nDGC@10"), "nDGC")
    fails(run("eval", "--dataset", folder, "--embedder", "bm25", "-k", "5"), "100", "-k 100")
    fails(run("eval", "--dataset", folder, "--embedder", "bm25", "--measures", "R@5", "-k", "0"), "k")


def test_debug_shows_the_traceback(run: Any, tmp_path: Path) -> None:
    from ragembed.errors import NotAnIndexError

    with pytest.raises(NotAnIndexError):
        run("--debug", "query", "x", "-i", tmp_path)


def test_invalid_bytes_on_stdin(index: Path) -> None:
    done = subprocess.run(
        [*RAGEMBED, "query", "-", "-i", str(index), "--json"],
        input=b"winter \xff lake", capture_output=True, check=True,
        env=os.environ | {"PYTHONIOENCODING": "utf-8:strict"},
    )  # fmt: skip
    assert b"freezes" in done.stdout


def test_a_terminal_without_unicode(index: Path) -> None:
    done = subprocess.run(
        [*RAGEMBED, "query", "caf\u00e9 lake", "-i", str(index), "--json"],
        capture_output=True, check=True, env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )  # fmt: skip
    assert b"caf" in done.stdout


def test_control_characters_of_documents_do_not_reach_the_terminal(run: Any, tmp_path: Path) -> None:
    (tmp_path / "evil.txt").write_text("harmless \x1b]0;title\x07\x1b[2J words\n", encoding="utf-8")
    run("index", tmp_path / "evil.txt", "-o", tmp_path / "i")
    assert "\x1b" not in run("query", "harmless", "-i", tmp_path / "i").out
    assert "\x1b" not in run("chunk", tmp_path / "evil.txt").out


def test_the_index_of_another_process_is_not_removed(
    run: Any, docs: Path, index: Path, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    fails(run("index", tmp_path / "empty", "-o", index), "nothing to read")
    assert run("query", "lake", "-i", index).code == 0


def test_empty_paths(run: Any, docs: Path, tmp_path: Path) -> None:
    assert run("index", "", "-o", tmp_path / "i").code == 2
    assert run("index", docs, "-o", "").code == 2


@pytest.mark.parametrize("size", ["nan", "inf", "0", "-1"])
def test_senseless_limits(run: Any, docs: Path, tmp_path: Path, size: str) -> None:
    assert run("index", docs, "-o", tmp_path / "i", "--max-file-mb", size).code == 2


def test_a_collection_that_cannot_be_indexed_whole_is_not_scored(run: Any, tmp_path: Path) -> None:
    folder = beir(tmp_path / "c", "q1\td1\t1\n")
    with (folder / "corpus.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"_id": "d2", "title": "", "text": "half a pair \\ud800"}\n')
    fails(run("eval", "--dataset", folder, "--embedder", "bm25"), "d2", "mend the collection")


def test_ctrl_c_says_that_nothing_is_lost(
    run: Any, docs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("ragembed.sync.Syncer.files", stop)
    done = run("index", docs, "-o", tmp_path / "i")
    assert done.code == 130
    assert "what was saved stays" in done.err


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE settings SET value = 'garbage{' WHERE key = 'config'",
        "UPDATE chunks SET metadata = '{bad'",
        "UPDATE chunks SET row = row + 100",
    ],
)
def test_damaged_catalog(run: Any, index: Path, change: str) -> None:
    db = sqlite3.connect(index / "catalog.db")
    with db:
        db.execute(change)
    db.close()
    fails(run("query", "winter lake", "-i", index), ";")
