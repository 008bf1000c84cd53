"""TREC folders: SGML, TREC-web, JSON Lines and tab-separated documents; classic and tab-separated topics."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from ragembed.datasets import load
from ragembed.errors import DatasetError
from ragembed.types import Document

NEWS = """\
<DOC>
<DOCNO> FT911-1 </DOCNO>
<!-- PJG tag -->
<HEADLINE>Rates &amp; prices</HEADLINE>
<TEXT>
<P>Rates  rose.</P>
Profit &lt; loss.
</TEXT>
</DOC>
<doc><docno>FT911-2</docno><text>One line, 3 < 4.</text></doc>
"""
WEB = """\
<DOC>
<DOCNO>WTX-1</DOCNO>
<DOCHDR>
http://example.org/
Content-type: text/html
</DOCHDR>
<html><head><title>Home</title><script>var x;</script></head><body><p>Hello<b>world</b></p></body></html>
</DOC>
"""
TOPICS = """\
<top>

<num> Number: 301
<title> International Organized
Crime

<desc> Description:
Identify organizations.
</top>
<top>
<num>302</num><title>Polio &amp; Post-Polio</title>
</top>
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "ft.sgml").write_text(NEWS)
    (tmp_path / "docs" / "web.gz").write_bytes(gzip.compress(WEB.encode()))
    (tmp_path / "topics.txt").write_text(TOPICS)
    (tmp_path / "qrels.txt").write_text("301 0 FT911-1 1\n301 0 WTX-1 -2\n302 0 FT911-2 2\n")
    return tmp_path


def test_sgml_and_web_documents(folder: Path) -> None:
    assert list(load(folder).documents) == [
        Document("FT911-1", "Rates & prices Rates rose.\nProfit < loss.", {"title": "Rates & prices"}),
        Document("FT911-2", "One line, 3 < 4."),
        Document("WTX-1", "Home Hello world", {"title": "Home"}),
    ]


def test_classic_topics_and_judgements(folder: Path) -> None:
    dataset = load(folder)
    assert dataset.queries == {"301": "International Organized Crime", "302": "Polio & Post-Polio"}
    assert dataset.qrels == {"301": {"FT911-1": 1, "WTX-1": -2}, "302": {"FT911-2": 2}}


def test_rows_instead_of_sgml_and_topics_of_a_split(folder: Path) -> None:
    (folder / "docs" / "ft.sgml").unlink()
    (folder / "corpus.jsonl").write_text('{"id": "FT911-1", "contents": "Rates rose."}\n')
    (folder / "collection.tsv").write_text("FT911-2\tOne\tline.\n")
    (folder / "topics.txt").unlink()
    (folder / "topics.test.txt").write_text("301\torganized crime\n302\tpolio\n")
    (folder / "topics.dev.tsv").write_text("7\tother\n")
    dataset = load(folder)
    texts = {document.id: document.text for document in dataset.documents}
    assert texts == {"FT911-1": "Rates rose.", "FT911-2": "One\tline.", "WTX-1": "Home Hello world"}
    assert dataset.queries == {"301": "organized crime", "302": "polio"}


def test_splits_come_from_the_names_of_the_judgements(folder: Path) -> None:
    (folder / "qrels.txt").rename(folder / "qrels.robust04.txt")
    assert load(folder, "robust04").split == "robust04"
    with pytest.raises(DatasetError, match="no judgements for the split 'test'; there are: robust04"):
        load(folder)


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("docs/ft.sgml", "<DOC>\n<DOCNO>a</DOCNO>\n", r"ft.sgml line 1: no </DOC> to the end of the file"),
        ("docs/ft.sgml", "<DOC>\n<DOC>\n", r"ft.sgml line 1: no </DOC> before line 2"),
        ("docs/ft.sgml", "\n<DOC>\nx\n</DOC>\n", r"ft.sgml line 2: the document has no <DOCNO>"),
        ("docs/ft.sgml", NEWS + NEWS, r"'FT911-1' stands in .*line 1 and again in line 11"),
        ("topics.txt", "<top>\n<title> x\n</top>\n", r"topics.txt line 1: the topic has no <num>"),
        ("topics.txt", "<top>\n<num> 301\n</top>\n", r"topics.txt line 1: query '301' has no text"),
        ("topics.txt", "301 no tab\n", r"topics.txt line 1 has no id and tab"),
        ("qrels.txt", "301 0 FT911-1\n", r"qrels.txt line 1: 3 columns where 4 columns are expected"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(folder: Path, file: str, text: str, message: str) -> None:
    (folder / file).write_text(text)
    with pytest.raises(DatasetError, match=message):
        load(folder)


def test_the_same_id_in_two_files_names_both(folder: Path) -> None:
    (folder / "docs" / "zz.sgml").write_text(NEWS)
    with pytest.raises(DatasetError, match=r"ft.sgml line 1 and again in .*zz.sgml line 1"):
        load(folder)


def test_two_files_that_could_be_the_topics(folder: Path) -> None:
    (folder / "queries.tsv").write_text("301\tcrime\n")
    with pytest.raises(DatasetError, match=r"queries.tsv, topics.txt could all be the topics of test"):
        load(folder)
