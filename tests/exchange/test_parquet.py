"""An export as Parquet, read with pyarrow."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from ragembed import Pipeline
from ragembed.errors import MissingExtraError, ReadError
from ragembed.exchange import export_index, import_index


def test_chunks_and_vectors_in_one_table(hybrid: Path, exported: Path, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    done = export_index(hybrid, tmp_path / "tables", "parquet")
    assert done.vectors == {"vector_1": "lsa(language=english, dimension=6)"}
    table = parquet.read_table(tmp_path / "tables" / "chunks.parquet")
    assert {field.name: str(field.type) for field in table.schema} == {
        "id": "string", "document_id": "string", "start": "int64", "end": "int64", "text": "string",
        "metadata": "string", "vector_1": "fixed_size_list<element: float>[6]",
    }  # fmt: skip
    with Pipeline.open(hybrid) as pipeline:
        chunks = {chunk.id: chunk for chunk in pipeline.chunks()}
    assert table.num_rows == len(chunks) == 51
    for row in table.drop_columns("vector_1").to_pylist():
        chunk = chunks[row["id"]]
        assert (row["document_id"], row["start"], row["end"], row["text"]) == (
            chunk.document_id, chunk.start, chunk.end, chunk.text,
        )  # fmt: skip
        assert (
            json.loads(row["metadata"]) == chunk.metadata
        )  # the document's with the chunk's own, as in a hit
    vectors = np.array(table["vector_1"].to_pylist(), np.float32)
    assert vectors.tobytes() == np.load(exported / "vectors-1.npy", allow_pickle=False).tobytes()
    documents = parquet.read_table(tmp_path / "tables" / "documents.parquet").to_pylist()
    assert [document["id"] for document in documents][-1] == "empty"
    assert json.loads(documents[-1]["metadata"]) == {"note": "no chunk"}
    with pytest.raises(ReadError, match=r"of an export as 'parquet'.*--format jsonl"):
        import_index(tmp_path / "tables", tmp_path / "again")


def test_nothing_to_write(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    Pipeline.create(tmp_path / "index").close()
    export_index(tmp_path / "index", tmp_path / "tables", "parquet")
    assert parquet.read_table(tmp_path / "tables" / "chunks.parquet").num_rows == 0


def test_without_pyarrow(hybrid: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(MissingExtraError, match=r"exporting Parquet needs pyarrow.*'ragembed\[parquet\]'"):
        export_index(hybrid, tmp_path / "tables", "parquet")
    assert list(tmp_path.iterdir()) == []
