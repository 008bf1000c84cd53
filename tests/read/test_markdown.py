from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragembed.read.markdown import clean
from ragembed.types import Document

ReadOne = Callable[..., Document]


def test_headings_are_those_of_markdown_and_not_of_code(read_one: ReadOne) -> None:
    text = (
        "# One `a` **b** [c](d) {#x}\n\n```sh\n# not one\n```\n\n    # nor this\n\n"
        "Two\n---\n\n> ### In a quote\n"
    )
    document = read_one("a.md", text)
    assert document.text == text
    assert [(level, title) for _, level, title in document.metadata["headings"]] == [
        (1, "One a b c"),
        (2, "Two"),
        (3, "In a quote"),
    ]
    starts = [start for start, _, _ in document.metadata["headings"]]
    assert [text[start : start + 5] for start in starts] == ["# One", "Two\n-", "> ###"]
    assert document.metadata["title"] == "One a b c"
    assert document.metadata["first_line"] == 1


def test_front_matter_becomes_metadata_and_lines_stay_true(read_one: ReadOne) -> None:
    source = "---\ntitle: Keys\ntags: [a, b]\npath: /x\n---\n\n## Rotate\nwords\n"
    document = read_one("a.md", source)
    assert document.text == "\n## Rotate\nwords\n"
    assert document.metadata["tags"] == ["a", "b"]
    assert document.metadata["path"] == "a.md"
    assert document.metadata["path_"] == "/x"
    first = document.metadata["first_line"]
    line = first + document.text.count("\n", 0, document.text.index("words"))
    assert source.split("\n")[line - 1] == "words"


def test_a_title_that_only_the_front_matter_has_is_the_first_heading(read_one: ReadOne) -> None:
    document = read_one("a.md", "---\ntitle: Keys\n---\n## Rotate\n")
    assert document.metadata["headings"] == [[0, 1, "Keys"], [0, 2, "Rotate"]]
    document = read_one("a.md", "---\ntitle: Keys\n---\n# All keys\n")
    assert document.metadata["headings"] == [[0, 1, "All keys"]]
    assert document.metadata["title"] == "Keys"


def test_a_title_needs_a_top_heading(read_one: ReadOne) -> None:
    assert "title" not in read_one("a.md", "words\n\n## Later\n").metadata
    assert read_one("a.md", "\n## At once\n").metadata["title"] == "At once"
    assert (
        read_one("a.md", "<h1 align=center>\n  <img alt='Logo'> Tool\n</h1>\n").metadata["title"]
        == "Logo Tool"
    )


def test_comments_and_tags_go_and_code_stays() -> None:
    text, _ = clean(
        "a <!-- x\ny --> b <b>c</b> `<b>` <br/>d <img src=x alt='A cat'>\n```\n<div>\n```\n<div\n  a=b>\n"
    )
    assert text == "a \n b c `<b>`  d  A cat \n```\n<div>\n```\n\n\n"
    assert clean("a < b, List<String>, <https://x.org>, <model>, `<!-- no` comment -->")[0].endswith(
        "comment -->"
    )
    assert clean("a <!-- never closed\nb")[0] == "a <!-- never closed\nb"
    assert clean("a <script>var x = '<b>';</script> b")[0] == "a  b"


def test_mdx(read_one: ReadOne) -> None:
    source = (
        "import Tabs from '@theme/Tabs'\nimport {\n  A,\n} from \"b\";\nexport const x = {\n  y: 1,\n}\n\n"
        "# Setup\n\n<Tabs>\n  <TabItem value=\"py\" label=\"Python\" style={{ a: 1 }}>\n\nUse it.\n\n"
        "```python\nimport os\nexport = '<Tabs>'\n```\n\n  </TabItem>\n</Tabs>\n{/* note */}\n<>end</>\n"
    )  # fmt: skip
    document = read_one("a.mdx", source)
    lines = document.text.split("\n")
    assert len(lines) == len(source.split("\n"))
    assert [(number, line.strip()) for number, line in enumerate(lines, 1) if line.strip()] == [
        (9, "# Setup"),
        (12, "Python"),
        (14, "Use it."),
        (16, "```python"),
        (17, "import os"),
        (18, "export = '<Tabs>'"),
        (19, "```"),
        (24, "end"),
    ]


def test_prose_that_begins_with_import_stays() -> None:
    assert clean("import the data from a file\n", jsx=True)[0] == "import the data from a file\n"


MARKS = [
    "# ",
    "<!--",
    "-->",
    "`",
    "```\n",
    "\n",
    "\r\n",
    "\r",
    "<b>",
    "<Tab alt='x\ny'>",
    "a ",
    "    ",
    "- ",
    "> ",
    "===",
]
HOSTILE = st.lists(
    st.sampled_from([*MARKS, "{/*", "*/}", "import 'x'\n", "<h1>", "</h1>", "é", "\u2028", "\x0c", "{#a}"])
)


@given(HOSTILE.map("".join), st.booleans())
def test_laws(text: str, jsx: bool) -> None:
    cleaned, headings = clean(text, jsx)
    for end in ("\n", "\r"):
        assert cleaned.count(end) == text.count(end)
    assert headings == sorted(headings)
    assert all(0 <= start <= len(cleaned) and 1 <= level <= 6 and title for start, level, title in headings)


@pytest.mark.parametrize("unit", ["`", "<!-- ", "<a ", '<a b="', "{/* ", "# h\n", "import {", "<h1>", "- "])
def test_hostile_text_is_no_trouble(unit: str, read_all: Callable[..., list[object]]) -> None:
    assert len(read_all("a.mdx", unit * 20_000)) == 1
