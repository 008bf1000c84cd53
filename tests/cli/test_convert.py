"""ragembed datasets convert."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from ragembed.cli.convert import convert
from ragembed.datasets import load
from ragembed.errors import DatasetError, StoreError

app = typer.Typer()
app.command()(convert)


def call(*arguments: object) -> tuple[str, str]:
    """What is printed to stdout and stderr."""
    done = CliRunner().invoke(app, list(map(str, arguments)), catch_exceptions=True)
    if done.exception is not None:
        raise done.exception
    return done.stdout, done.stderr


def test_a_collection_becomes_a_folder_that_loads(tmp_path: Path) -> None:
    out, err = call("primer", "-o", tmp_path / "beir")
    assert out == f"100 documents, 50 queries, 875 judgements\nbeir: {tmp_path / 'beir'}\n"
    assert err == ""
    assert load(tmp_path / "beir").qrels == load("primer").qrels


def test_what_a_form_does_not_hold_is_told(tmp_path: Path) -> None:
    out, err = call("primer", "-o", tmp_path / "trec", "--to", "trec", "--json")
    assert err == "not in trec form: white space that is more than a blank or a line's end (3 documents)\n"
    assert json.loads(out) == {
        "folder": str(tmp_path / "trec"), "form": "trec", "documents": 100, "queries": 50, "judgements": 875,
        "spans": 0,
        "lost": ["white space that is more than a blank or a line's end (3 documents)"],
    }  # fmt: skip
    assert load(tmp_path / "trec").queries == load("primer").queries


def test_a_folder_is_replaced_only_by_force(tmp_path: Path) -> None:
    call("primer", "-o", tmp_path / "out")
    with pytest.raises(StoreError, match="exists and is not empty"):
        call("primer", "-o", tmp_path / "out", "--to", "trec")
    call("primer", "-o", tmp_path / "out", "--to", "trec", "--force")
    assert (tmp_path / "out" / "topics.txt").is_file()


def test_a_collection_does_not_replace_itself(tmp_path: Path) -> None:
    call("primer", "-o", tmp_path / "out")
    with pytest.raises(DatasetError, match="is read, and is not replaced by what is made of it"):
        call(tmp_path / "out", "-o", tmp_path / "out", "--to", "trec", "--force")
    assert load(tmp_path / "out").qrels == load("primer").qrels


def test_a_form_that_there_is_not(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["primer", "-o", str(tmp_path / "out"), "--to", "csv"])
    assert done.exit_code == 2
    assert "valid are: beir, trec" in done.stderr
