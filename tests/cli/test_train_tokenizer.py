"""ragembed train tokenizer, as a user types it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("tokenizers", reason="needs the extra tokenizers")


def corpus(folder: Path) -> Path:
    path = folder / "corpus.txt"
    path.write_text("The river bank. A bank account; the rivers flow.\n" * 40, encoding="utf-8")
    return path


@pytest.mark.parametrize("kind", ["wordpiece", "bpe", "byte-bpe"])
def test_trains(kind: str, run: Any, tmp_path: Path) -> None:
    spec = f"tokenizer(kind={kind}, size=300)"
    told = run("train", spec, corpus(tmp_path), "-o", tmp_path / "made", "--min-count", 1, "--json").json()
    assert (told["trainer"], told["texts"], told["settings"]["min_count"]) == ("tokenizer", 40, 1)
    assert told["unknown"] == 0
    assert 0 < told["size"] <= 300
    assert set(json.loads((tmp_path / "made/tokenizer_config.json").read_text())) >= {
        "pad_token",
        "unk_token",
    }
    (tmp_path / "text.md").write_text("The rivers flow. " * 30, encoding="utf-8")
    chunker = f'recursive(tokens=20, overlap=0, tokenizer="{tmp_path / "made/tokenizer.json"}")'
    chunks = run("chunk", tmp_path / "text.md", "--chunker", chunker, "--json").out.splitlines()
    assert len(chunks) > 3


def test_tells_what_it_made(run: Any, tmp_path: Path) -> None:
    arguments = ["train", "tokenizer(size=200)", corpus(tmp_path), "-o", tmp_path / "made"]
    told = run(*arguments).out
    assert "of 200: the texts hold no more; learned from 40 texts" in told
    assert "tokens a word" in told
    again = run(*arguments)
    assert (again.code, again.err.count("\n")) == (1, 1)
    assert "add --force" in again.err
    assert run(*arguments, "--force").code == 0


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["tokenizer", "--epochs", "3"], 2, "--epochs does nothing here"),
        (["tokenizer", "--phrase-threshold", "3"], 2, "--phrase-threshold does nothing here"),
        (["tokenizer", "--restart"], 2, "--restart does nothing here"),
        (["tokenizer(kind=spm)"], 1, "valid are: wordpiece, bpe, byte-bpe"),
        (["tokenizer(vocab=3)"], 1, "has no parameter 'vocab'"),
        (["tokenizer(size=7)"], 1, "tokens are needed, size is 7"),
        (["tokenizer", "--min-count", "0"], 1, "min_count=0 makes no sense"),
    ],
)
def test_wrong_use(arguments: list[str], code: int, message: str, run: Any, tmp_path: Path) -> None:
    name, *options = arguments
    done = run("train", name, corpus(tmp_path), "-o", tmp_path / "made", *options)
    assert done.code == code
    assert message in " ".join(done.err.split())
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "the corpus holds no text"), (b"\n \n", "no text"), (b"\x89PNG\r\n\x1a\n\0\0\0", "not UTF-8"),
     (b"ab\0\0cd\n", "holds NUL characters")],
)  # fmt: skip
def test_files_that_are_no_text(content: bytes, message: str, run: Any, tmp_path: Path) -> None:
    path = tmp_path / "corpus.txt"
    path.write_bytes(content)
    done = run("train", "tokenizer", path, "-o", tmp_path / "made")
    assert (done.code, done.err.count("\n")) == (1, 1)
    assert message in done.err
