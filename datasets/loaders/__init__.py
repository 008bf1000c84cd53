"""Test collections: documents, queries and relevance judgements, from BEIR, TREC and SMART folders."""

from __future__ import annotations

from ragembed.datasets.base import Dataset, Documents
from ragembed.datasets.catalog import available, load
from ragembed.datasets.qrels import read_qrels, write_qrels
from ragembed.datasets.queries import read_queries

__all__ = ["Dataset", "Documents", "available", "load", "read_qrels", "read_queries", "write_qrels"]
