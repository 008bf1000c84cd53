"""Tiny files to read, made on the spot."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from ragembed.read import Failure, ReadOptions, Source, read
from ragembed.types import Document

Items = list[Document | Failure]
ReadAll = Callable[..., Items]
ReadOne = Callable[..., Document]


@pytest.fixture
def read_all(tmp_path: Path) -> ReadAll:
    """``read_all(name, content, **options)``: everything that a file gives."""

    def call(name: str, content: str | bytes, *, named: bool = True, **options: object) -> Items:
        data = content if isinstance(content, bytes) else content.encode("utf-8")
        path = tmp_path / name
        path.write_bytes(data)
        source = Source(str(path), name, len(data), path.stat().st_mtime_ns, named)
        return list(read(source, ReadOptions(**options)))  # type: ignore[arg-type]

    return call


@pytest.fixture
def read_one(read_all: ReadAll) -> ReadOne:
    """``read_one(name, content, **options)``: the one document that a file gives."""

    def call(name: str, content: str | bytes, **options: object) -> Document:
        items = read_all(name, content, **options)
        assert len(items) == 1, items
        assert isinstance(items[0], Document), items[0]
        return items[0]

    return call


@pytest.fixture(scope="session")
def make_zip() -> Callable[[dict[str, str | bytes]], bytes]:
    """``make_zip({name: content})``: a deflated archive."""

    def call(members: dict[str, str | bytes]) -> bytes:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in members.items():
                archive.writestr(name, content)
        return buffer.getvalue()

    return call


@pytest.fixture(scope="session")
def make_pdf() -> Callable[..., bytes]:
    """``make_pdf([[line, ...], ...], outline=[(title, page)])``: a PDF of such pages."""

    def call(pages: list[list[str]], outline: tuple[tuple[str, int], ...] = (), title: str = "") -> bytes:
        first_page, first_mark = 5, 5 + 2 * len(pages)
        objects = {
            1: f"<< /Type /Catalog /Pages 2 0 R /Outlines {first_mark} 0 R >>",
            2: "<< /Type /Pages /Kids [{}] /Count {} >>".format(
                " ".join(f"{first_page + 2 * n} 0 R" for n in range(len(pages))), len(pages)
            ),
            3: "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
            4: f"<< /Title ({title}) /Author (Ada) /CreationDate (D:20240131120000Z) >>",
        }
        for number, lines in enumerate(pages):
            drawn = " ".join(f"({line}) Tj T*" for line in lines)
            stream = f"BT /F1 12 Tf 14 TL 50 700 Td {drawn} ET"
            page, content = first_page + 2 * number, first_page + 2 * number + 1
            objects[page] = (
                f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents {content} 0 R"
                " /Resources << /Font << /F1 3 0 R >> >> >>"
            )
            objects[content] = f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream"
        marks = [first_mark + 1 + n for n in range(len(outline))]
        ends = f" /First {marks[0]} 0 R /Last {marks[-1]} 0 R" if marks else ""
        objects[first_mark] = f"<< /Type /Outlines{ends} /Count {len(marks)} >>"
        for mark, (name, page) in zip(marks, outline, strict=True):
            following = f" /Next {mark + 1} 0 R" if mark != marks[-1] else ""
            objects[mark] = (
                f"<< /Title ({name}) /Parent {first_mark} 0 R{following}"
                f" /Dest [{first_page + 2 * page} 0 R /Fit] >>"
            )
        return _with_table(objects)

    return call


def _with_table(objects: dict[int, str]) -> bytes:
    out = bytearray(b"%PDF-1.4\n")
    places = {}
    for number, body in sorted(objects.items()):
        places[number] = len(out)
        out += f"{number} 0 obj\n{body}\nendobj\n".encode()
    start = len(out)
    out += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n".encode()
    for number in sorted(objects):
        out += f"{places[number]:010d} 00000 n \n".encode()
    out += (
        f"trailer << /Size {len(objects) + 1} /Root 1 0 R /Info 4 0 R >>\nstartxref\n{start}\n%%EOF".encode()
    )
    return bytes(out)
