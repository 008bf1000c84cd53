"""ragembed map."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "royal.txt"
    lines = "5 3\nman 0 -1 0\nwoman 0 1 0\nking 2 -1 0\nqueen 2 1 0\napple 0 0 1\n"
    path.write_text(lines, encoding="utf-8")
    return path


@pytest.fixture
def dense(run: Any, docs: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "dense.index"
    assert run("index", docs, "-o", folder, "--embedder", "random-projection(dimension=32)").code == 0
    return folder


def test_words(run: Any, model: Path, tmp_path: Path) -> None:
    page = tmp_path / "map.html"
    done = run("map", model, "-o", page, "--words", 4)
    assert done.out.startswith("4 of 5 words  PC 1, ")
    assert done.out.splitlines()[-1] == str(page)
    assert "<!doctype html>" in page.read_text(encoding="utf-8")
    found = run("map", model, "--word", "king", "--near", 2, "--json").json()
    assert found["map"] is None
    assert {one["name"] for one in found["points"]} == {"king", "man", "queen"}
    assert all(one["group"] == "king" for one in found["points"])


def test_chunks(run: Any, dense: Path, tmp_path: Path) -> None:
    page = tmp_path / "map.html"
    done = run("map", dense, "-o", page, "--query", "where do cats sleep", "--color", "format", "--json")
    found = done.json()
    assert found["kind"] == "chunks"
    assert found["map"] == str(page)
    assert found["embedder"].startswith("random-projection(")
    assert {one["group"] for one in found["points"]} == {"markdown", "text", "jsonl"}
    assert [one["text"] for one in found["queries"]] == ["where do cats sleep"]
    assert "Cats sleep for most of the day" in page.read_text(encoding="utf-8")
    fewer = run("map", dense, "--chunks", 2, "--where", "format = 'jsonl'", "--json").json()
    assert (len(fewer["points"]), fewer["of"]) == (2, 2)


def test_only_a_map_is_replaced(run: Any, model: Path, tmp_path: Path) -> None:
    before = model.read_bytes()
    assert "exists and is no map" in run("map", model, "-o", model).err
    assert model.read_bytes() == before
    os.mkfifo(tmp_path / "pipe")  # which is not read, or it would wait for a writer
    assert "exists and is no map" in run("map", model, "-o", tmp_path / "pipe").err
    page = tmp_path / "map.html"
    for _ in range(2):
        assert run("map", model, "-o", page).code == 0


def test_wrong_usage(run: Any, model: Path, dense: Path) -> None:
    for arguments, told in (
        ([model], "give the page a name"),
        ([model, "--json", "--color", "folder"], "--color does nothing here"),
        ([model, "--json", "--query", "x"], "--query does nothing here"),
        ([dense, "--json", "--word", "king"], "--word does nothing here"),
    ):
        done = run("map", *arguments)
        assert done.code == 2
        assert told in " ".join(done.err.replace("│", " ").split())


def test_what_fails(run: Any, model: Path, index: Path, dense: Path, tmp_path: Path) -> None:
    for arguments, told in (
        ([index, "--json"], "holds no dense vectors, its embedder is bm25"),
        ([tmp_path / "nothing", "--json"], "nothing"),
        ([model, "--json", "--method", "tsne"], "valid are: pca, umap"),
        ([model, "--json", "--words", 30_000], "from 2 to 20,000"),
        ([dense, "--json", "--color", "colour"], "no chunk has a field 'colour'"),
        ([model, "-o", tmp_path / "no" / "map.html"], "cannot be written"),
    ):
        done = run("map", *arguments)
        assert done.code == 1
        assert told in done.err
        assert done.err.count("\n") == 1
