"""What holds for all formats: nothing raises, nothing is lost silently, lines are true."""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ragembed.read import READERS, Failure, ReadOptions, Report, read, read_files, walk
from ragembed.read.compose import OURS
from ragembed.types import Document

Items = list[Document | Failure]
ReadAll = Callable[..., Items]


def test_binary_unknown_and_empty_files_are_counted(tmp_path: Path) -> None:
    for name, data in {
        "a.dat": b"\0\1\2",
        "b.drawio": b"<mxfile/>",
        "c.msg": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        "d.txt": b" \n",
        "e.jsonl": b'{"id": "1", "text": ""}\n',
        "f.md": b"words",
        "g.png": b"\x89PNG",
    }.items():
        (tmp_path / name).write_bytes(data)
    report = Report()
    items = list(read_files(tmp_path, None, report))
    assert [item.id for item in items if isinstance(item, Document)] == [f"{tmp_path.name}/f.md"]
    assert len(items) == 1
    assert report.skipped == {
        "binary": 2,
        "unknown format .drawio": 1,
        "unknown format .msg": 1,
        "empty": 2,
        "empty row": 1,
    }


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("a.dat", b"\0\1", "file is binary and of no known format"),
        ("c.msg", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0", "file is binary and of no known format"),
        ("d.txt", b" \n", "file holds no text"),
        ("e.txt", b"", "file holds no text"),
        ("f.txt", b"x" * 2000, "file of 2,000 bytes is larger than the limit of 1,000"),
    ],
)
def test_named_files_are_never_left_out_silently(
    read_all: ReadAll, name: str, data: bytes, reason: str
) -> None:
    [failure] = read_all(name, data, max_bytes=1000)
    assert isinstance(failure, Failure)
    assert failure.reason.startswith(reason)


def test_a_named_file_of_unknown_format_is_read_as_text(read_all: ReadAll) -> None:
    [document] = read_all("plan.xyz", "words")
    assert isinstance(document, Document)
    assert (document.text, document.metadata["format"]) == ("words", "text")


def test_a_broken_file_does_not_stop_the_others(tmp_path: Path) -> None:
    (tmp_path / "a.docx").write_bytes(b"broken")
    (tmp_path / "b.md").write_text("words")
    failure, document = read_files(tmp_path)
    assert isinstance(failure, Failure)
    assert failure.where == f"{tmp_path.name}/a.docx"
    assert failure.reason.startswith("file is no valid DOCX (BadZipFile: File is not a zip file); ")
    assert isinstance(document, Document)


