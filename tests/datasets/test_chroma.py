"""Folders of Chroma's chunking evaluation, with the questions as published or as JSON Lines."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from ragembed.datasets import load
from ragembed.errors import DatasetError
from ragembed.types import Document, Span

QUESTIONS: list[dict[str, Any]] = [
    {
        "_id": "q0",
        "corpus_id": "cats",
        "text": "what do cats do",
        "references": [
            {"content": "purr", "start_index": 6, "end_index": 10},
            {"content": "sleep", "start_index": 15, "end_index": 20},
        ],
    },
    {
        "_id": "q1",
        "corpus_id": "dogs",
        "text": "what, \"exactly\",\ndo dogs do",
        "references": [{"content": "bark", "start_index": 5, "end_index": 9}],
    },
]  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "corpora").mkdir()
    (tmp_path / "corpora" / "cats.md").write_bytes(
        " Cats\r\npurr and\nsleep.\n".replace("\r\n", " ").encode()
    )
    (tmp_path / "corpora" / "dogs.md").write_bytes(b"Dogs\r\nbark. ")
    (tmp_path / "corpora" / ".hidden").write_text("x")
    return tmp_path


def as_jsonl(folder: Path, questions: list[dict[str, Any]]) -> None:
    (folder / "questions.jsonl").write_text("".join(json.dumps(each) + "\n" for each in questions))


def as_csv(folder: Path, questions: list[dict[str, Any]]) -> None:
    with (folder / "questions_df.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["question", "references", "corpus_id"])
        for each in questions:
            writer.writerow([each["text"], json.dumps(each["references"]), each["corpus_id"]])


@pytest.mark.parametrize("write", [as_jsonl, as_csv])
def test_texts_are_documents_and_excerpts_are_spans(folder: Path, write: Any) -> None:
    write(folder, QUESTIONS)
    dataset = load(folder)
    # nothing is stripped, and CR LF is one character, as it was where the offsets were counted
    assert list(dataset.documents) == [
        Document("cats", " Cats purr and\nsleep.\n"),
        Document("dogs", "Dogs\nbark. "),
    ]
    assert dataset.queries == {"q0": "what do cats do", "q1": 'what, "exactly",\ndo dogs do'}
    assert dataset.spans == {
        "q0": [Span("cats", 6, 10), Span("cats", 15, 20)],
        "q1": [Span("dogs", 5, 9)],
    }
    assert dataset.qrels == {"q0": {"cats": 1}, "q1": {"dogs": 1}}
    with pytest.raises(DatasetError, match=r"split 'dev'; there are: test"):
        load(folder, "dev")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"references": []}, r"questions.jsonl line 2: query 'q1' has no list of references"),
        ({"references": ["bark"]}, r"line 2: 'bark' is no reference; write"),
        ({"corpus_id": "birds"}, r"questions.jsonl line 2 speaks of the unknown document 'birds'"),
        ({"corpus_id": None}, r"line 2: None is no id"),
        ({"text": ""}, r"line 2: query 'q1' has no text"),
        ({"_id": "q0"}, r"query id 'q0' stands in .*line 1 and again in line 2"),
        (
            {"references": [{"content": "bork", "start_index": 5, "end_index": 9}]},
            r"questions.jsonl line 2: document 'dogs' says 'bark' from 5 to 9, the span says 'bork'",
        ),
        (
            {"references": [{"content": "bark", "start_index": "5", "end_index": 9}]},
            r"line 2: start is '5', no whole number",
        ),
        (
            {"references": [{"content": "bark", "start_index": 5, "end_index": 99}]},
            r"line 2: the span ends at 99, beyond document 'dogs' with 11 characters",
        ),
    ],
)
def test_what_is_wrong_is_said_with_its_line(folder: Path, change: dict[str, Any], message: str) -> None:
    as_jsonl(folder, [QUESTIONS[0], {**QUESTIONS[1], **change}])
    with pytest.raises(DatasetError, match=message) as caught:
        load(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("question,references,corpus_id\nwho,not json,cats\n", r"csv line 2: the references are no JSON"),
        ("question,references,corpus_id\nwho\n", r"csv line 2: the references are no JSON"),
        ('question,references,corpus_id\n"who"x,[],cats\n', r"csv line 2 is no CSV"),
        (
            'query,references,corpus_id\nwho,"[{""content"": ""Cats"", ""start_index"": 1, ""end_index"": 5}]",cats\n',
            r"csv line 2 has no text, but query, references, corpus_id; name the field one of: text, question",
        ),
        ("question,references,corpus_id\n", r"holds no query"),
    ],
)
def test_a_broken_table_of_questions(folder: Path, text: str, message: str) -> None:
    (folder / "questions_df.csv").write_text(text)
    with pytest.raises(DatasetError, match=message):
        load(folder)


def test_text_that_is_not_utf8(folder: Path) -> None:
    as_jsonl(folder, QUESTIONS)
    (folder / "corpora" / "cats.md").write_bytes(b"caf\xe9")
    with pytest.raises(DatasetError, match=r"cats.md: byte 0xe9 at position 4 is not UTF-8"):
        load(folder)


def test_the_published_data(shared_data: Path) -> None:
    dataset = load(shared_data / "chunking_eval")
    assert len(dataset.documents) == 5
    assert len(dataset.queries) == len(dataset.qrels) == len(dataset.spans) == 472
    assert sum(map(len, dataset.spans.values())) == 790
