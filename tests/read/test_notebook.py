from __future__ import annotations

import json
from collections.abc import Callable

from ragembed.read import Failure
from ragembed.types import Document

NOTEBOOK = {
    "nbformat": 4,
    "metadata": {"language_info": {"name": "python"}},
    "cells": [
        {"cell_type": "markdown", "source": ["# Demo\n", "\n", "Some *words*.\n", "## Load"]},
        {
            "cell_type": "code",
            "source": "# not a heading\nx = 1",
            "outputs": [
                {"output_type": "stream", "text": ["line 1\n", "line 2\n"]},
                {"output_type": "execute_result", "data": {"text/plain": "1", "text/html": "<b>1</b>"}},
                {"output_type": "display_data", "data": {"image/png": "AAAA"}},
                {"output_type": "error", "ename": "KeyError", "evalue": "'a'", "traceback": ["long"]},
            ],
        },
        {"cell_type": "code", "source": "   ", "outputs": []},
        {"cell_type": "code", "source": "y", "outputs": [{"output_type": "stream", "text": "z" * 5000}]},
        {"cell_type": "markdown", "source": "\n\n### End"},
    ],
}


def test_cells(read_one: Callable[..., Document]) -> None:
    document = read_one("a.ipynb", json.dumps(NOTEBOOK))
    begin = (
        "# Demo\n\nSome *words*.\n## Load\n\n```python\n# not a heading\nx = 1\n```\n\n"
        "```text\nline 1\nline 2\n\n1\nKeyError: 'a'\n```\n\n```python\ny\n```\n\n```text\nzzz"
    )
    assert document.text.startswith(begin)
    assert document.text.endswith("zzz\n...\n```\n\n### End")
    assert document.text.count("z") == 2000
    assert [(level, title) for _, level, title in document.metadata["headings"]] == [
        (1, "Demo"),
        (2, "Load"),
        (3, "End"),
    ]
    for start, level, title in document.metadata["headings"]:
        assert document.text[start:].startswith("#" * level + " " + title)
    assert (document.metadata["title"], document.metadata["kernel"]) == ("Demo", "python")


def test_old_notebooks(read_one: Callable[..., Document]) -> None:
    cells = [
        {"cell_type": "heading", "level": 2, "source": "Old"},
        {"cell_type": "code", "input": ["print(1)"], "outputs": [{"output_type": "pyout", "text": "1"}]},
    ]
    document = read_one(
        "a.ipynb", json.dumps({"nbformat": 3, "metadata": {}, "worksheets": [{"cells": cells}]})
    )
    assert document.text == "## Old\n\n```python\nprint(1)\n```\n\n```text\n1\n```"


def test_broken_notebooks_are_failures(read_all: Callable[..., list[Document | Failure]]) -> None:
    for content in ("{", "[]", "{}", '{"cells": 5}', '{"cells": ["x"]}', '{"cells": [{"source": 5}]}'):
        [failure] = read_all("a.ipynb", content)
        assert isinstance(failure, Failure), content
        assert "\n" not in failure.reason
