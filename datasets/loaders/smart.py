"""The classic collections as Cornell's SMART system wrote them: Cranfield, CISI, MED, CACM.

A folder holds one file of each kind, in any case, plain or ``.gz``:

- documents, ``*.all`` or ``*.all.NUMBER``: records that begin with ``.I NUMBER`` and go on in fields, ``.T``
  title, ``.A`` author, ``.B`` source, ``.W`` text (others, such as ``.X`` cross references, are skipped);
- queries, ``*.qry`` or ``query.text``: the same records; the query is ``.W``, or ``.T`` where there is no
  ``.W``. Its id is its position in the file, from 1: cran.qry numbers its 225 queries up to 365, and cranqrel
  counts them;
- judgements, ``*.rel``, ``*qrel``, ``*qrels.text``, in three forms that the columns tell apart:

  - ``query 0 document gain``, MED.REL: four columns, the second always 0;
  - ``query document 0 0``, CISI.REL and CACM's qrels.text: four columns, the third always 0; the gain is 1;
  - ``query document code``, cranqrel: three columns. Codes 1 (a complete answer) to 4 (of minimum interest)
    and 5 (of none) are the gain ``5 - code``; -1, the document closest to the question, has the gain 4.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from ragembed.datasets.base import Format, Place
from ragembed.datasets.qrels import collect, whole_gain
from ragembed.errors import DatasetError
from ragembed.lines import fields, read_lines
from ragembed.types import Document, Qrels

_FILES = {
    "documents": re.compile(r".*\.all(\.\d+)?(\.gz)?", re.IGNORECASE),
    "queries": re.compile(r"(.*\.qry|query\.text)(\.gz)?", re.IGNORECASE),
    "judgements": re.compile(r".*(\.rel|qrels?)(\.te?xt)?(\.gz)?", re.IGNORECASE),
}
_RECORD = re.compile(r"\.I\s+(\d+)\s*")
_FIELD = re.compile(
    r"\.([A-Z])\s*"
)  # matches whole lines only: Cranfield's text has lines that begin with ". "
_CODES = {"1": 4, "2": 3, "3": 2, "4": 1, "5": 0, "-1": 4}


class Smart(Format):
    """Reads a folder of SMART files."""

    name = "SMART"
    layout = "NAME.ALL, NAME.QRY and NAME.REL (or cran.all.1400, cran.qry and cranqrel)"

    def recognises(self, folder: Path) -> bool:
        """True where there is a file of documents in the naming of SMART."""
        return bool(_matching(folder, "documents"))

    def splits(self, folder: Path) -> list[str]:
        """The classic collections have one set of judgements."""
        return ["test"] if _matching(folder, "judgements") else []

    def documents(self, folder: Path) -> Iterator[tuple[Place, Document]]:
        """The records; a document's text is ``(title + " " + text).strip()``, lines joined by spaces."""
        for place, number, record in _records(_need(folder, "documents")):
            keys = {"T": "title", "A": "author", "B": "source"}
            metadata = {name: record[key] for key, name in keys.items() if record.get(key)}
            yield place, Document(number, f"{record.get('T', '')} {record.get('W', '')}".strip(), metadata)

    def queries(self, folder: Path, split: str) -> Iterator[tuple[Place, str, str]]:
        """The records, counted from 1."""
        for position, (place, _, record) in enumerate(_records(_need(folder, "queries")), 1):
            yield place, str(position), record.get("W") or record.get("T", "")

    def qrels(self, folder: Path, split: str) -> Qrels:
        """The judgements in whichever of the three forms they are."""
        path = _need(folder, "judgements")
        rows = [(number, columns) for number, line in read_lines(path) if (columns := fields(line))]
        for number, columns in rows:
            if len(columns) != len(rows[0][1]) or not 3 <= len(columns) <= 4:
                raise DatasetError(f"{path} line {number}: {len(columns)} columns", f"columns are {_FORMS}")
        if not rows or len(rows[0][1]) == 3:
            return collect(path, ((n, (_plain(c[0]), _plain(c[1]), c[2])) for n, c in rows), _gain_of_code)
        if all(columns[1] == "0" for _, columns in rows):
            return collect(path, ((n, (_plain(c[0]), _plain(c[2]), c[3])) for n, c in rows), whole_gain)
        if all(columns[2] == "0" for _, columns in rows):
            return collect(path, ((n, (_plain(c[0]), _plain(c[1]), "1")) for n, c in rows), whole_gain)
        raise DatasetError(
            f"{path}: neither its second nor its third column is 0 throughout", f"columns are {_FORMS}"
        )


_FORMS = "'query 0 document gain', 'query document 0 0' or 'query document code'"


def _gain_of_code(code: str) -> int:
    if code not in _CODES:
        raise ValueError(f"code {code!r} is none of Cranfield's ({', '.join(_CODES)})")
    return _CODES[code]


def _plain(number: str) -> str:
    """Without leading zeros: CACM writes query 1 as 01."""
    return str(int(number)) if number.isdecimal() else number


def _records(path: Path) -> Iterator[tuple[Place, str, dict[str, str]]]:
    """Place, number and fields of each record."""
    place: Place | None = None
    number = ""
    parts: dict[str, list[str]] = {}
    lines: list[str] | None = None
    for at, line in read_lines(path):
        if start := _RECORD.fullmatch(line):
            if place is not None:
                yield place, number, _joined(parts)
            place, number, parts, lines = Place(path, at), _plain(start.group(1)), {}, None
        elif place is None:
            if line.strip():
                raise DatasetError(
                    f"{path} line {at} comes before any record", "begin each record with .I NUMBER"
                )
        elif field := _FIELD.fullmatch(line):
            lines = parts.setdefault(field.group(1), [])
        elif lines is not None:
            lines.append(line)
        elif line.strip():
            raise DatasetError(f"{path} line {at} is in no field", "begin a field with .T, .A, .B or .W")
    if place is not None:
        yield place, number, _joined(parts)


def _joined(parts: dict[str, list[str]]) -> dict[str, str]:
    return {key: " ".join(filter(None, map(str.strip, lines))) for key, lines in parts.items()}


def _matching(folder: Path, kind: str) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_file() and _FILES[kind].fullmatch(path.name))


def _need(folder: Path, kind: str) -> Path:
    found = _matching(folder, kind)
    if len(found) != 1:
        names = ", ".join(path.name for path in found) or "none"
        raise DatasetError(
            f"{folder} has {len(found)} files of {kind} ({names})", f"a SMART folder holds {Smart.layout}"
        )
    return found[0]
