"""Folders of Chroma's chunking evaluation: long texts under ``corpora/``, questions with the excerpts that answer them.

Smith & Troynikov 2024, "Evaluating Chunking Strategies for Retrieval". A text is one document, its id the file's
name without suffix, its characters those of the file (nothing is stripped, CR LF read as LF), so that the
published offsets hold. The questions stand in ``questions_df.csv``, as published, or in ``questions.jsonl``; those
of the former have the ids q0, q1, … in their order. The texts are one collection, in which every question is
asked; a question's judgements name the one text that it was made from.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

from ragembed.datasets.base import Format, Place
from ragembed.datasets.references import Reference, derived_qrels
from ragembed.datasets.rows import Row, json_rows, row_id, row_text
from ragembed.datasets.spans import character_range
from ragembed.errors import DatasetError
from ragembed.lines import read_lines
from ragembed.types import Document, Qrels

_REFERENCE = 'write {"content": "the excerpt", "start_index": 120, "end_index": 188}'


class Chroma(Format):
    """Reads a folder of Chroma's chunking evaluation."""

    name: ClassVar[str] = "Chroma"
    layout: ClassVar[str] = "corpora/NAME.md and questions_df.csv or questions.jsonl"

    def recognises(self, folder: Path) -> bool:
        """True where there is a folder ``corpora`` and one of the files of questions."""
        return (folder / "corpora").is_dir() and _questions(folder) is not None

    def splits(self, folder: Path) -> list[str]:
        """``test``, the only one."""
        return ["test"]

    def documents(self, folder: Path) -> Iterator[tuple[Place, Document]]:
        """The files under ``corpora``, by name; hidden ones are left out."""
        for path in sorted((folder / "corpora").iterdir()):
            if path.is_file() and not path.name.startswith("."):
                yield Place(path, 1), Document(path.stem, _text(path))

    def queries(self, folder: Path, split: str) -> Iterator[tuple[Place, str, str]]:
        """The questions."""
        for place, query, row in _rows(folder):
            yield place, query, row_text(place, row, ("text", "question"))

    def qrels(self, folder: Path, split: str) -> Qrels:
        """Gain 1 for the text that a question was made from."""
        return derived_qrels(self.references(folder, split))

    def references(self, folder: Path, split: str) -> Iterator[Reference]:
        """The excerpts, each of which must be what stands in its text at its offsets."""
        for place, query, row in _rows(folder):
            document = row_id(place, row, ("corpus_id",), "corpus_id")
            excerpts = row.get("references")
            if not isinstance(excerpts, list) or not excerpts:
                raise DatasetError(f"{place}: query {query!r} has no list of references", _REFERENCE)
            for excerpt in excerpts:
                if not isinstance(excerpt, dict) or not isinstance(excerpt.get("content"), str):
                    raise DatasetError(f"{place}: {excerpt!r} is no reference", _REFERENCE)
                start, end = character_range(place, excerpt.get("start_index"), excerpt.get("end_index"))
                yield Reference(place, query, document, start, end, text=excerpt["content"])


def _questions(folder: Path) -> Path | None:
    candidates = (folder / "questions.jsonl", folder / "questions_df.csv")
    return next((path for path in candidates if path.is_file()), None)


def _rows(folder: Path) -> Iterator[tuple[Place, str, Row]]:
    """Place, query id and fields of each question."""
    path = _questions(folder)
    if path is None:
        raise DatasetError(f"{folder} has no questions", f"a folder of {Chroma.name} holds {Chroma.layout}")
    if path.suffix == ".jsonl":
        for place, row in json_rows(path):
            yield place, row_id(place, row), row
        return
    for number, (place, row) in enumerate(_csv_rows(path)):
        yield place, f"q{number}", row


def _csv_rows(path: Path) -> Iterator[tuple[Place, dict[str, Any]]]:
    """The rows of ``questions_df.csv``, their references decoded; a row's place is its last line."""
    reader = csv.DictReader((line + "\n" for _, line in read_lines(path)), restkey="more", strict=True)
    try:
        for row in reader:
            place = Place(path, reader.line_num)
            try:
                references = json.loads(row.get("references") or "")
            except (ValueError, RecursionError) as error:
                raise DatasetError(f"{place}: the references are no JSON ({error})", _REFERENCE) from error
            yield place, {**row, "references": references}
    except csv.Error as error:
        raise DatasetError(
            f"{path} line {reader.reader.line_num} is no CSV ({error})", "correct the line's quotes"
        ) from error


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise DatasetError(
            f"{path}: byte 0x{error.object[error.start]:02x} at position {error.start + 1} is not UTF-8",
            "convert the file to UTF-8",
        ) from error
    except OSError as error:
        raise DatasetError(f"{path} cannot be read ({error.strerror})", "check its permissions") from error
