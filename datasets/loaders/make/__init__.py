"""Test collections made from a user's own documents, without a language model."""

from __future__ import annotations

from ragembed.datasets.make.build import MadeQuery, MadeSet, MakeOptions, make_test_set
from ragembed.datasets.make.kinds import KINDS
from ragembed.datasets.make.source import Source, read_source
from ragembed.datasets.make.write import Made, make_dataset

__all__ = [
    "KINDS",
    "Made",
    "MadeQuery",
    "MadeSet",
    "MakeOptions",
    "Source",
    "make_dataset",
    "make_test_set",
    "read_source",
]
