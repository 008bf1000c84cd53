from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragembed.read.frontmatter import split


def fields(yaml: str) -> dict[str, object]:
    return split(f"---\n{yaml}\n---\n")[0]


@pytest.mark.parametrize(
    ("yaml", "expected"),
    [
        ("title: Keys: how to rotate", {"title": "Keys: how to rotate"}),
        ("title: 'it''s'", {"title": "it's"}),
        (r'title: "a \"b\" # c"', {"title": 'a "b" # c'}),
        ("title: plain # comment", {"title": "plain"}),
        ("tags: [a, 'b, c', \"d\"]", {"tags": ["a", "b, c", "d"]}),
        ("tags:\n  - a\n  - 'b'", {"tags": ["a", "b"]}),
        ("tags:\n- a\n- 2", {"tags": ["a", 2]}),
        ("draft: true\nweight: 3\nversion: 1.10\nzip: 007\nshare: 0.5", {
            "draft": True, "weight": 3, "version": "1.10", "zip": "007", "share": 0.5}),
        ("text: >\n  one\n  two", {"text": "one two"}),
        ("text: |\n  one\n  two", {"text": "one\ntwo"}),
        ("text: one\n  two", {"text": "one two"}),
        ("empty:\nnull_too: null\nlist: []", {}),
        ("nested:\n  a: b\nafter: x", {"after": "x"}),
        ("# comment\n\na: b", {"a": "b"}),
        ("date: 2024-01-31", {"date": "2024-01-31"}),
        ('"quoted key": x', {}),
    ],
)  # fmt: skip
def test_yaml(yaml: str, expected: dict[str, object]) -> None:
    assert fields(yaml) == expected


def test_toml() -> None:
    text = '+++\ntitle = "x"\ntags = ["a"]\n[params]\na = 1\n+++\nbody'
    assert split(text) == ({"title": "x", "tags": ["a"]}, text.index("body"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "body",
        "---\nno fields here\n---\nbody",
        "---\na: b\nnever closed",
        "----\na: b\n----\n",
        "+++\nbroken =\n+++\n",
    ],
)
def test_what_is_none_stays_text(text: str) -> None:
    assert split(text) == ({}, 0)


def test_the_rest_begins_after_the_closing_line() -> None:
    text = "---\r\ntitle: x\r\n---\r\nbody"
    assert text[split(text)[1] :] == "body"


@given(st.text(alphabet="-: \n#'\"[]ab>|", max_size=60))
def test_any_text_gives_metadata_that_can_be_stored(text: str) -> None:
    found, start = split("---\n" + text)
    json.dumps(found)
    assert 0 <= start <= len(text) + 4
