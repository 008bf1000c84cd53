"""Texts to learn from, as the command line names them."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from ragembed.cli.corpus import corpus_texts
from ragembed.datasets.catalog import BUILT_IN, load
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
