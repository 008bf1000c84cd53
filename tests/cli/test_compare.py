"""`ragembed compare` from the command line: the report, a kill in the middle, and doing it again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from ragembed.eval.systems import System

COMMAND = [str(Path(sys.executable).parent / "ragembed")]
SYSTEMS = ["--embedder", "onehot", "--embedder", "bm25", "--embedder", "bm25+lsa(dimension=16)"]


def run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments], cwd=cwd, capture_output=True, text=True, check=False, timeout=300
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("compare")
    done = run("compare", "--dataset", "primer", *SYSTEMS, "-o", "report", "--json", cwd=folder)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert [system["name"] for system in told["systems"]] == ["onehot", "bm25", "bm25+lsa(dimension=16)"]
    return folder


def test_numbers_are_those_of_eval(made: Path) -> None:
    report = json.loads((made / "report" / "report.json").read_text())
    evaluated = json.loads(
        run("eval", "--dataset", "primer", "--embedder", "bm25", "--json", cwd=made).stdout
    )
    result = report["datasets"][0]["results"][1]
    assert result["means"]["nDCG@10"] == evaluated["measures"]["nDCG@10"]
    assert result["cost"]["peak_memory_bytes"] > 10_000_000  # of a process that did nothing else
    assert result["cost"]["latency_ms"]["queries"] == 50


def test_it_is_told_in_words(made: Path) -> None:
    done = run("compare", "--dataset", "primer", *SYSTEMS[:4], "-o", "words", cwd=made)
    assert done.returncode == 0
    assert "bm25" in done.stdout
    assert "Take bm25" in done.stdout
    assert str(Path("words") / "report.html") in done.stdout
    assert done.stderr == ""


def test_it_can_be_reproduced(made: Path) -> None:
    done = run("compare", "--reproduce", "report", cwd=made)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("the same: all ")


def test_a_changed_number_is_found(made: Path) -> None:
    path = made / "report" / "report.json"
    whole = path.read_text()
    report = json.loads(whole)
    report["datasets"][0]["results"][1]["means"]["nDCG@10"] += 0.001
    try:
        path.write_text(json.dumps(report))
        done = run("compare", "--reproduce", "report", "--json", cwd=made)
    finally:
        path.write_text(whole)
    assert done.returncode == 1
    told = json.loads(done.stdout)
    assert not told["same"]
    assert [each["where"] for each in told["differences"]] == ["datasets[0].results[1].means.nDCG@10"]


def test_killed_in_the_middle_and_run_again(made: Path) -> None:
    command = ["compare", "--dataset", "primer", *SYSTEMS, "-o", "killed"]
    child = subprocess.Popen(
        [*COMMAND, *command], cwd=made, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    work = made / "killed" / "work"
    deadline = time.monotonic() + 120
    while not list(work.glob("*.json")) and time.monotonic() < deadline:
        time.sleep(0.01)
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert not (made / "killed" / "report.json").exists()
    [saved, *_] = work.glob("*-0-0.json")
    outcome = json.loads(saved.read_text())
    outcome["notes"] = ["made before the kill"]
    saved.write_text(json.dumps(outcome))
    done = run(*command, cwd=made)
    assert done.returncode == 0, done.stderr
    after = json.loads((made / "killed" / "report.json").read_text())
    assert after["datasets"][0]["results"][0].pop("notes") == [
        "made before the kill"
    ]  # it was not made again
    after["datasets"][0]["results"][0]["notes"] = []
    before = json.loads((made / "report" / "report.json").read_text())
    assert _values(before) == _values(after)


def test_its_processes_end_with_it(made: Path) -> None:
    child = subprocess.Popen(
        [sys.executable, "-m", "ragembed.cli._job"], cwd=made, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert child.stdin is not None
    assert child.stdout is not None
    task = {
        "source": "primer",
        "split": "test",
        "allow_unknown": False,
        "number": [0, 0],
        "system": System.make("bm25").to_json(),
        "settings": {"measures": ["nDCG@10"]},
        "cache": os.fspath(made / "v.db"),
        "scratch": os.fspath(made),
        "name": "primer",
    }
    child.stdin.write(json.dumps(task).encode() + b"\n")
    child.stdin.close()  # as when the comparison is killed
    said = child.stdout.read()
    child.stdout.close()
    assert child.wait(timeout=60) == 1
    assert b"outcome" not in said


def test_no_module_of_the_folder_is_imported(made: Path) -> None:
    folder = made / "hostile"
    folder.mkdir()
    for name in ("statistics", "queue", "token", "numpy"):
        (folder / f"{name}.py").write_text("raise SystemExit('run from the current folder')\n")
    done = run("compare", "--dataset", "primer", "--embedder", "bm25", "-o", "report", cwd=folder)
    assert done.returncode == 0, done.stderr


def test_nothing_that_worked_is_a_failure(made: Path) -> None:
    (made / "empty.trec").write_text("")
    done = run("compare", "--dataset", "primer", "--run-file", "mine=empty.trec", "-o", "failed", cwd=made)
    assert done.returncode == 1
    assert "1 of 1 runs failed; the same command tries them again" in done.stderr
    assert "mine failed on primer: empty.trec holds no answer" in done.stdout


def test_names_are_shown_as_they_are(made: Path) -> None:
    done = run("eval", "--dataset", "primer", "--embedder", "bm25", "--run", "x.trec", cwd=made)
    assert done.returncode == 0
    done = run(
        "compare", "--dataset", "primer", "--run-file", "[bold]a=b[/bold]=x.trec", "-o", "names", cwd=made
    )
    assert done.returncode == 0, done.stderr
    assert "[bold]a=b[/bold]" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "fault"),
    [
        (
            ["--dataset", "primer", "--embedder", "bm25"],
            2,
            "--dataset, --embedder (or --run-file) and -o are needed",
        ),
        (
            ["--dataset", "primer", "--embedder", "bm52", "-o", "x"],
            1,
            "unknown embedder 'bm52'; did you mean bm25?",
        ),
        (["--dataset", "none", "--embedder", "bm25", "-o", "x"], 1, "no test collection 'none'"),
        (["--dataset", "primer", "--split", "dev", "--embedder", "bm25", "-o", "x"], 1, "the split 'dev'"),
        (["--dataset", "primer", "--embedder", "bm25", "-o", "report"], 1, "holds a comparison already"),
        (["--dataset", "primer", "--embedder", "bm25", "-o", "x", "--measures", "nDCG@ten"], 1, "nDCG@ten"),
        (
            ["--dataset", "primer", "--embedder", "bm25", "-o", "x", "--measures", "SpanR@5"],
            1,
            "no reference spans",
        ),
        (["--dataset", "primer", "--run-file", "a=none.trec", "-o", "x"], 1, "there is no run none.trec"),
        (
            ["--dataset", "primer", "--dataset", "primer", "--embedder", "bm25", "-o", "x"],
            1,
            "are the same collection",
        ),
        (["--reproduce", "none"], 1, "cannot be read"),
        (["--reproduce", "report", "-o", "x"], 2, "takes everything from report"),
    ],
)
def test_bad_input_is_one_line(made: Path, arguments: list[str], code: int, fault: str) -> None:
    done = run("compare", *arguments, cwd=made)
    assert done.returncode == code
    assert fault in " ".join(done.stderr.split()).replace(" │ │ ", " ")
    if code == 1:
        assert len(done.stderr.splitlines()) == 1
    assert not (made / "x").exists()


def _values(report: dict[str, Any]) -> list[Any]:
    return [
        {key: value for key, value in result.items() if key != "cost"}
        for dataset in report["datasets"]
        for result in dataset["results"]
    ] + [dataset["comparisons"] for dataset in report["datasets"]]
