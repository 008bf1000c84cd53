"""ragembed words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ragembed.embed.words import WordVectors, open_word_vectors
from ragembed.embed.words.subwords import Subwords


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAGEMBED_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    table = np.arange(12, dtype=np.float32).reshape(6, 2)
    vectors = WordVectors(
        ["the", "new york"],
        table[:2],
        counts=np.array([3, 1]),
        subwords=Subwords(3, 4, 4, table[2:]),
        info={"method": "fasttext", "losses": [2.0, 1.5], "tokenizer": {"kind": "words"}},
    )
    vectors.save(tmp_path / "folder")
    return tmp_path / "folder"


def test_what_is_in_it(run: Any, folder: Path) -> None:
    found = run("words", folder, "--json").json()
    assert found["path"] == str(folder)
    assert (found["format"], found["words"], found["dimension"], found["counts"]) == ("folder", 2, 2, True)
    assert found["subwords"] == {"minn": 3, "maxn": 4, "buckets": 4, "kept": 4}
    assert (found["method"], found["loss"], found["tokenizer"]) == ("fasttext", 1.5, {"kind": "words"})
    assert found["first"] == ["the", "new york"]
    assert found["bytes"] > 100
    assert found["digest"] == WordVectors.open(folder).digest
    shown = run("words", folder)
    assert "words       2\n" in shown.out
    assert "subwords    minn 3, maxn 4, buckets 4, kept 4\n" in shown.out
    assert shown.err == ""


def test_warnings_are_told_once_on_stderr(run: Any, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("".join(f"w{row} 1 2\n" for row in range(300)) + "w1 3 4\nbad 1\n\n")
    done = run("words", tmp_path / "a.txt", "--json")
    assert done.json()["warnings"] == {"wrong_columns": 1, "blank_lines": 1, "duplicates": 1}
    assert done.err.count("\n") == 3
    assert "1 lines with another number of columns, passed over" in done.err


@pytest.mark.parametrize(
    "format", ["folder", "word2vec", "word2vec-bin", "glove", "fasttext-vec", "fasttext-bin"]
)
def test_every_format_is_written(run: Any, folder: Path, tmp_path: Path, format: str) -> None:
    done = run("words", folder, "-o", tmp_path / "out", "--format", format, "--json")
    left_out = format == "word2vec-bin"
    assert done.json() == {
        "output": str(tmp_path / "out"),
        "format": format,
        "words": 2 - left_out,
        "dimension": 2,
        "left_out": int(left_out),
        "with_spaces": int(format in ("word2vec", "glove", "fasttext-vec")),
    }
    found = open_word_vectors(tmp_path / "out")
    assert found.word_vectors(["the"])[1].tolist() == [[0, 1]]
    assert (found.subwords is not None) == (format in ("folder", "fasttext-bin"))
    assert ("left out" in done.err) == left_out


def test_limit(run: Any, folder: Path, tmp_path: Path) -> None:
    assert run("words", folder, "--limit", 1, "--json").json()["words"] == 1
    done = run("words", folder, "-o", tmp_path / "a.txt.gz", "--format", "glove", "--limit", 1)
    assert done.out == f"1 words x 2 (glove): {tmp_path / 'a.txt.gz'}\n"
    assert (tmp_path / "a.txt.gz").read_bytes()[:2] == b"\x1f\x8b"
    assert list(open_word_vectors(tmp_path / "a.txt.gz").words) == ["the"]


def test_what_goes_wrong_is_one_line(run: Any, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(b"%PDF-1.4")
    for arguments, code, said in (
        ((tmp_path / "none",), 1, "cannot be read"),
        ((tmp_path / "a.pdf",), 1, "is a PDF"),
        ((tmp_path,), 1, "without word vectors"),
        ((folder, "-o", tmp_path / "x", "--format", "tsv"), 2, "valid are: folder, word2vec"),
        ((folder, "-o", tmp_path / "no" / "x", "--format", "glove"), 1, "cannot be written"),
        ((folder, "--limit", 0), 2, "0"),
    ):
        done = run("words", *arguments)
        assert done.code == code, done.err
        assert said in done.err
        assert code == 2 or done.err.count("\n") == 1
        assert done.out == ""


def test_a_word_cannot_take_over_the_terminal(run: Any, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"\x1b[2Jx 1 2\n")
    assert "\x1b" not in run("words", tmp_path / "a.txt").out
