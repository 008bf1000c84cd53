"""Judgements as files."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest

from ragembed.datasets import read_qrels, write_qrels
from ragembed.errors import DatasetError


@pytest.mark.parametrize("form", ["trec", "beir"])
def test_what_is_written_is_read_back(tmp_path: Path, form: Literal["trec", "beir"]) -> None:
    qrels = {"q1": {"d1": 2, "d2": -1, "d\u00a03": 0}, "q2": {"d1": 1}}
    path = tmp_path / "qrels"
    write_qrels(path, qrels, form)
    assert read_qrels(path) == qrels


def test_spaces_in_ids_fit_into_beir_only(tmp_path: Path) -> None:
    path = tmp_path / "qrels"
    write_qrels(path, {"q 1": {"my file.txt": 1}}, "beir")
    assert read_qrels(path) == {"q 1": {"my file.txt": 1}}
    with pytest.raises(DatasetError, match=r"'q 1' does not fit into TREC qrels.*write BEIR qrels"):
        write_qrels(path, {"q 1": {"d": 1}}, "trec")
    with pytest.raises(DatasetError, match="does not fit into BEIR qrels"):
        write_qrels(path, {"q\t1": {"d": 1}}, "beir")


def test_whole_numbers_written_as_floats_pass_and_repeats_are_harmless(tmp_path: Path) -> None:
    path = tmp_path / "qrels"
    path.write_text("q1\td1\t1.0\nq1\td1\t1\n")
    assert read_qrels(path) == {"q1": {"d1": 1}}


@pytest.mark.parametrize("gain", ["nan", "inf", "1e999", "x", ""])
def test_what_is_no_gain(tmp_path: Path, gain: str) -> None:
    path = tmp_path / "qrels"
    path.write_text(f"q1\td0\t1\nq1\td1\t{gain}\n")
    with pytest.raises(DatasetError, match=r"line 2: gain"):
        read_qrels(path)
