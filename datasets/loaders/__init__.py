"""Test collections: documents, queries, judgements and reference spans, from BEIR, Chroma, SMART and TREC folders."""

from __future__ import annotations

from ragembed.datasets.base import Dataset, Documents
from ragembed.datasets.catalog import available, load
from ragembed.datasets.qrels import read_qrels, write_qrels
from ragembed.datasets.queries import read_queries
from ragembed.datasets.spans import write_spans

__all__ = [
    "Dataset",
    "Documents",
    "available",
    "load",
    "read_qrels",
    "read_queries",
    "write_qrels",
    "write_spans",
]
