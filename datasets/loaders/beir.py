"""BEIR folders, the native format: ``corpus.jsonl``, ``queries.jsonl``, ``qrels/SPLIT.tsv``, plain or gzip.

``spans.jsonl`` may say besides where in the documents the answers stand (see `spans`). A folder with spans and
without ``qrels/`` has the one split ``test``, whose judgements follow from the spans.

Thakur et al. 2021, "BEIR: A Heterogenous Benchmark for Zero-shot Evaluation of Information Retrieval Models".
As there, what is indexed of a document is its title, a space, and its text.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ragembed.datasets.base import Format, Place
from ragembed.datasets.qrels import read_qrels
from ragembed.datasets.references import Reference, derived_qrels
from ragembed.datasets.rows import json_documents, json_queries
from ragembed.datasets.spans import read_spans
from ragembed.errors import DatasetError
from ragembed.types import Document, Qrels


class Beir(Format):
    """Reads a BEIR folder."""

    name = "BEIR"
    layout = "corpus.jsonl, queries.jsonl and qrels/SPLIT.tsv or spans.jsonl"

    def recognises(self, folder: Path) -> bool:
        """True where there is a folder of judgements, or a corpus without any judgements."""
        if _find(folder, "corpus.jsonl") is not None:
            return not any(path.is_file() for path in folder.glob("qrels*"))
        return (folder / "qrels").is_dir()

    def splits(self, folder: Path) -> list[str]:
        """Stems of the files in ``qrels/``; where there is no such folder, ``test`` if there are spans."""
        if not (folder / "qrels").is_dir():
            return ["test"] if _find(folder, "spans.jsonl") else []
        files = (path.name.removesuffix(".gz") for path in folder.glob("qrels/*.tsv*"))
        return sorted({name.removesuffix(".tsv") for name in files if name.endswith(".tsv")})

    def documents(self, folder: Path) -> Iterator[tuple[Place, Document]]:
        """The rows of ``corpus.jsonl``."""
        return json_documents(_need(folder, "corpus.jsonl"))

    def queries(self, folder: Path, split: str) -> Iterator[tuple[Place, str, str]]:
        """The rows of ``queries.jsonl``, which holds the queries of all splits."""
        return json_queries(_need(folder, "queries.jsonl"))

    def qrels(self, folder: Path, split: str) -> Qrels:
        """The judgements in ``qrels/SPLIT.tsv``, or those that follow from the spans."""
        if not (folder / "qrels").is_dir():
            return derived_qrels(self.references(folder, split))
        return read_qrels(_need(folder, f"qrels/{split}.tsv"))

    def references(self, folder: Path, split: str) -> Iterator[Reference]:
        """The rows of ``spans.jsonl``, which holds the spans of all splits."""
        path = _find(folder, "spans.jsonl")
        return iter(()) if path is None else read_spans(path)


def _find(folder: Path, name: str) -> Path | None:
    candidates = (folder / name, folder / f"{name}.gz")
    return next((path for path in candidates if path.is_file()), None)


def _need(folder: Path, name: str) -> Path:
    path = _find(folder, name)
    if path is None:
        raise DatasetError(f"{folder} has no {name} (or {name}.gz)", f"a BEIR folder holds {Beir.layout}")
    return path
