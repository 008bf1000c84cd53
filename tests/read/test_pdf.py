from __future__ import annotations

import bisect
from collections.abc import Callable
from pathlib import Path

from ragembed.read import Failure
from ragembed.types import Document

Pdf = Callable[..., bytes]


def test_pages_outline_and_properties(make_pdf: Pdf, read_one: Callable[..., Document]) -> None:
    outline = (("Intro", 0), ("Rotating keys", 2), ("Elsewhere", 2))
    data = make_pdf(
        [["Intro", "first page"], [], ["Words", "Rotating", "keys", "last page"]], outline, title="Manual"
    )
    document = read_one("a.pdf", data)
    assert document.text == "Intro\nfirst page\n\nWords\nRotating\nkeys\nlast page"
    pages = document.metadata["pages"]
    assert bisect.bisect_right(pages, document.text.index("first")) == 1
    assert bisect.bisect_right(pages, document.text.index("last")) == 3
    assert [
        (document.text[start:][:8], level, title) for start, level, title in document.metadata["headings"]
    ] == [
        ("Intro\nfi", 1, "Intro"),
        ("Words\nRo", 1, "Elsewhere"),
        ("Rotating", 1, "Rotating keys"),
    ]
    assert (document.metadata["title"], document.metadata["authors"]) == ("Manual", ["Ada"])
    assert document.metadata["created"] == "2024-01-31T12:00:00"


def test_words_parted_at_line_ends_are_joined(make_pdf: Pdf, read_one: Callable[..., Document]) -> None:
    lines = [
        "An index helps retrie-",
        "val. Retrieval of well-",
        "known facts: well,",
        "known. A-",
        "1 and x-",
        "ray",
    ]
    text = read_one("a.pdf", make_pdf([lines])).text
    assert text == "An index helps retrieval. Retrieval of well-known facts: well,\nknown. A-1 and x-ray"


def test_no_text_is_a_failure_with_a_remedy(make_pdf: Pdf, read_all: Callable[..., list[Failure]]) -> None:
    [failure] = read_all("a.pdf", make_pdf([[], []]))
    assert failure.reason == (
        "PDF holds no text on its 2 pages (scanned images?); run OCR on it first, for example with ocrmypdf"
    )


def test_broken_pdf(make_pdf: Pdf, read_all: Callable[..., list[Failure]]) -> None:
    [failure] = read_all("a.pdf", make_pdf([["x"]])[:60])
    assert "no valid PDF" in failure.reason
    [failure] = read_all("b.pdf", "<html>not found</html>")
    assert "no valid PDF" in failure.reason


def test_encrypted_pdf(make_pdf: Pdf, read_all: Callable[..., list[Failure]]) -> None:
    # a standard security handler whose hashes fit no password
    data = make_pdf([["secret"]])
    lock = (
        f"/Encrypt << /Filter /Standard /V 1 /R 2 /P -4 /O <{'41' * 32}> /U <{'42' * 32}> >> /ID [<00><00>]"
    )
    [failure] = read_all("a.pdf", data.replace(b"/Root", f"{lock} /Root".encode()))
    assert failure.reason == "PDF is encrypted; save it without a password"


def test_real_pdfs(
    shared_data: Path, read_one: Callable[..., Document], read_all: Callable[..., list[Failure]]
) -> None:
    folder = shared_data / "docs_tree" / "haystack" / "test" / "test_files" / "pdf"
    paper = read_one("a.pdf", (folder / "react_paper.pdf").read_bytes())
    assert len(paper.metadata["pages"]) == 31
    assert "Consider the example of cooking" in paper.text  # "Con-" ends a line
    assert "chain-of-thought reasoning" in paper.text
    assert "\ufffe" not in paper.text
    place = {title: start for start, _, title in paper.metadata["headings"]}
    assert paper.text[place["3.2 Methods"] :].startswith("3.2 METHODS")
    empty = read_one("b.pdf", (folder / "sample_pdf_1.pdf").read_bytes())
    assert bisect.bisect_right(empty.metadata["pages"], empty.text.index("Page 4 of Sample")) == 4
    assert "scanned" in read_all("c.pdf", (folder / "non_text_searchable.pdf").read_bytes())[0].reason
