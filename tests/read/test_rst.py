from __future__ import annotations

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from ragembed.read.rst import find_headings
from ragembed.types import Document

TEXT = """
=========
The Title
=========

.. a comment stays

One :class:`~a.B` and ``x``
===========================

words
over two lines
---

Deeper
------

::

    Not a title
    -----------

=====  =====
Table  Head
=====  =====

----

`Link <x.html>`_
================
"""


def test_titles_by_their_adornment() -> None:
    headings = find_headings(TEXT)
    assert [(level, title) for _, level, title in headings] == [
        (1, "The Title"),
        (2, "One a.B and x"),
        (3, "Deeper"),
        (2, "Link"),
    ]
    assert [TEXT[start:].partition("\n")[0] for start, _, _ in headings] == [
        "=========",
        "One :class:`~a.B` and ``x``",
        "Deeper",
        "`Link <x.html>`_",
    ]


def test_the_text_is_the_file(read_one: Callable[..., Document]) -> None:
    document = read_one("a.rst", TEXT)
    assert document.text == TEXT
    assert (document.metadata["title"], document.metadata["first_line"]) == ("The Title", 1)


def test_windows_line_ends() -> None:
    headings = find_headings("A\r\n=\r\n\r\nBee\r\n---\r\n")
    assert headings == [[0, 1, "A"], [8, 2, "Bee"]]


@given(st.text(alphabet="=-~a \n\t*`", max_size=80))
def test_headings_lie_in_order_and_begin_lines(text: str) -> None:
    headings = find_headings(text)
    assert headings == sorted(headings)
    assert all(start == 0 or text[start - 1] == "\n" for start, _, _ in headings)
