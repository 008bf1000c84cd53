from __future__ import annotations

import io
import zipfile

import pytest

from ragembed.read.detect import UNKNOWN, detect
from ragembed.read.names import BINARY, suffix


def archive(*names: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as target:
        for name in names:
            target.writestr(name, "x")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("name", "data", "expected"),
    [
        ("a.md", b"# x", "markdown"),
        ("A.MDX", b"# x", "markdown"),
        ("notes", b"plain words", "text"),
        ("app.log.1", b"plain words", "text"),
        ("data.txt", b"plain words", "text"),
        ("saved.txt", b"\n<!DOCTYPE HTML><p>x", "html"),
        ("saved", b"\xef\xbb\xbf<html><p>x", "html"),
        ("a.md", b"<!doctype html><p>x", "markdown"),
        ("page.htm", b"<p>x", "html"),
        ("paper", b"%PDF-1.7\n\0\0", "pdf"),
        ("paper.txt", b"\n%PDF-1.7\n", "pdf"),
        ("paper.pdf", b"<html>404</html>", "pdf"),
        ("about.md", b"A PDF begins with %PDF-1.7", "markdown"),
        ("mail.msg", b"\xd0\xcf\x11\xe0\n%PDF-1.7", UNKNOWN),
        ("a.docx", b"no zip", "docx"),
        ("renamed.bin", archive("word/document.xml"), "docx"),
        ("renamed.docx", archive("xl/workbook.xml"), "xlsx"),
        ("a", archive("ppt/presentation.xml"), "pptx"),
        ("a", archive("mimetype", "META-INF/container.xml"), "epub"),
        ("a.odt", archive("content.xml"), UNKNOWN),
        ("cut.pptx", archive("ppt/presentation.xml")[:40], "pptx"),
        ("old.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", UNKNOWN),
        ("mail.msg", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", UNKNOWN),
        ("plan.drawio", b"<mxfile>", UNKNOWN),
        ("picture.txt", b"\x89PNG\r\n\x1a\n\0\0", BINARY),
        ("packed.md", bytes(range(1, 32)) * 10, BINARY),
        ("ansi.log", b"\x1b[1mbold\x1b[0m words\n" * 9, "text"),
        ("utf16.txt", "words".encode("utf-16"), "text"),
        ("main.py", b"import x", "code"),
        ("Makefile", b"all:\n", "code"),
        ("run", b"#!/usr/bin/env -S python3\n", "code"),
        ("run", b"#!/bin/sh\n", "code"),
        ("CMakeLists.txt", b"project(x)", "code"),
        ("a.jsonl", b"{}", "jsonl"),
        ("a.json", b"{}", "json"),
        ("a.tsv", b"a\tb", "csv"),
        ("a.ipynb", b"{}", "notebook"),
    ],
)
def test_formats(name: str, data: bytes, expected: str) -> None:
    assert detect(name, data) == expected


def test_a_given_encoding_vouches_for_text() -> None:
    data = "words".encode("utf-16-le")
    assert detect("a.txt", data) == BINARY
    assert detect("a.txt", data, "utf-16-le") == "text"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("x/a.TXT", "txt"),
        ("a", ""),
        (".bashrc", ""),
        ("a.log.12", "log"),
        ("a.", ""),
        ("a.b.c", "c"),
        ("12", ""),
    ],
)
def test_suffix(name: str, expected: str) -> None:
    assert suffix(name) == expected
