"""DOCX, PPTX and XLSX, written with the libraries that read them."""

from __future__ import annotations

import datetime
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import docx
import openpyxl
import pptx
import pytest
from docx.oxml import parse_xml
from docx.oxml.ns import nsdecls

from ragembed.types import Document

ReadOne = Callable[..., Document]


def saved(office: Any) -> bytes:
    buffer = io.BytesIO()
    office.save(buffer)
    return buffer.getvalue()


def test_docx_in_the_order_of_the_document(read_one: ReadOne) -> None:
    file = docx.Document()
    file.add_heading("Manual", 0)
    file.add_heading("Keys", 1)
    file.add_paragraph("Rotate them.\tOften. The \ufb01rst is")
    table = file.add_table(2, 2)
    for place, text in enumerate(["Name", "Age", "k1", "2\ndays"]):
        table.cell(place // 2, place % 2).text = text
    file.add_paragraph("one", style="List Bullet")
    file.add_paragraph("two", style="List Bullet")
    file.add_heading("Deeper", 2)
    file.add_paragraph("End")
    file.core_properties.author = "Ada"
    file.core_properties.created = datetime.datetime(2024, 1, 31, 12)
    document = read_one("a.docx", saved(file))
    assert document.text == (
        "Manual\n\nKeys\n\nRotate them.\tOften. The first is\n\nName | Age\nk1 | 2 days\n\n"
        "- one\n- two\n\nDeeper\n\nEnd"
    )
    assert [
        (document.text[start:].partition("\n")[0], level) for start, level, _ in document.metadata["headings"]
    ] == [
        ("Manual", 1),
        ("Keys", 1),
        ("Deeper", 2),
    ]
    assert (document.metadata["title"], document.metadata["authors"]) == ("Manual", ["Ada"])
    assert document.metadata["created"].startswith("2024-01-31T12:00:00")


RUN = "<w:r><w:t>{}</w:t></w:r>"
CONTENTS = '<w:sdtPr><w:docPartObj><w:docPartGallery w:val="Table of Contents"/></w:docPartObj></w:sdtPr>'
CELL = "<w:tc><w:p>{}</w:p></w:tc>"


@pytest.mark.parametrize(
    ("xml", "expected"),
    [
        (f"<w:p {{w}}>{RUN.format('see')}<w:hyperlink>{RUN.format(' link')}</w:hyperlink></w:p>", "see link"),
        (f"<w:p {{w}}><w:ins>{RUN.format('new')}</w:ins><w:del>{RUN.format('old')}</w:del></w:p>", "new"),
        (f"<w:sdt {{w}}><w:sdtContent><w:p>{RUN.format('control')}</w:p></w:sdtContent></w:sdt>", "control"),
        (f"<w:sdt {{w}}>{CONTENTS}<w:sdtContent><w:p>{RUN.format('x')}</w:p></w:sdtContent></w:sdt>", ""),
        (f"<w:p {{w}}><w:pPr><w:numPr/></w:pPr>{RUN.format('item')}</w:p>", "- item"),
        ("<w:p {w}><w:r><w:t>a</w:t><w:br/><w:t>b</w:t><w:noBreakHyphen/></w:r></w:p>", "a\nb-"),
        (
            f"<w:tbl {{w}}><w:tr><w:tc><w:p/><w:tbl><w:tr>{CELL.format(RUN.format('in'))}</w:tr></w:tbl>"
            f"</w:tc>{CELL.format(RUN.format('out'))}</w:tr></w:tbl>",
            "in | out",
        ),
    ],
)
def test_docx_parts_that_are_easily_lost(read_one: ReadOne, xml: str, expected: str) -> None:
    file = docx.Document()
    file.add_paragraph("before")
    file.element.body.insert(1, parse_xml(xml.replace("{w}", nsdecls("w"))))
    assert read_one("a.docx", saved(file)).text == "\n\n".join(filter(None, ["before", expected]))


def test_pptx(read_one: ReadOne) -> None:
    file = pptx.Presentation()
    first = file.slides.add_slide(file.slide_layouts[1])
    first.shapes.title.text = "Keys"
    first.placeholders[1].text = "one\ntwo\vthree"
    first.notes_slide.notes_text_frame.text = "say hello"
    second = file.slides.add_slide(file.slide_layouts[6])
    table = second.shapes.add_table(1, 2, 0, 0, 100, 100).table
    table.cell(0, 0).text, table.cell(0, 1).text = "a", "b"
    group = second.shapes.add_group_shape()
    group.shapes.add_textbox(0, 0, 10, 10).text_frame.text = "grouped"
    document = read_one("a.pptx", saved(file))
    assert document.text == "Keys\n\none\ntwo\nthree\n\nsay hello\n\na | b\n\ngrouped"
    assert document.metadata["pages"] == [0, document.text.index("a | b")]
    assert document.metadata["headings"] == [[0, 1, "Keys"]]
    assert document.metadata["title"] == "Keys"  # not "PowerPoint Presentation", which the program writes


def test_xlsx(read_one: ReadOne) -> None:
    file = openpyxl.Workbook()
    sheet = file.active
    sheet.title = "Prices"
    for row in (
        ["item", None, "price"],
        [],
        ["tea", None, 2.5],
        ["two\nlines", True, 3.0],
        [None, "x", None],
    ):
        sheet.append(row)
    sheet["A7"] = datetime.datetime(2024, 1, 31)
    file.create_sheet("Empty")
    file.create_sheet("More")["B2"] = "far"
    document = read_one("a.xlsx", saved(file))
    assert (
        document.text
        == "Prices\n\nitem |  | price\ntea |  | 2.5\ntwo lines | True | 3\nx\n2024-01-31\n\nMore\n\nfar"
    )
    more = document.text.index("More")
    assert document.metadata["pages"] == [0, more, more]
    assert document.metadata["headings"] == [[0, 1, "Prices"], [more, 1, "More"]]


def test_xlsx_metadata_does_not_change_between_readings(read_one: ReadOne, shared_data: Path) -> None:
    data = (shared_data / "docs_tree/haystack/test/test_files/xlsx/multiple_tables.xlsx").read_bytes()
    assert read_one("a.xlsx", data).metadata == read_one("a.xlsx", data).metadata


def test_xlsx_that_spans_too_many_empty_cells(read_all: Callable[..., list[Any]]) -> None:
    file = openpyxl.Workbook()
    for row in range(1, 40):
        file.active.cell(row, 16_000).value = "x"
    [failure] = read_all("a.xlsx", saved(file), max_expanded=25_000_000)
    assert failure.reason.startswith("workbook spans more than 500,000 cells, most of them empty")


def test_real_office_files(shared_data: Path, read_one: ReadOne) -> None:
    folder = shared_data / "docs_tree" / "haystack" / "test" / "test_files"
    table = read_one("a.docx", (folder / "docx" / "sample_docx_3.docx").read_bytes())
    assert "\nHealthcare | Predictive diagnostics | Improved patient outcomes\n" in table.text
    slides = read_one("a.pptx", (folder / "pptx" / "sample_pptx.pptx").read_bytes())
    assert [title for _, _, title in slides.metadata["headings"]] == [
        "Sample Title Slide",
        "Title of First Slide",
    ]
    sheets = read_one("a.xlsx", (folder / "xlsx" / "basic_tables_two_sheets.xlsx").read_bytes())
    assert sheets.text.startswith("Basic Table\n\ncol_a | col_b\n1.5 | test")
