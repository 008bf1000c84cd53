"""JSON Lines, JSON and CSV: what they share."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from ragembed.read import Failure
from ragembed.types import Document

Items = list[Document | Failure]
ReadAll = Callable[..., Items]
ReadOne = Callable[..., Document]


@pytest.mark.parametrize(
    ("row", "identifier", "text", "metadata"),
    [
        ({"id": "7", "text": "Hello", "metadata": {"lang": "en"}}, "7", "Hello", {"lang": "en"}),
        ({"_id": "007", "title": "T", "text": "Hello", "metadata": {}}, "007", "T\nHello", {"title": "T"}),
        ({"page_content": "Hello", "metadata": {"a": 1}, "id": None}, "a.jsonl#1", "Hello", {"a": 1}),
        ({"content": "Hello", "meta": {"a": 1}, "id": "h"}, "h", "Hello", {"a": 1}),
        ({"id": 5, "contents": "Hello"}, "5", "Hello", {}),
        ({"body": "Hello", "tags": ["a"], "gone": None}, "a.jsonl#1", "Hello", {"tags": ["a"]}),
        ({"text": "Hello", "path": "p", "line": 9}, "a.jsonl#1", "Hello", {"path_": "p", "line_": 9}),
        ({"q": "Who?", "n": 3}, "a.jsonl#1", "q: Who?", {"q": "Who?", "n": 3}),
        ({"text": "Hello", "year": 1, "metadata": {"year": 2}}, "a.jsonl#1", "Hello", {"year": 1}),
        ("just a string", "a.jsonl#1", "just a string", {}),
    ],
)  # fmt: skip
def test_shapes(
    read_one: ReadOne, row: object, identifier: str, text: str, metadata: dict[str, object]
) -> None:
    document = read_one("a.jsonl", json.dumps(row))
    assert (document.id, document.text) == (identifier, text)
    assert document.metadata == {"path": "a.jsonl", "format": "jsonl", "line": 1, **metadata}


def test_fields_are_chosen(read_one: ReadOne) -> None:
    row = {"key": "k", "head": "H", "one": "1st", "two": "2nd", "text": "not this"}
    document = read_one(
        "a.jsonl", json.dumps(row), text_fields=("two", "one"), title_field="head", id_field="key"
    )
    assert (document.id, document.text) == ("k", "H\n2nd\n1st")
    assert document.metadata["text"] == "not this"


def test_a_row_that_lacks_a_chosen_field_is_a_failure(read_all: ReadAll) -> None:
    rows = '{"one": "x"}\n{"two": "y"}\n'
    good, bad = read_all("a.jsonl", rows, text_fields=("one",))
    assert isinstance(good, Document)
    assert bad == Failure("a.jsonl:2", "row has no field 'one'; it has: two")
    assert all(isinstance(item, Failure) for item in read_all("a.jsonl", rows, id_field="key"))


def test_broken_lines_are_named_and_the_others_go_on(read_all: ReadAll) -> None:
    items = read_all("a.jsonl", '{"text": "a"}\n{"text": \n\n[1]\n{"text": "b"}\n12\n')
    assert [item.text for item in items if isinstance(item, Document)] == ["a", "b"]
    assert [(item.where, item.reason.partition(";")[0]) for item in items if isinstance(item, Failure)] == [
        ("a.jsonl:2", "line is no JSON (Expecting value at column 10)"),
        ("a.jsonl:4", "row is a list, not an object"),
        ("a.jsonl:6", "row is a number, not an object"),
    ]


def test_duplicate_ids_name_both_lines(read_all: ReadAll) -> None:
    first, second = read_all("a.jsonl", '{"id": "x", "text": "a"}\n{"id": "x", "text": "b"}\n')
    assert isinstance(first, Document)
    assert second == Failure("a.jsonl:2", "id 'x' was given in line 1 already; give each row its own")


def test_hostile_json(read_all: ReadAll) -> None:
    lines = [
        "[" * 100_000,
        '{"text": ' * 100_000,
        '{"text": "' + "1" * 10 + '", "n": ' + "1" * 5000 + "}",
        '{"text": "half \\ud800 pair", "k": "\\udfff", "n": NaN}',
    ]
    *broken, last = read_all("a.jsonl", "\n".join(lines))
    assert all(isinstance(item, Failure) for item in broken)
    assert isinstance(last, Document)
    assert last.text == "half \ufffd pair"
    assert last.metadata["k"] == "\ufffd"
    assert "n" not in last.metadata


def test_line_separators_of_unicode_are_text(read_one: ReadOne) -> None:
    assert read_one("a.jsonl", '{"text": "a\u2028b\x85c"}\r\n').text == "a\u2028b\x85c"


def test_an_array_of_objects_is_rows(read_all: ReadAll) -> None:
    text = '[\n  {"text": "a"},\n  {"text": "b", "id": "x"}, {"text": "c"},\n  5\n]\n'
    *documents, failure = read_all("a.json", text)
    assert [
        (d.id, d.text, d.metadata["line"], d.metadata["row"]) for d in documents if isinstance(d, Document)
    ] == [
        ("a.json#1", "a", 2, 1),
        ("x", "b", 3, 2),
        ("a.json#3", "c", 3, 3),
    ]
    assert failure == Failure("a.json:4", "row is a number, not an object; write each row as {...}")


def test_an_array_that_breaks_off_gives_what_came_before(read_all: ReadAll) -> None:
    good, bad = read_all("a.json", '[{"text": "a"},\n{"text": ')
    assert isinstance(good, Document)
    assert isinstance(bad, Failure)
    assert bad.where == "a.json:2"
    assert "no ',' or ']'" in str(read_all("b.json", '[{"text": "a"} {"text": "b"}]')[1])


def test_other_json_is_flattened(read_one: ReadOne) -> None:
    document = read_one("a.json", '{"server": {"port": 80, "names": ["a", "b"]}, "on": true, "none": null}')
    assert document.text == "server.port: 80\nserver.names: a\nserver.names: b\non: true"
    assert document.id == "a.json"
    assert read_one("b.json", '["x", "y"]').text == "x\ny"


def test_an_object_with_a_text_is_one_document(read_one: ReadOne) -> None:
    document = read_one("a.json", '{"id": "7", "content": "Hello", "lang": "en"}')
    assert (document.id, document.text) == ("a.json", "Hello")
    assert document.metadata == {"path": "a.json", "format": "json", "lang": "en"}


def test_broken_json_is_a_failure(read_all: ReadAll) -> None:
    [failure] = read_all("a.json", '{"a": ')
    assert failure == Failure(
        "a.json", "file is no JSON (Expecting value at column 7); mend it, or exclude it"
    )
    assert "nests too deep" in str(read_all("b.json", '{"a":' * 100_000)[0])


def test_csv(read_all: ReadAll) -> None:
    text = 'id,title,text,year,zip\n1,T,"a ""b"",\nc",2020,007\n2,,d,,\n\n3,U,e\n'
    items = read_all("a.csv", text)
    assert [
        (d.id, d.text, d.metadata["line"], d.metadata["row"]) for d in items if isinstance(d, Document)
    ] == [
        ("1", 'T\na "b",\nc', 2, 1),
        ("2", "d", 4, 2),
        ("3", "U\ne", 6, 3),
    ]
    assert items[0].metadata["year"] == 2020  # type: ignore[union-attr]
    assert items[0].metadata["zip"] == "007"  # type: ignore[union-attr]


def test_csv_without_a_text_column_gives_all_columns(read_one: ReadOne) -> None:
    document = read_one("a.csv", "Name,Age\nJohn,27\n")
    assert (document.id, document.text) == ("a.csv#2", "Name: John\nAge: 27")


def test_column_names_in_any_case(read_one: ReadOne) -> None:
    document = read_one("a.csv", "ID,Title,Text\nx,T,words\n")
    assert (document.id, document.text) == ("x", "T\nwords")


@pytest.mark.parametrize(
    "text",
    [
        "text;n\na, b;1\n",
        "text\tn\na, b\t1\n",
        'text,n\n"a, b",1\n',
        "sep=;\ntext;n\na, b;1\n",
        "\ufefftext|n\r\na, b|1\r\n",
    ],
)
def test_delimiters(read_one: ReadOne, text: str) -> None:
    document = read_one("a.csv", text)
    assert document.text == "a, b"
    assert document.metadata["n"] == 1


def test_tsv_quotes_are_characters_unless_they_enclose_fields(read_all: ReadAll) -> None:
    items = read_all("a.tsv", 'id\ttext\n1\t"so" he said\n2\tsay "so"\n')
    assert [item.text for item in items if isinstance(item, Document)] == ['"so" he said', 'say "so"']
    [quoted] = read_all("b.tsv", 'id\ttext\n1\t"a\tb"\n')
    assert isinstance(quoted, Document)
    assert quoted.text == "a\tb"


def test_broken_rows_are_named_and_the_others_go_on(read_all: ReadAll) -> None:
    items = read_all("a.csv", 'id,text\n1,a\n2,b,c\n3,"x"y\n4,d\n5,"open\n6,e\n')
    assert [item.text for item in items if isinstance(item, Document)] == ["a", "d"]
    assert [item.where for item in items if isinstance(item, Failure)] == ["a.csv:3", "a.csv:4", "a.csv:6"]
    assert "3 fields, the header 2" in str(items[1])


def test_long_fields(read_one: ReadOne) -> None:
    field = "word " * 200_000
    assert read_one("a.csv", f'id,text\n1,"{field}"\n').text == field


def test_odd_headers(read_one: ReadOne) -> None:
    document = read_one("a.csv", "text,,x,x\na,b,c,d\n")
    assert {key: document.metadata[key] for key in ("column_2", "x", "x_4")} == {
        "column_2": "b",
        "x": "c",
        "x_4": "d",
    }


def test_legacy_encoding_is_recorded(read_one: ReadOne) -> None:
    document = read_one("a.csv", "id,text\n1,Grüße aus Köln\n".encode("cp1252"))
    assert (document.text, document.metadata["encoding"]) == ("Grüße aus Köln", "cp1252")
