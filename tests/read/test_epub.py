from __future__ import annotations

from collections.abc import Callable

import pytest

from ragembed.read import Failure
from ragembed.types import Document

MakeZip = Callable[[dict[str, str | bytes]], bytes]
XHTML = "application/xhtml+xml"
MEMBERS: dict[str, str | bytes] = {
    "mimetype": "application/epub+zip",
    "META-INF/container.xml": (
        '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
        '<rootfile full-path="OEBPS/book.opf"/></rootfiles></container>'
    ),
    "OEBPS/book.opf": f"""<?xml version="1.0"?><package xmlns="http://www.idpf.org/2007/opf">
        <metadata xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>The Book</dc:title>
        <dc:creator>Ada</dc:creator><dc:creator>Bob</dc:creator><dc:language>en</dc:language></metadata>
        <manifest><item id="n" href="nav.xhtml" media-type="{XHTML}" properties="nav"/>
        <item id="two" href="text/ch%202.xhtml" media-type="{XHTML}"/>
        <item id="one" href="text/ch1.xhtml" media-type="{XHTML}"/>
        <item id="p" href="cover.png" media-type="image/png"/></manifest>
        <spine><itemref idref="p"/><itemref idref="n"/><itemref idref="one"/><itemref idref="two"/></spine>
        </package>""",
    "OEBPS/nav.xhtml": "<html><body><nav>Contents</nav></body></html>",
    "OEBPS/text/ch1.xhtml": (
        "<?xml version='1.0'?><html><head><title/></head><body><h1>One</h1><p>first<a id='x'/></p></body>"
    ),
    "OEBPS/text/ch 2.xhtml": (
        "<html><head><title>Two</title></head><body><p>second</p><h2>Sub</h2></body></html>"
    ),
}


def test_chapters_in_reading_order(make_zip: MakeZip, read_one: Callable[..., Document]) -> None:
    document = read_one("a.epub", make_zip(MEMBERS))
    assert document.text == "One\n\nfirst\n\nsecond\n\nSub"
    assert document.metadata["headings"] == [[0, 1, "One"], [document.text.index("Sub"), 2, "Sub"]]
    assert document.metadata["title"] == "The Book"
    assert document.metadata["authors"] == ["Ada", "Bob"]
    assert document.metadata["lang"] == "en"


def test_a_chapter_without_headings_has_its_title(
    make_zip: MakeZip, read_one: Callable[..., Document]
) -> None:
    chapter = "<html><head><title>Two</title></head><body><p>second</p></body></html>"
    document = read_one("a.epub", make_zip({**MEMBERS, "OEBPS/text/ch 2.xhtml": chapter}))
    assert document.metadata["headings"][1] == [document.text.index("second"), 1, "Two"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"META-INF/container.xml": "<container/>"}, "does not say where its contents are"),
        ({"META-INF/container.xml": "<broken"}, "no valid EPUB (ParseError"),
        ({"OEBPS/text/ch1.xhtml": bytes(range(256)) * 9}, "OEBPS/text/ch1.xhtml is encrypted"),
        (
            {"OEBPS/book.opf": '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><package>&b;</package>'},
            "EntitiesForbidden",
        ),
    ],
)
def test_broken_books(
    make_zip: MakeZip, read_all: Callable[..., list[Failure]], change: dict[str, str | bytes], reason: str
) -> None:
    [failure] = read_all("a.epub", make_zip({**MEMBERS, **change}))
    assert reason in failure.reason
    members = {name: content for name, content in MEMBERS.items() if name != "OEBPS/text/ch1.xhtml"}
    assert "lacks its part OEBPS/text/ch1.xhtml" in read_all("b.epub", make_zip(members))[0].reason
