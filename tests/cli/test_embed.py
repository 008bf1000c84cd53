"""ragembed embed, as a user has it: streams, types, files that are whole or not there."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

RAGEMBED = (sys.executable, "-c", "from ragembed.cli import main; main()")
SPEC = "random-projection(language=english, dimension=64)"


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    """More than one block of lines, no two alike."""
    path = tmp_path / "lines.txt"
    path.write_text("".join(f"cat{n} sleeps on mat{n % 7}\n" for n in range(5000)), encoding="utf-8")
    return path


def test_blocks_are_joined_in_order(
    run: Any, lines: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ragembed.embed import EMBEDDERS

    report = run("embed", lines, "-o", tmp_path / "v.npy", "--embedder", SPEC, "--json").json()
    assert (report["texts"], report["dimension"], report["type"]) == (5000, 64, "float32")
    found = np.load(tmp_path / "v.npy", allow_pickle=False)
    texts = lines.read_text(encoding="utf-8").splitlines()
    np.testing.assert_array_equal(found, EMBEDDERS.create(SPEC).embed(texts))
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(lines.read_bytes())))
    assert run("embed", "-", "-o", tmp_path / "s.npy", "--embedder", SPEC).code == 0
    np.testing.assert_array_equal(np.load(tmp_path / "s.npy"), found)


def test_types_and_parquet(run: Any, lines: Path, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="needs the extra parquet")
    from pyarrow import parquet

    for kind, width in (("float16", 64), ("int8", 64), ("binary", 8)):
        arguments = ("embed", lines, "--embedder", SPEC, "--type", kind, "-o")
        done = run(*arguments, tmp_path / "v.npy")
        assert f"5000 x 64 (dense, {kind}, random-projection" in done.out
        found = np.load(tmp_path / "v.npy")
        assert found.shape == (5000, width)
        assert run(*arguments, tmp_path / "v.parquet").code == 0
        column = parquet.read_table(tmp_path / "v.parquet")["vector"]
        assert column.type.list_size == width
        flat = column.combine_chunks().flatten().to_numpy(zero_copy_only=False)
        np.testing.assert_array_equal(flat.reshape(-1, width), found)


def test_learners_see_all_lines(run: Any, lines: Path, tmp_path: Path) -> None:
    report = run(
        "embed", lines, "-o", tmp_path / "v.npy", "--embedder", "lsa(dimension=4, language=none)", "--json"
    ).json()
    assert report["texts"] == 5000
    assert np.load(tmp_path / "v.npy").shape == (5000, 4)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (
            ("-o", "v.npy", "--type", "int4"),
            "unknown type 'int4' of vectors; valid are: float32, float16, int8",
        ),
        (("-o", "v.txt"), "v.txt is no .npy or .parquet file"),
        (("-o", "v.npz", "--embedder", "bm25", "--type", "int8"), "sparse vectors, which are float32"),
        (("-o", "no/v.npy"), "no/v.npy cannot be written (No such file or directory); it is as it was"),
    ],
)
def test_what_is_refused(
    arguments: tuple[str, ...],
    told: str,
    run: Any,
    lines: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run("embed", lines, "--embedder", SPEC, *arguments)
    assert (done.code, done.err.count("\n")) == (1, 1)
    assert told in done.err
    assert [path.name for path in tmp_path.iterdir()] == ["lines.txt"]


def test_nothing_on_stdin(run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO()))
    done = run("embed", "-", "-o", tmp_path / "v.npy", "--embedder", SPEC)
    assert (done.code, done.err) == (1, "error: stdin is empty; write one text per line\n")


def test_nothing_to_embed(run: Any, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    done = run("embed", tmp_path / "empty", "-o", tmp_path / "v.npy", "--embedder", SPEC)
    assert (done.code, done.err) == (1, f"error: {tmp_path / 'empty'} is empty; write one text per line\n")
    assert run("embed", tmp_path / "none", "-o", tmp_path / "v.npy", "--embedder", SPEC).code == 1
    assert not (tmp_path / "v.npy").exists()


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_whoever_is_stopped_leaves_no_half_file(stop: signal.Signals, tmp_path: Path) -> None:
    out = tmp_path / "v.npy"
    out.write_bytes(b"before")
    with subprocess.Popen(
        [*RAGEMBED, "embed", "-", "-o", str(out), "--embedder", SPEC],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    ) as process:
        assert process.stdin is not None
        assert process.stderr is not None
        process.stdin.write(b"the cat sleeps\n" * 400_000)  # more than is read ahead: some of it is written
        process.stdin.flush()
        until = time.monotonic() + 30
        while time.monotonic() < until and not any(
            file.stat().st_size for file in tmp_path.glob("v.npy.*.tmp")
        ):
            time.sleep(0.02)
        process.send_signal(stop)
        told = process.stderr.read().decode()
        code = process.wait(30)
    assert out.read_bytes() == b"before"
    if stop == signal.SIGINT:
        assert (code, told.splitlines()[0]) == (130, f"{out} was not written")
        assert list(tmp_path.iterdir()) == [out]
