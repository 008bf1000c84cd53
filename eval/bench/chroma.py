"""Chroma's published evaluation of chunking, run as it stands in a checkout of brandonstarxel/chunking_evaluation.

Its measures need neither a vector database nor models: packages that its modules import and that are not
installed (chromadb, pandas, tiktoken …) are replaced by empty ones.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

from ragembed.datasets import Dataset
from ragembed.types import Span, SpanTruth

MEASURES = ("SpanR@5", "SpanP@5", "SpanIoU@5", "SpanPOmega")
"""What their code measures too, in our names."""


class Anything:
    """What stands for every class, function and decorator of a package that is not there."""

    def __init__(self, *_: object, **__: object) -> None: ...

    def __call__(self, *_: object, **__: object) -> Anything:
        return self

    def __class_getitem__(cls, _: object) -> type[Anything]:
        return cls


class Missing(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Empty modules in place of packages that are not installed; whatever is asked of them is `Anything`."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = names

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        """A module for each of the names and what lies below them."""
        if name.partition(".")[0] in self.names:
            return importlib.machinery.ModuleSpec(name, self, is_package=True)
        return None

    def create_module(self, spec: Any) -> ModuleType:
        """A module that has everything."""

        def anything(name: str) -> type:
            if name.startswith("__"):
                raise AttributeError(name)  # which the import system asks for, and goes without
            return Anything

        module = ModuleType(spec.name)
        module.__getattr__ = anything  # type: ignore[method-assign]
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Nothing to run."""


class Rows:
    """As much of a data frame as their measures ask for."""

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        self.rows = rows

    def iterrows(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """Number and content of each row."""
        return iter(enumerate(self.rows))


class Theirs:
    """The evaluation of a checkout of Chroma's repository."""

    def __init__(self, folder: Path, truth: SpanTruth) -> None:
        needed = (
            "chromadb",
            "fuzzywuzzy",
            "pandas",
            "tiktoken",
            "openai",
            "anthropic",
            "backoff",
            "attr",
            "tqdm",
        )
        sys.meta_path.append(Missing([name for name in needed if find_spec(name) is None]))
        sys.path.insert(0, str(folder))
        base = importlib.import_module("chunking_evaluation.evaluation_framework.base_evaluation")
        self.evaluation = object.__new__(base.BaseEvaluation)
        self.truth = truth
        self.evaluation.questions_df = Rows(
            [
                {
                    "question": query,
                    "corpus_id": spans[0].document,
                    "references": [
                        {"content": "", "start_index": span.start, "end_index": span.end} for span in spans
                    ],
                }
                for query, spans in truth.items()
            ]
        )
        self.search = importlib.import_module("chunking_evaluation.utils").rigorous_document_search

    def scores(
        self, chunks: Sequence[Span], answers: Mapping[str, Sequence[Span]], k: int
    ) -> dict[str, dict[str, float]]:
        """Their values of `MEASURES` for each query, of the first `k` chunks of each answer."""
        omega, _ = self.evaluation._full_precision_score([_metadata(span) for span in chunks])
        found = [[_metadata(span) for span in answers[query][:k]] for query in self.truth]
        iou, recall, precision = self.evaluation._scores_from_dataset_and_retrievals(found, [k] * len(found))
        lists = zip(MEASURES, (recall, precision, iou, omega), strict=True)
        return {name: dict(zip(self.truth, values, strict=True)) for name, values in lists}

    def chunkers(self, dataset: Dataset) -> dict[str, list[Span]]:
        """Chunks of their splitters, by characters, at the places where their own code finds them again."""
        recursive = importlib.import_module("chunking_evaluation.chunking.recursive_token_chunker")
        fixed = importlib.import_module("chunking_evaluation.chunking.fixed_token_chunker")
        by_character = {
            "their recursive, 800 characters, overlap 200": recursive.RecursiveTokenChunker(800, 200).split_text,
            "their recursive, 400 characters": recursive.RecursiveTokenChunker(400, 0).split_text,
            "their fixed, 800 characters, overlap 400": lambda text: fixed.split_text_on_tokens(
                text=text,
                tokenizer=fixed.Tokenizer(400, 800, lambda ids: "".join(map(chr, ids)), lambda t: list(map(ord, t))),
            ),
        }  # fmt: skip
        return {
            name: list(
                dict.fromkeys(
                    Span(document.id, *self.search(document.text, piece)[1:])
                    for document in dataset.documents
                    for piece in split(document.text)
                )
            )
            for name, split in by_character.items()
        }


def _metadata(span: Span) -> dict[str, Any]:
    return {"corpus_id": span.document, "start_index": span.start, "end_index": span.end}
