"""ragembed: chunk, embed, index, retrieve - and prove which way works best on your own documents.

Names are loaded on first use, so that ``import ragembed`` costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ragembed.errors import RagembedError
    from ragembed.pipeline import Pipeline
    from ragembed.spec import Spec
    from ragembed.sync_report import SyncReport
    from ragembed.types import Chunk, Document, Hit, Qrels, Run

_HOMES = {
    "Chunk": "types",
    "Document": "types",
    "Hit": "types",
    "Pipeline": "pipeline",
    "Qrels": "types",
    "RagembedError": "errors",
    "Run": "types",
    "Spec": "spec",
    "SyncReport": "sync_report",
}

__version__ = "0.1.0"
__all__ = [
    "Chunk",
    "Document",
    "Hit",
    "Pipeline",
    "Qrels",
    "RagembedError",
    "Run",
    "Spec",
    "SyncReport",
    "__version__",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'ragembed' has no attribute {name!r}")
    return getattr(importlib.import_module(f"ragembed.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
