"""A small BEIR folder that each test may spoil in its own way."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def beir(tmp_path: Path) -> Path:
    """Three documents, two judged queries and one of another split."""
    folder = tmp_path / "tiny"
    (folder / "qrels").mkdir(parents=True)
    (folder / "corpus.jsonl").write_text(
        '{"_id": "d1", "title": "Cats", "text": "They purr.", "metadata": {"url": "u"}}\n'
        '{"_id": "d2", "title": "", "text": "Dogs bark."}\n'
        '{"_id": 3, "text": "Fish swim."}\n'
    )
    (folder / "queries.jsonl").write_text(
        '{"_id": "q1", "text": "who purrs"}\n'
        '{"_id": "q2", "text": "who swims"}\n'
        '{"_id": "q3", "text": "who barks"}\n'
    )
    (folder / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq1\td1\t2\nq1\td2\t0\nq2\t3\t1\n")
    (folder / "qrels" / "dev.tsv").write_text("q3\td2\t1\n")
    return folder