def test_a_file_that_vanishes_is_a_failure(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("words")
    [source] = walk(tmp_path).sources
    source.path.unlink()
    [failure] = read(source)
    assert isinstance(failure, Failure)
    assert failure.reason.startswith("file cannot be opened (No such file or directory)")


@pytest.mark.parametrize("name", ["a.txt", "a.md", "a.rst", "a.py"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_lines_of_text_formats_are_those_of_the_file(read_all: ReadAll, name: str, end: str) -> None:
    lines = ["", "Title", "=====", "", "one", "", "two"]
    [document] = read_all(name, end.join(lines))
    assert isinstance(document, Document)
    place = document.text.index("two")
    assert document.metadata["first_line"] + document.text.count("\n", 0, place) == 7


def test_code_has_its_language(read_all: ReadAll) -> None:
    [document] = read_all("a.py", "import x\n")
    assert isinstance(document, Document)
    assert dict(document.metadata) == {
        "path": "a.py",
        "format": "code",
        "first_line": 1,
        "language": "python",
    }


def test_a_missing_extra_is_a_failure_with_the_pip_line(
    read_all: ReadAll, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pypdfium2", None)
    [failure] = read_all("a.pdf", b"%PDF-1.4\n")
    assert isinstance(failure, Failure)
    assert "pip install" in failure.reason
    assert "ragembed[files]" in failure.reason


def test_reading_a_package_of_text_loads_no_parser(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("words")
    code = (
        "import sys; from ragembed.read import read_files; assert list(read_files(sys.argv[1]));"
        "print([m for m in ('markdown_it', 'selectolax', 'charset_normalizer', 'numpy') if m in sys.modules])"
    )
    found = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == "[]"


def test_every_reader_is_where_the_registry_says() -> None:
    import importlib

    for path in READERS.values():
        module, _, function = path.partition(":")
        assert callable(getattr(importlib.import_module(module), function))


def test_100_mb_of_text_in_linear_time(tmp_path: Path) -> None:
    (tmp_path / "small.txt").write_bytes(b"some words \xc3\xa9\n" * 700_000)
    (tmp_path / "large.txt").write_bytes(b"some words \xc3\xa9\n" * 7_000_000)
    seconds = {}
    for source in walk(tmp_path).sources:
        started = time.perf_counter()
        [document] = read(source)
        assert isinstance(document, Document)
        seconds[source.path.name] = time.perf_counter() - started
    assert seconds["large.txt"] < 5
    assert seconds["large.txt"] < 40 * seconds["small.txt"] + 0.5


@pytest.fixture(scope="module")
def broken(shared_data: Path) -> list[tuple[str, bytes]]:
    """Sound files of every container format, cut off and with bits turned over."""
    folder = shared_data / "docs_tree" / "haystack" / "test" / "test_files"
    names = ["docx/sample_docx.docx", "xlsx/multiple_tables.xlsx", "pptx/sample_pptx_with_link.pptx"]
    names += ["pdf/sample_pdf_3.pdf", "html/what_is_haystack.html", "json/json_conversion_testfile.json"]
    chance = random.Random(1)
    found = []
    for name in names:
        data = (folder / name).read_bytes()
        for number in range(8):
            damaged = bytearray(data)
            if number % 2:
                for _ in range(number * 3):
                    damaged[chance.randrange(len(damaged))] ^= 1 << chance.randrange(8)
            else:
                del damaged[chance.randrange(len(damaged)) :]
            found.append((Path(name).name, bytes(damaged)))
    return found


def test_damaged_files_give_failures_or_documents(read_all: ReadAll, broken: list[tuple[str, bytes]]) -> None:
    failures = 0
    for name, data in broken:
        for item in read_all(name, data):
            failures += isinstance(item, Failure)
            if isinstance(item, Failure):
                assert item.reason
                assert "\n" not in item.reason
    assert failures > len(broken) / 3


def test_the_documentation_tree(shared_data: Path) -> None:
    report = Report()
    started = time.perf_counter()
    items = list(read_files(shared_data / "docs_tree", ReadOptions(), report))
    assert time.perf_counter() - started < 15  # measured 2.2 s
    documents = [item for item in items if isinstance(item, Document)]
    assert len(documents) == 798
    assert [item.where for item in items if isinstance(item, Failure)] == [
        "docs_tree/haystack/test/test_files/pdf/non_text_searchable.pdf"
    ]
    assert report.skipped == {"unknown format .drawio": 2, "unknown format .msg": 1}
    assert len({document.id for document in documents}) == len(documents)
    for document in documents:
        json.dumps(dict(document.metadata), allow_nan=False)
        headings = document.metadata.get("headings", [])
        assert headings == sorted(headings, key=lambda heading: heading[0])
        assert all(0 <= start < len(document.text) and title for start, _, title in headings)


def test_the_docs_name_every_key_and_every_format(shared_data: Path) -> None:
    docs = Path(__file__).resolve().parents[2] / "docs"
    keys, formats = set(OURS), set(READERS)
    for item in read_files(shared_data / "docs_tree" / "haystack" / "test"):
        if isinstance(item, Document) and item.metadata["format"] not in ("csv", "markdown"):  # own fields
            keys.update(item.metadata)
    assert keys <= set(re.findall(r"`(\w+)`", (docs / "metadata.md").read_text(encoding="utf-8")))
    assert formats <= set(re.findall(r"`(\w+)`", (docs / "reading.md").read_text(encoding="utf-8")))


def test_markdown_lines_of_the_documentation_tree(shared_data: Path) -> None:
    """Each line of the text is a part of the line of the file that it says it is, but for tags taken out."""
    folder = shared_data / "docs_tree" / "llm"
    checked = 0
    for source in walk(folder, ReadOptions(include=("*.md",))).sources:
        for document in read(source):
            assert isinstance(document, Document)
            lines = source.path.read_text(encoding="utf-8").split("\n")
            first = document.metadata["first_line"]
            for number, line in enumerate(document.text.split("\n"), start=first):
                if "<" not in lines[number - 1] and line.strip():
                    assert line in lines[number - 1]
                    checked += 1
            for start, _, title in document.metadata.get("headings", []):
                line = lines[first - 1 + document.text.count("\n", 0, start)]
                assert title.split()[0].strip("`*") in line
    assert checked > 5000
