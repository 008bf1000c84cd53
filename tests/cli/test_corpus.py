"""Texts to learn from, as the command line names them."""

from __future__ import annotations

import gzip
import io
import os
import threading
from pathlib import Path

import numpy as np
import pytest

from ragembed.cli.corpus import corpus_source, corpus_texts
from ragembed.datasets.catalog import BUILT_IN, load
from ragembed.embed.words.formats.write import write_glove_text, write_word2vec_binary
from ragembed.embed.words.vectors import WordVectors
from ragembed.errors import DatasetError


def test_a_text_file_gives_its_lines(docs: Path, tmp_path: Path) -> None:
    lines = ["Cats sleep for most of the day.", "They hunt at dusk."]
    assert list(corpus_texts([str(docs / "cats.txt")])) == lines
    packed = tmp_path / "cats.gz"
    packed.write_bytes(gzip.compress("\n\n".join(lines).encode()))
    assert list(corpus_texts([str(docs / "cats.txt"), str(packed)])) == lines * 2


def test_other_files_and_folders_give_documents(docs: Path) -> None:
    rows = ["Rivers The river floods in spring.", "Lakes The lake freezes in winter."]
    found = [" ".join(text.split()) for text in corpus_texts([str(docs / "rows.jsonl")])]
    assert found == rows
    texts = list(corpus_texts([str(docs)]))
    assert len(texts) == 4
    assert any(text.startswith("Cats sleep for most of the day.\nThey") for text in texts)  # whole


def test_a_test_collection_gives_its_documents_and_no_queries() -> None:
    documents = [document.text for document in load("primer").documents]
    assert list(corpus_texts(["primer"])) == documents
    folder = BUILT_IN["primer"]
    assert list(corpus_texts([str(folder)])) == documents


def test_what_cannot_be_read(docs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(DatasetError, match="there is no corpus 'nothing'"):
        list(corpus_texts(["nothing"]))
    broken = docs / "broken.json"
    broken.write_text("{", encoding="utf-8")
    with pytest.raises(DatasetError, match=r"broken\.json cannot be read"):
        list(corpus_texts([str(broken)]))
    assert len(list(corpus_texts([str(docs)]))) == 4  # in a folder it is left out, and told
    assert "1 files of" in capsys.readouterr().err


def test_stdin_and_pipes_give_their_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stdin = io.TextIOWrapper(io.BytesIO("\ufeffone\n\ntwo ü\r\n".encode()))
    monkeypatch.setattr("sys.stdin", stdin)
    assert list(corpus_texts(["-"])) == ["one", "two ü"]
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(b"three\nfour",))
    writer.start()
    assert list(corpus_texts([str(pipe)])) == ["three", "four"]
    writer.join()
    assert corpus_source(["-"]) is corpus_source([str(pipe)]) is None


def test_the_source_changes_with_the_files(docs: Path) -> None:
    before = corpus_source([str(docs)])
    assert before == corpus_source([str(docs)])
    assert before is not None
    assert len(before) == 3
    (docs / "cats.txt").write_text("Dogs.", encoding="utf-8")
    assert corpus_source([str(docs)]) != before
    assert corpus_source(["primer"]) == corpus_source([str(BUILT_IN["primer"])]) is not None
    assert corpus_source(["nothing"]) is None


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            "a\nb\n".encode("utf-16"),
            "is UTF-16, by its byte order mark; convert it with: iconv -f UTF-16 -t UTF-8",
        ),
        (
            "a\nb\n".encode("utf-16-le"),
            "NUL characters: .*; if it is UTF-16, convert it with: iconv -f UTF-16LE",
        ),
        ("ü\n".encode("latin1"), "0xfc .*is not UTF-8; convert .*iconv -f LATIN1 -t UTF-8"),
    ],
)
def test_other_encodings_are_told(
    data: bytes, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "corpus.txt"
    path.write_bytes(data)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))
    for name in (str(path), "-"):
        with pytest.raises(DatasetError, match=message):
            list(corpus_texts([name]))


def test_what_a_folder_holds_and_is_not_read_is_told(docs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (docs / "more.gz").write_bytes(gzip.compress(b"one\n"))
    assert len(list(corpus_texts([str(docs)]))) == 4
    assert "1 binary (a .gz is read where it is named)" in capsys.readouterr().err


def test_a_model_is_no_corpus(tmp_path: Path) -> None:
    vectors = WordVectors(["a", "b"], np.eye(2, 12, dtype=np.float32))
    vectors.save(tmp_path / "model")
    write_glove_text(vectors, tmp_path / "glove.txt")
    write_word2vec_binary(vectors, tmp_path / "vectors.bin")
    for name in ("model", "glove.txt", "vectors.bin"):
        with pytest.raises(
            DatasetError, match=f"{name} holds vectors of words, no texts; give texts; train --update"
        ):
            list(corpus_texts([str(tmp_path / name)]))
    rated = tmp_path / "rated.txt"
    rated.write_text("a good film 8 10\na bad one 2 10\n")
    assert len(list(corpus_texts([str(rated)]))) == 2
