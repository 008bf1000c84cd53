"""The project's own collection keeps the promises that its README makes."""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from importlib.resources import files
from itertools import combinations

FOLDER = files("ragembed.datasets").joinpath("primer")
GRAM = 5


def _rows(name: str) -> list[dict[str, str]]:
    text = FOLDER.joinpath(name).read_text(encoding="utf-8")
    return [json.loads(line) for line in text.rstrip("\n").split("\n")]


def _qrels() -> list[tuple[str, str, int]]:
    lines = FOLDER.joinpath("qrels", "test.tsv").read_text(encoding="utf-8").splitlines()
    header, *rows = csv.reader(lines, delimiter="\t")
    assert header == ["query-id", "corpus-id", "score"]
    return [(query, document, int(grade)) for query, document, grade in rows]


def _plain(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.casefold()))


def _grams(text: str) -> set[tuple[str, ...]]:
    words = _plain(text).split()
    return {tuple(words[start : start + GRAM]) for start in range(len(words) - GRAM + 1)}


CORPUS = _rows("corpus.jsonl")
QUERIES = _rows("queries.jsonl")
QRELS = _qrels()


def test_it_is_large_enough_and_no_larger_than_one_can_read() -> None:
    assert 60 <= len(CORPUS) <= 100
    assert len(QUERIES) >= 40


def test_rows_have_the_beir_fields_and_none_is_blank() -> None:
    for row in CORPUS:
        assert row.keys() == {"_id", "title", "text"}
        assert all(value.strip() == value != "" for value in row.values()), row["_id"]
    for row in QUERIES:
        assert row.keys() == {"_id", "text"}
        assert all(value.strip() == value != "" for value in row.values()), row["_id"]


def test_ids_are_unique() -> None:
    for rows in (CORPUS, QUERIES):
        assert [name for name, count in Counter(row["_id"] for row in rows).items() if count > 1] == []


def test_every_judgement_points_to_a_query_and_a_document_once() -> None:
    assert {query for query, _, _ in QRELS} == {row["_id"] for row in QUERIES}
    assert {document for _, document, _ in QRELS} <= {row["_id"] for row in CORPUS}
    pairs = Counter((query, document) for query, document, _ in QRELS)
    assert [pair for pair, count in pairs.items() if count > 1] == []


def test_grades_are_0_to_2_and_every_query_has_an_answer() -> None:
    assert {grade for _, _, grade in QRELS} == {0, 1, 2}
    assert {query for query, _, grade in QRELS if grade == 2} == {row["_id"] for row in QUERIES}


def test_no_two_documents_are_near_duplicates() -> None:
    grams = {row["_id"]: _grams(row["text"]) for row in CORPUS}
    for one, other in combinations(grams, 2):
        shared = len(grams[one] & grams[other])
        assert shared < 0.3 * len(grams[one] | grams[other]), (one, other)


def test_no_query_is_a_title() -> None:
    titles = {_plain(row["title"]) for row in CORPUS}
    queries = [_plain(row["text"]) for row in QUERIES]
    assert titles.isdisjoint(queries)
    assert len(set(queries)) == len(queries)


def test_the_readme_states_the_true_sizes() -> None:
    readme = FOLDER.joinpath("README.md").read_text(encoding="utf-8")
    lengths = [len(row["text"].split()) for row in CORPUS]
    grades = Counter(grade for _, _, grade in QRELS)
    relevant = (grades[1] + grades[2]) / len(QUERIES)
    assert (
        f"{len(CORPUS)} documents: `_id`, `title`, `text`; {min(lengths)} to {max(lengths)} words, "
        f"{sum(lengths) / len(lengths):.0f} on average"
    ) in readme
    assert f"{len(QUERIES)} queries:" in readme
    assert f"{len(QRELS)} judgements:" in readme
    assert f"{relevant:.1f} of grade 1 or 2 on average" in readme
    for grade, count in grades.items():
        assert re.search(rf"^\| {grade} \|.*\| {count} \|$", readme, flags=re.M), grade
