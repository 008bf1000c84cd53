"""SMART files, written in the style of Cranfield, CISI, MED and CACM."""

from __future__ import annotations

from pathlib import Path

import pytest

from ragembed.datasets import load
from ragembed.errors import DatasetError
from ragembed.types import Document

DOCUMENTS = """\
.I 1
.T
on the flow past
a wing .
.A
lee,j.
.B
j. ae. scs. 7, 1940.
.W
. a wing sheds
vortices .
.I 2
.T

.W
shock waves .
.X
1	5	2
2	5	2
"""
QUERIES = ".I 001\n.W\nwhat does a wing\nshed .\n.I 004\n.T\nshock waves\n"


def collection(
    folder: Path, documents: str, queries: str, judgements: str, names: tuple[str, str, str]
) -> Path:
    for name, text in zip(names, (documents, queries, judgements), strict=True):
        (folder / name).write_text(text)
    return folder


CRANFIELD = ("cran.all.1400", "cran.qry", "cranqrel")


def test_cranfield_fields_positions_and_codes(tmp_path: Path) -> None:
    dataset = load(collection(tmp_path, DOCUMENTS, QUERIES, "1 1 2\n1 2 -1 \n2 2  3\n2 1 5\n", CRANFIELD))
    assert list(dataset.documents) == [
        Document(
            "1",
            "on the flow past a wing . . a wing sheds vortices .",
            {"title": "on the flow past a wing .", "author": "lee,j.", "source": "j. ae. scs. 7, 1940."},
        ),
        Document("2", "shock waves ."),
    ]
    assert dataset.queries == {"1": "what does a wing shed .", "2": "shock waves"}  # not 001 and 004
    assert dataset.qrels == {"1": {"1": 3, "2": 4}, "2": {"2": 2, "1": 0}}


@pytest.mark.parametrize(
    ("names", "judgements"),
    [
        (("CISI.ALL", "CISI.QRY", "CISI.REL"), "     1      2\t0\t0.000000\n     2      1\t0\t0.000000\n"),
        (("MED.ALL", "MED.QRY", "MED.REL"), "1 0 2 1\n2 0 1 1\n"),
        (("cacm.all", "query.text", "qrels.text"), "01 0002  0 0\n02 0001  0 0\n"),
    ],
)
def test_judgements_in_four_columns(tmp_path: Path, names: tuple[str, str, str], judgements: str) -> None:
    dataset = load(collection(tmp_path, DOCUMENTS, QUERIES, judgements, names))
    assert dataset.qrels == {"1": {"2": 1}, "2": {"1": 1}}


@pytest.mark.parametrize(
    ("documents", "judgements", "message"),
    [
        (DOCUMENTS, "1 1 9\n", r"cranqrel line 1: code '9' is none of Cranfield's"),
        (DOCUMENTS, "1 1 2\n1 2\n", r"cranqrel line 2: 2 columns; columns are"),
        (DOCUMENTS, "1 7 2 1\n2 0 1 1\n", r"neither its second nor its third column is 0 throughout"),
        (DOCUMENTS, "", r"cranqrel holds no judgement"),
        (DOCUMENTS, "1 1 2\n1 77 1\n", r"1 unknown document \('77'\)"),
        ("stray\n" + DOCUMENTS, "1 1 2\n", r"cran.all.1400 line 1 comes before any record"),
        (".I 1\nstray\n", "1 1 2\n", r"cran.all.1400 line 2 is in no field"),
        (DOCUMENTS + ".I 1\n.W\nagain\n", "1 1 2\n", r"'1' stands in .*line 1 and again in line 20"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(
    tmp_path: Path, documents: str, judgements: str, message: str
) -> None:
    with pytest.raises(DatasetError, match=message):
        load(collection(tmp_path, documents, QUERIES, judgements, CRANFIELD))


def test_missing_and_ambiguous_files(tmp_path: Path) -> None:
    collection(tmp_path, DOCUMENTS, QUERIES, "1 1 2\n", CRANFIELD)
    (tmp_path / "other.qry").write_text(QUERIES)
    with pytest.raises(DatasetError, match=r"2 files of queries \(cran.qry, other.qry\)"):
        load(tmp_path)
    (tmp_path / "cranqrel").unlink()
    with pytest.raises(DatasetError, match=r"no judgements for the split 'test'; SMART wants"):
        load(tmp_path)
