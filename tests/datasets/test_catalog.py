"""Finding a collection, and what is said when there is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from ragembed.datasets import available, load
from ragembed.errors import DatasetError


def test_the_built_in_collection_loads_by_name() -> None:
    assert available() == ["primer"]
    dataset = load("primer")
    assert dataset.name == "primer"
    assert len(dataset.documents) >= 60
    assert len(dataset.queries) >= 40
    assert dataset.queries.keys() == dataset.qrels.keys()


def test_a_name_that_is_nothing_lists_what_there_is() -> None:
    with pytest.raises(
        DatasetError, match=r"no test collection 'primmer': .*; give a folder, or one of: primer"
    ):
        load("primmer")


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    path = tmp_path / "corpus.jsonl"
    path.write_text("{}\n")
    with pytest.raises(DatasetError, match="it is a file"):
        load(path)


def test_a_folder_of_other_things_says_what_it_holds_and_what_would_be_read(tmp_path: Path) -> None:
    for name in ["a.txt", "b.txt"]:
        (tmp_path / name).write_text("x")
    with pytest.raises(
        DatasetError, match=r"holds no test collection, but a.txt, b.txt; .*BEIR.*SMART.*TREC"
    ):
        load(tmp_path)
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(DatasetError, match="but nothing"):
        load(empty)


def test_a_folder_beats_a_built_in_name_when_written_as_a_path(
    beir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    beir.rename(tmp_path / "primer")
    monkeypatch.chdir(tmp_path)
    assert len(load("./primer").documents) == 3
    assert len(load("primer").documents) >= 60
