"""The files that embeddings are judged by: recognised by their first line, and read strictly.

Every form is one entry of `FORMS`. A byte order mark, gzip, blank lines and CR LF are taken; whatever else does not
fit is a `DatasetError` with the file and the line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ragembed.errors import DatasetError
from ragembed.eval.quality.bias_files import BiasTest, is_bias, read_bias
from ragembed.eval.quality.pair_files import (
    Pairs,
    is_sentence_pairs,
    is_word_pairs,
    read_sentence_pairs,
    read_word_pairs,
)
from ragembed.lines import fields, read_lines

Task = Literal["word-similarity", "sentence-similarity", "analogies", "bias"]


@dataclass(frozen=True, slots=True)
class Section:
    """Analogy questions of one kind."""

    name: str
    questions: list[tuple[str, str, str, str]]
    """``(a, b, c, d)``: a is to b as c is to d, and d is the answer that is wanted."""


Content = Pairs | list[Section] | list[BiasTest]


@dataclass(frozen=True, slots=True)
class Form:
    """One kind of file."""

    layout: str
    """Its lines in a few words, for errors."""
    recognises: Callable[[str], bool]
    """Whether a file that begins with this line is one."""
    read: Callable[[Path], Content]


@dataclass(frozen=True, slots=True)
class QualityFile:
    """What a file holds, and the task that it sets."""

    name: str
    task: Task
    content: Content


def read_quality_file(path: str | Path) -> QualityFile:
    """Read the file at `path`, whichever of `FORMS` it has."""
    path = Path(path)
    task = recognise(path)
    return QualityFile(path.name, task, FORMS[task].read(path))


def recognise(path: Path) -> Task:
    """Which task the file at `path` sets; raises `DatasetError` with the first line and what would be read."""
    first = next(((number, line) for number, line in read_lines(path) if is_content(line)), None)
    if first is None:
        raise DatasetError(f"{path} is empty", f"give a file of {_layouts()}")
    number, line = first
    for task, form in FORMS.items():
        if form.recognises(line):
            return task
    shown = line if len(line) <= 60 else line[:57] + "..."
    raise DatasetError(
        f"{path} line {number} begins no file that embeddings are judged by: {shown!r}",
        f"what is read is {_layouts()}",
    )


def is_content(line: str) -> bool:
    """Whether `line` is neither blank nor a comment."""
    return bool(line.strip()) and not line.startswith("#")


def read_analogies(path: Path) -> list[Section]:
    """Sections of questions, as in word2vec's ``questions-words.txt`` (Mikolov et al. 2013)."""
    sections: list[Section] = []
    for number, line in _content(path):
        if line.startswith(":"):
            sections.append(Section(line[1:].strip(), []))
            continue
        words = fields(line)
        if len(words) != 4:
            raise DatasetError(
                f"{path} line {number}: {len(words)} words where a question has 4", "write: a b c d"
            )
        a, b, c, d = words
        sections[-1].questions.append(
            (a, b, c, d)
        )  # the first line begins a section, or this is no such file
    if not any(section.questions for section in sections):
        raise DatasetError(f"{path} holds no question", "write four words on a line: a b c d")
    return sections


def _content(path: Path) -> Iterator[tuple[int, str]]:
    return ((number, line) for number, line in read_lines(path) if line.strip())


FORMS: Mapping[Task, Form] = {
    "bias": Form(
        'bias tests as JSON ({"name": {"X_key": ..., "Y_key": ..., "A_key": ..., "B_key": ...}})',
        is_bias,
        read_bias,
    ),
    "analogies": Form(
        "analogies (': section', then lines of 4 words)", lambda line: line.startswith(":"), read_analogies
    ),
    "sentence-similarity": Form(
        "sentence pairs (score<TAB>sentence<TAB>sentence, or a header that names score, sentence1 and sentence2)",
        is_sentence_pairs,
        read_sentence_pairs,
    ),
    "word-similarity": Form(
        "word pairs (word, word, score between tabs, commas or spaces)", is_word_pairs, read_word_pairs
    ),
}
"""Forms by task, in the order in which a first line is shown to them."""


def _layouts() -> str:
    return "; ".join(form.layout for form in FORMS.values())
