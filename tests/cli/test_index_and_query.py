"""ragembed index and ragembed query, on documents whose answers can be read off."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest


def test_index_reports_what_it_did(run: Any, docs: Path, tmp_path: Path) -> None:
    done = run("index", docs, "-o", tmp_path / "i", "--json")
    report = done.json()
    assert done.code == 0
    assert {name: report[name] for name in ("added", "updated", "unchanged", "deleted", "failed", "files")} == {
        "added": 4, "updated": 0, "unchanged": 0, "deleted": 0, "failed": [], "files": 3,
    }  # fmt: skip
    assert report["chunks"] >= 4


def test_second_run_embeds_only_what_changed(run: Any, docs: Path, index: Path) -> None:
    (docs / "cats.txt").write_text("Cats purr.\n", encoding="utf-8")
    (docs / "new.txt").write_text("Dogs bark.\n", encoding="utf-8")
    report = run("index", docs, "-o", index, "--json").json()
    assert (report["added"], report["updated"], report["unchanged"], report["chunks"]) == (1, 1, 3, 2)
    assert run("query", "purr", "-i", index, "--json").json()["hits"][0]["text"] == "Cats purr."
    assert run("query", "dusk", "-i", index, "--json").json()["hits"] == []


def test_prune_deletes_what_is_gone(run: Any, docs: Path, index: Path) -> None:
    (docs / "cats.txt").unlink()
    kept = run("index", docs, "-o", index)
    assert "1 indexed files are gone" in kept.err
    assert run("query", "dusk", "-i", index, "--json").json()["hits"]
    report = run("index", docs, "-o", index, "--prune", "--json").json()
    assert report["deleted"] == 1
    assert run("query", "dusk", "-i", index, "--json").json()["hits"] == []


def test_query_json_has_the_fixed_fields(run: Any, index: Path) -> None:
    found = run("query", "How often are signing keys rotated?", "-i", index, "-k", "2", "--json").json()
    assert found["query"] == "How often are signing keys rotated?"
    first = found["hits"][0]
    assert set(first) == {"rank", "score", "id", "document_id", "start", "end", "text", "metadata"}
    assert first["rank"] == 1
    assert first["document_id"] == "docs/guide/keys.md"
    assert "ninety days" in first["text"]
    assert first["score"] > 0


def test_query_prints_source_line_heading_and_passage(run: Any, index: Path) -> None:
    out = run("query", "ninety days", "-i", index, "-k", "1").out
    assert "docs/guide/keys.md:" in out
    assert "Keys" in out.splitlines()[0]
    assert "Rotate the signing key every ninety days." in out


def test_row_ids_are_kept(run: Any, index: Path) -> None:
    hits = run("query", "freezing lakes", "-i", index, "--json").json()["hits"]
    assert hits[0]["document_id"] == "r2"


def test_query_from_stdin(index: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from ragembed.cli import main; main()", "query", "-", "-i", str(index), "--json"],
        input="river in spring\n", capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert json.loads(done.stdout)["hits"][0]["document_id"] == "r1"


def test_interactive_queries(run: Any, index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter(["dusk", ""])
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda prompt: next(answers))
    done = run("query", "-i", index)
    assert done.code == 0
    assert "They hunt at dusk." in done.out


def test_queries_file_to_trec_run(run: Any, index: Path, tmp_path: Path) -> None:
    queries = tmp_path / "q.jsonl"
    queries.write_text(
        '{"_id": "a", "text": "winter lake"}\n{"_id": "b", "text": "sleeping cats"}\n', encoding="utf-8"
    )
    out = tmp_path / "out.trec"
    assert run("query", "--queries", queries, "-i", index, "-k", "100", "--run", out).code == 0
    lines = [line.split() for line in out.read_text(encoding="utf-8").splitlines()]
    assert [(line[0], line[1], line[2], line[3]) for line in lines if line[3] == "1"] == [
        ("a", "Q0", "r2", "1"),
        ("b", "Q0", "docs/cats.txt", "1"),
    ]
    assert all(len(line) == 6 for line in lines)


def test_queries_file_as_tabs_prints_hits(run: Any, index: Path, tmp_path: Path) -> None:
    queries = tmp_path / "q.tsv"
    queries.write_text("a\twinter lake\n", encoding="utf-8")
    done = run("query", "--queries", queries, "-i", index, "--json")
    assert done.json()["query_id"] == "a"


def test_a_broken_file_does_not_stop_the_others(run: Any, docs: Path, tmp_path: Path) -> None:
    (docs / "broken.pdf").write_bytes(b"%PDF-1.7\nnothing")
    (docs / "rows.jsonl").write_text('{"_id": "r1", "text": "fine"}\n{broken\n', encoding="utf-8")
    done = run("index", docs, "-o", tmp_path / "i")
    assert done.code == 0
    assert "failed: docs/broken.pdf" in done.err
    assert "failed: docs/rows.jsonl:2" in done.err
    assert "2 failed" in done.out


def test_include_and_exclude(run: Any, docs: Path, tmp_path: Path) -> None:
    only = run("index", docs, "-o", tmp_path / "a", "--include", "*.md", "--json").json()
    assert only["added"] == 1
    rest = run("index", docs, "-o", tmp_path / "b", "--exclude", "guide/", "--json").json()
    assert rest["added"] == 3


def test_fields_of_rows(run: Any, tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    table.write_text("key,head,body\n7,Sun,bright yellow\n8,Moon,pale silver\n", encoding="utf-8")
    folder = tmp_path / "i"
    fields = ("--id-field", "key", "--title-field", "head", "--text-field", "body")
    assert run("index", table, "-o", folder, *fields).code == 0
    hits = run("query", "silver moon", "-i", folder, "--json").json()["hits"]
    assert (hits[0]["document_id"], hits[0]["text"]) == ("8", "Moon\npale silver")


def test_info(run: Any, index: Path) -> None:
    found = run("info", index, "--json").json()
    assert (found["files"], found["documents"]) == (3, 4)
    assert found["embedders"][0]["spec"] == "bm25(language=english)"
    assert "4" in run("info", index).out


def test_a_sparse_query_loads_nothing_heavy(index: Path) -> None:
    program = (
        "import sys; from ragembed.cli import app; from typer.testing import CliRunner;"
        f" done = CliRunner().invoke(app, ['query', 'winter lake', '-i', {str(index)!r}]);"
        " assert done.exit_code == 0 and 'freezes' in done.output;"
        " print([name for name in ('scipy', 'numba', 'faiss', 'torch', 'pydantic') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_hit_in_a_pdf_names_its_page(run: Any, shared_data: Path, tmp_path: Path) -> None:
    paper = shared_data / "docs_tree" / "haystack" / "test" / "test_files" / "pdf" / "react_paper.pdf"
    assert run("index", paper, "-o", tmp_path / "i").code == 0
    hits = run("query", "ablation of PaLM-540B finetuning results", "-i", tmp_path / "i", "--json").json()[
        "hits"
    ]
    assert hits[0]["metadata"]["page"] > 1
    out = run("query", "ablation of PaLM-540B finetuning results", "-i", tmp_path / "i", "-k", "1").out
    assert f"react_paper.pdf page {hits[0]['metadata']['page']}" in out
