"""Running the command line in this process, as `ragembed ARGUMENTS` would."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ragembed.cli import main


@dataclass
class Result:
    """What a command gave: its exit code and what it printed."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Result]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.setenv("RAGEMBED_DEBUG", "")  # and what --debug sets is gone afterwards

    def call(*arguments: object) -> Result:
        capsys.readouterr()
        monkeypatch.setattr("sys.argv", ["ragembed", *map(str, arguments)])
        code = 0
        try:
            main()
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else 0 if stop.code is None else 1
        captured = capsys.readouterr()
        return Result(code, captured.out, captured.err)

    return call


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    """Three small documents of three formats, one in a sub-folder."""
    folder = tmp_path / "docs"
    (folder / "guide").mkdir(parents=True)
    (folder / "guide" / "keys.md").write_text(
        "# Keys\n\nIntro about security.\n\n## Rotating\n\nRotate the signing key every ninety days.\n",
        encoding="utf-8",
    )
    (folder / "cats.txt").write_text(
        "Cats sleep for most of the day.\nThey hunt at dusk.\n", encoding="utf-8"
    )
    (folder / "rows.jsonl").write_text(
        '{"_id": "r1", "title": "Rivers", "text": "The river floods in spring."}\n'
        '{"_id": "r2", "title": "Lakes", "text": "The lake freezes in winter."}\n',
        encoding="utf-8",
    )
    return folder


@pytest.fixture
def index(run: Run, docs: Path, tmp_path: Path) -> Path:
    """An index of `docs`."""
    folder = tmp_path / "my.index"
    assert run("index", docs, "-o", folder).code == 0
    return folder
