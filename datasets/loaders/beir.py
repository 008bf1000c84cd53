"""BEIR folders, the native format: ``corpus.jsonl``, ``queries.jsonl``, ``qrels/SPLIT.tsv``, plain or gzip.

Thakur et al. 2021, "BEIR: A Heterogenous Benchmark for Zero-shot Evaluation of Information Retrieval Models".
As there, what is indexed of a document is its title, a space, and its text.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ragembed.datasets.base import Format, Place
from ragembed.datasets.qrels import read_qrels
from ragembed.datasets.rows import json_documents, json_queries
from ragembed.errors import DatasetError
from ragembed.types import Document, Qrels


class Beir(Format):
    """Reads a BEIR folder."""

    name = "BEIR"
    layout = "corpus.jsonl, queries.jsonl and qrels/SPLIT.tsv"

    def recognises(self, folder: Path) -> bool:
        """True where there is a folder of judgements, or a corpus without any judgements."""
        if _find(folder, "corpus.jsonl") is not None:
            return not any(path.is_file() for path in folder.glob("qrels*"))
        return (folder / "qrels").is_dir()

    def splits(self, folder: Path) -> list[str]:
        """Stems of the files in ``qrels/``."""
        files = (path.name.removesuffix(".gz") for path in folder.glob("qrels/*.tsv*"))
        return sorted({name.removesuffix(".tsv") for name in files if name.endswith(".tsv")})

    def documents(self, folder: Path) -> Iterator[tuple[Place, Document]]:
        """The rows of ``corpus.jsonl``."""
        return json_documents(_need(folder, "corpus.jsonl"))

    def queries(self, folder: Path, split: str) -> Iterator[tuple[Place, str, str]]:
        """The rows of ``queries.jsonl``, which holds the queries of all splits."""
        return json_queries(_need(folder, "queries.jsonl"))

    def qrels(self, folder: Path, split: str) -> Qrels:
        """The judgements in ``qrels/SPLIT.tsv``."""
        return read_qrels(_need(folder, f"qrels/{split}.tsv"))


def _find(folder: Path, name: str) -> Path | None:
    candidates = (folder / name, folder / f"{name}.gz")
    return next((path for path in candidates if path.is_file()), None)


def _need(folder: Path, name: str) -> Path:
    path = _find(folder, name)
    if path is None:
        raise DatasetError(f"{folder} has no {name} (or {name}.gz)", f"a BEIR folder holds {Beir.layout}")
    return path
