"""Reference spans of BEIR folders: by characters, by lines, as QMSum writes them."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from ragembed.datasets import load, write_spans
from ragembed.errors import DatasetError
from ragembed.types import Span

# the documents of the fixture: d1 "Cats They purr." (title, space, text), d2 "Dogs bark.", 3 "Fish swim."


def put(folder: Path, *rows: object) -> Path:
    path = folder / "spans.jsonl"
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return path


def row(query: str, document: object, start: object, end: object, **more: object) -> dict[str, object]:
    return {"query-id": query, "corpus-id": document, "start": start, "end": end, **more}


def without_qrels(folder: Path) -> Path:
    for path in (folder / "qrels").iterdir():
        path.unlink()
    (folder / "qrels").rmdir()
    return folder


def test_a_folder_without_spans_has_none(beir: Path) -> None:
    assert load(beir).spans == {}


def test_spans_are_read_beside_judgements(beir: Path) -> None:
    put(beir, row("q1", "d1", 5, 14, text="They purr"), row("q2", 3, 5, 9), row("q1", "d2", 0, 4))
    dataset = load(beir)
    assert dataset.spans == {"q1": [Span("d1", 5, 14), Span("d2", 0, 4)], "q2": [Span("3", 5, 9)]}
    texts = {document.id: document.text for document in dataset.documents}
    assert [texts[span.document][span.start : span.end] for span in dataset.spans["q1"]] == [
        "They purr",
        "Dogs",
    ]
    assert dataset.qrels == {"q1": {"d1": 2, "d2": 0}, "q2": {"3": 1}}  # as the file has them


def test_a_split_keeps_the_spans_of_its_queries(beir: Path) -> None:
    put(beir, row("q1", "d1", 5, 14), row("q3", "d2", 0, 4))
    assert load(beir).spans == {"q1": [Span("d1", 5, 14)]}
    assert load(beir, "dev").spans == {"q3": [Span("d2", 0, 4)]}


def test_judgements_follow_from_spans_where_there_are_none(beir: Path) -> None:
    put(
        without_qrels(beir),
        row("q2", 3, 5, 9),
        row("q1", "d2", 0, 4),
        row("q1", "d1", 0, 4),
        row("q1", "d2", 5, 9),
    )
    dataset = load(beir)
    assert dataset.qrels == {"q2": {"3": 1}, "q1": {"d2": 1, "d1": 1}}
    assert dataset.queries == {"q1": "who purrs", "q2": "who swims"}
    assert dataset.split == "test"
    with pytest.raises(DatasetError, match=r"no judgements for the split 'dev'; there are: test"):
        load(beir, "dev")


def test_equal_spans_are_one_and_overlapping_ones_stay(beir: Path) -> None:
    put(beir, row("q1", "d1", 0, 9), row("q1", "d1", 5, 14), row("q1", "d1", 0, 9))
    assert load(beir).spans == {"q1": [Span("d1", 0, 9), Span("d1", 5, 14)]}


def test_lines_count_from_0_and_the_last_one_is_included(beir: Path) -> None:
    (beir / "corpus.jsonl").write_text(
        '{"_id": "d1", "title": "Talk", "text": "A: hello\\nB: hi\\n\\nA: bye"}\n'
        '{"_id": "d2", "text": "one line"}\n{"_id": 3, "text": "Fish\\nswim."}\n'
    )
    put(
        beir,
        {"query-id": "q1", "corpus-id": "d1", "lines": [0, 1]},
        {"qid": "q1", "doc": "d1", "turn_spans": [["3", "3"], [1, 2]], "query": "who", "answer": "A"},
        {"query-id": "q2", "corpus-id": "3", "lines": [1, 1], "text": "swim."},
    )
    dataset = load(beir)
    texts = {document.id: document.text for document in dataset.documents}
    found = [texts[span.document][span.start : span.end] for span in dataset.spans["q1"]]
    assert found == ["Talk A: hello\nB: hi", "A: bye", "B: hi\n"]
    assert dataset.spans["q2"] == [Span("3", 5, 10)]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (row("q9", "d1", 0, 4), r"spans.jsonl line 2 speaks of the unknown query 'q9'; .*--allow-unknown"),
        (row("q1", "d9", 0, 4), r"spans.jsonl line 2 speaks of the unknown document 'd9'; .*--allow-unknown"),
        (row("q1", "d1", 4, 4), r"line 2: the span starts at 4 and ends at 4; give the first character"),
        (row("q1", "d1", 5, 4), r"line 2: the span starts at 5 and ends at 4"),
        (row("q1", "d1", 5, 16), r"line 2: the span ends at 16, beyond document 'd1' with 15 characters"),
        (row("q1", "d1", -1, 4), r"line 2: start is -1, no whole number from 0"),
        (row("q1", "d1", 0, 4.0), r"line 2: end is 4.0, no whole number from 0"),
        (row("q1", "d1", "0", 4), r"line 2: start is '0', no whole number"),
        (row("q1", "d1", True, 4), r"line 2: start is True, no whole number"),
        (
            row("q1", "d1", 0, 4, text="Cat"),
            r"document 'd1' says 'Cats' from 0 to 4, the span says 'Cat'; corr",
        ),
        (row("q1", "d1", 0, 4, text=7), r"line 2: the text is no string but 7"),
        (
            {"query-id": "q1", "corpus-id": "d1", "start": 0},
            r"line 2 has no end, but query-id, corpus-id, start",
        ),
        (
            {"query-id": "q1", "corpus-id": "d1"},
            r"line 2 has no start and no end, but query-id, corpus-id; write",
        ),
        (
            {"query-id": "q1", "start": 0, "end": 1},
            r"line 2 has no document id, but .*; name the field one of",
        ),
        ({"corpus-id": "d1", "start": 0, "end": 1}, r"line 2 has no query id"),
        (
            {"query-id": "q1", "corpus-id": "d1", "lines": [0, 1]},
            r"line 1 lies beyond document 'd1', whose 1 lines",
        ),
        ({"query-id": "q1", "corpus-id": "d1", "lines": [1, 0]}, r"line 2: line 1 comes after line 0"),
        ({"query-id": "q1", "corpus-id": "d1", "lines": [0]}, r"line 2: \[0\] is no range of lines"),
        (
            {"query-id": "q1", "corpus-id": "d1", "lines": ["0", "0"]},
            r"line 2: a line is '0', no whole number",
        ),
        ({"qid": "q1", "doc": "d1", "turn_spans": [["0", "x"]]}, r"line 2: a line is 'x', no whole number"),
        ({"qid": "q1", "doc": "d1", "turn_spans": "0-1"}, r"line 2: turn_spans is no list but '0-1'"),
        (
            {"qid": "q1", "doc": "d9", "turn_spans": [["0", "0"]]},
            r"line 2 speaks of the unknown document 'd9'",
        ),
        ("[1]", r"spans.jsonl line 2 is a JSON list"),
        ("{", r"spans.jsonl line 2 is no JSON"),
    ],
)
def test_what_is_wrong_is_said_in_one_line_with_its_place(beir: Path, line: object, message: str) -> None:
    put(beir, row("q1", "d1", 0, 4), line)
    with pytest.raises(DatasetError, match=message) as caught:
        load(beir)
    assert "\n" not in str(caught.value)
    assert caught.value.remedy


def test_the_first_of_several_faults_is_named(beir: Path) -> None:
    put(beir, row("q2", 3, 0, 99), row("q1", "d1", 0, 99))  # the second is of an earlier document
    with pytest.raises(DatasetError, match=r"spans.jsonl line 1: the span ends at 99"):
        load(beir)


def test_empty_lines_are_no_answer(beir: Path) -> None:
    (beir / "corpus.jsonl").write_text(
        '{"_id": "d1", "text": "a\\n\\nb"}\n{"_id": "d2", "text": "x"}\n{"_id": 3, "text": "y"}\n'
    )
    put(beir, {"query-id": "q1", "corpus-id": "d1", "lines": [1, 1]})
    with pytest.raises(DatasetError, match=r"line 1: the lines 1 to 1 of document 'd1' are empty"):
        load(beir)


def test_a_file_without_spans_is_an_error(beir: Path) -> None:
    put(beir, "", "")
    with pytest.raises(DatasetError, match=r"spans.jsonl holds no span; write"):
        load(beir)


def test_unknown_ids_are_kept_when_allowed(beir: Path) -> None:
    put(without_qrels(beir), row("q1", "d1", 0, 4), row("q1", "lost", 7, 9), row("never", "d1", 0, 4))
    dataset = load(beir, allow_unknown=True)
    assert dataset.spans == {"q1": [Span("d1", 0, 4), Span("lost", 7, 9)], "never": [Span("d1", 0, 4)]}
    assert dataset.qrels == {"q1": {"d1": 1, "lost": 1}, "never": {"d1": 1}}
    assert dataset.unknown == ("lost",)
    put(beir, {"query-id": "q1", "corpus-id": "lost", "lines": [0, 0]})
    with pytest.raises(DatasetError, match=r"unknown document 'lost'; add it, or take the line out"):
        load(beir, allow_unknown=True)  # its characters cannot be known


def test_what_is_written_is_read_back_also_packed(beir: Path) -> None:
    spans = {"q2": [Span("3", 0, 4)], "q1": [Span("d1", 5, 14), Span("d1", 0, 9)]}
    path = beir / "spans.jsonl"
    write_spans(path, spans)
    assert load(beir).spans == spans
    assert path.read_text().splitlines()[0] == '{"query-id": "q2", "corpus-id": "3", "start": 0, "end": 4}'
    (beir / "spans.jsonl.gz").write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()
    assert load(beir).spans == spans


def test_qmsum_as_it_is_handed_out(shared_data: Path) -> None:
    dataset = load(shared_data / "qmsum")
    assert len(dataset.spans) == 1576
    # its turns 137 to 150: line n of the text, counted from 0, is turn n
    texts = {document.id: document.text for document in dataset.documents}
    span = dataset.spans["test-Bed003-s0"][0]
    said = texts[span.document][span.start : span.end].split("\n")
    assert len(said) == 150 - 137 + 1
    assert texts[span.document][: span.start].count("\n") == 137
    # queries of the split "all" that summarise whole meetings have no gold turns
    assert len(load(shared_data / "qmsum", "all").spans) == 1576
