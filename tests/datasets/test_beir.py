"""BEIR folders, and the strictness that every format shares."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from ragembed.datasets import load
from ragembed.errors import DatasetError
from ragembed.types import Document


def spoil(path: Path, old: str, new: str) -> None:
    """Replace the one place of `old`."""
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))


def test_a_folder_becomes_documents_queries_and_judgements(beir: Path) -> None:
    dataset = load(beir)
    assert dataset.name == "tiny"
    assert list(dataset.documents) == [
        Document("d1", "Cats They purr.", {"title": "Cats", "url": "u"}),
        Document("d2", "Dogs bark."),
        Document("3", "Fish swim."),
    ]
    assert len(dataset.documents) == 3
    assert dataset.queries == {"q1": "who purrs", "q2": "who swims"}
    assert dataset.qrels == {"q1": {"d1": 2, "d2": 0}, "q2": {"3": 1}}


def test_documents_can_be_iterated_twice(beir: Path) -> None:
    documents = load(beir).documents
    assert list(documents) == list(documents)


def test_a_split_without_a_header(beir: Path) -> None:
    dataset = load(str(beir), "dev")
    assert (dataset.split, dataset.queries, dataset.qrels) == ("dev", {"q3": "who barks"}, {"q3": {"d2": 1}})


def test_every_file_may_be_gzipped_have_a_byte_order_mark_and_crlf(beir: Path) -> None:
    plain = load(beir)
    expected = (list(plain.documents), plain.queries, plain.qrels)
    for path in [beir / "corpus.jsonl", beir / "queries.jsonl", beir / "qrels" / "test.tsv"]:
        content = b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n")
        path.with_name(path.name + ".gz").write_bytes(gzip.compress(content))
        path.unlink()
    packed = load(beir)
    assert (list(packed.documents), packed.queries, packed.qrels) == expected


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        (
            "corpus.jsonl",
            '"Dogs bark."}',
            '"Dogs',
            r"corpus.jsonl line 2 is no JSON .*; write one JSON object",
        ),
        ("corpus.jsonl", '{"_id": 3, "text": "Fish swim."}', "[1]", r"corpus.jsonl line 3 is a JSON list"),
        (
            "corpus.jsonl",
            '"_id": 3, ',
            "",
            r"corpus.jsonl line 3 has no id, but text; name the field one of: _id",
        ),
        ("corpus.jsonl", '"_id": 3', '"_id": ""', r"corpus.jsonl line 3: '' is no id"),
        ("corpus.jsonl", '"_id": 3', '"_id": true', r"corpus.jsonl line 3: True is no id"),
        ("corpus.jsonl", '"Fish swim."', "7", r"corpus.jsonl line 3: the text is no string but 7"),
        ("corpus.jsonl", '"Cats"', '["Cats"]', r"corpus.jsonl line 1: the title is no string"),
        (
            "corpus.jsonl",
            '"_id": 3',
            '"_id": "d1"',
            r"document id 'd1' stands in .*line 1 and again in line 3",
        ),
        (
            "queries.jsonl",
            '"q3"',
            '"q1"',
            r"query id 'q1' stands in .*queries.jsonl line 1 and again in line 3",
        ),
        ("queries.jsonl", "who swims", " ", r"queries.jsonl line 2: query 'q2' has no text"),
        ("queries.jsonl", '"q2"', '"q9"', r"name 1 unknown query \('q2'\); .*--allow-unknown"),
        ("qrels/test.tsv", "q2\t3\t1", "q2\td7\t1\nq2\td8\t0", r"name 2 unknown documents \('d7', 'd8'\)"),
        ("qrels/test.tsv", "q2\t3\t1", "q2\t3", r"test.tsv line 4: 2 columns where 3 .* are expected"),
        ("qrels/test.tsv", "q2\t3\t1", "q2\t3\t0.5", r"test.tsv line 4: gain 0.5 is no whole number"),
        ("qrels/test.tsv", "q2\t3\t1", "q2\t3\tyes", r"test.tsv line 4: gain 'yes' is no number"),
        ("qrels/test.tsv", "q2\t3\t1", "q1\td1\t1", r"'d1' of query 'q1' as 2 on line 2 and as 1 on line 4"),
    ],
)
def test_what_is_wrong_is_said_in_one_line_with_its_place(
    beir: Path, file: str, old: str, new: str, message: str
) -> None:
    spoil(beir / file, old, new)
    with pytest.raises(DatasetError, match=message) as caught:
        load(beir)
    assert "\n" not in str(caught.value)
    assert caught.value.remedy


def test_broken_utf8_is_reported_with_its_line(beir: Path) -> None:
    path = beir / "corpus.jsonl"
    path.write_bytes(path.read_bytes().replace(b"bark", b"b\xffrk"))
    with pytest.raises(DatasetError, match=r"corpus.jsonl line 2: byte 0xff"):
        load(beir)


def test_unknown_documents_and_queries_are_kept_when_allowed(beir: Path) -> None:
    (beir / "qrels" / "test.tsv").write_text("q1\td1\t1\nq1\tlost\t1\nnever asked\td1\t1\n")
    dataset = load(beir, allow_unknown=True)
    assert dataset.qrels == {"q1": {"d1": 1, "lost": 1}, "never asked": {"d1": 1}}
    assert dataset.unknown == ("lost",)
    assert list(dataset.queries) == ["q1"]


def test_a_long_list_of_unknown_documents_is_cut(beir: Path) -> None:
    (beir / "qrels" / "test.tsv").write_text("".join(f"q1\tx{n}\t1\n" for n in range(500)))
    with pytest.raises(DatasetError, match=r"500 unknown documents \('x0', 'x1', 'x2', \.\.\.\)"):
        load(beir)


def test_a_missing_split_lists_those_there_are(beir: Path) -> None:
    with pytest.raises(DatasetError, match=r"no judgements for the split 'train'; there are: dev, test"):
        load(beir, "train")


@pytest.mark.parametrize("name", ["corpus.jsonl", "queries.jsonl"])
def test_missing_and_empty_files(beir: Path, name: str) -> None:
    (beir / name).write_text("\n")
    with pytest.raises(DatasetError, match=r"holds no (document|query)"):
        load(beir)
    (beir / name).unlink()
    with pytest.raises(DatasetError, match=rf"has no {name} \(or {name}.gz\)"):
        load(beir)


def test_judgements_missing_and_empty(beir: Path) -> None:
    (beir / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\n")
    with pytest.raises(DatasetError, match=r"test.tsv holds no judgement"):
        load(beir)
    for path in (beir / "qrels").iterdir():
        path.unlink()
    (beir / "qrels").rmdir()
    with pytest.raises(DatasetError, match=r"no judgements for the split 'test'; BEIR wants corpus.jsonl"):
        load(beir)


@pytest.mark.parametrize(
    ("name", "documents", "queries", "judgements"),
    [
        ("cranfield", 1400, 225, 1837),
        ("cisi", 1460, 76, 3114),
        ("med", 1033, 30, 696),
        ("scifact", 5183, 300, 339),
    ],
)
def test_real_collections(
    shared_data: Path, name: str, documents: int, queries: int, judgements: int
) -> None:
    dataset = load(shared_data / name)
    assert len(dataset.documents) == documents == sum(1 for _ in dataset.documents)
    assert len(dataset.queries) == queries
    assert sum(map(len, dataset.qrels.values())) == judgements
