"""Bytes to text: which encoding, and what could not be decoded."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from typing import Any

from ragembed.errors import ReadError

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark begins the same
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_SAMPLE = 1 << 20
"""Bytes that are looked at when guessing, so that large files stay linear."""
_FEW = 32
"""With fewer bytes above ASCII than this, statistics guess at random."""
_LATIN = (
    "cp1250", "cp1252", "cp1254", "cp1257", "cp437", "cp85", "hp_roman", "iso8859_1", "iso8859_2",
    "iso8859_3", "iso8859_4", "iso8859_9", "latin", "mac_iceland", "mac_latin2", "mac_roman", "mac_turkish",
)  # fmt: skip
"""Beginnings of the names of code pages that statistics take for each other in western languages."""
_ASCII = bytes(range(128))
_UNWESTERN = re.compile(r"[^\W\d_][\xa1-\xa9\xab-\xb6\xb8\xb9\xbc-\xbf\xd7\xf7][^\W\d_]|[þðýÞÐÝ]")
"""Signs within words, and letters, that other code pages leave when read as Windows-1252."""
_NEVER_TOGETHER = ((set("øšžŠŽ"), set("ìùèò")), (set("õ"), set("û")))
"""Letters that no western language has both of; Czech, Slovene and Hungarian text seem to."""
_REPLACEMENT = "\ufffd"


@dataclass(frozen=True, slots=True)
class Decoded:
    """A file's text, without byte order mark."""

    text: str
    encoding: str
    errors: int
    """How many times U+FFFD stands for what could not be decoded."""

    @property
    def metadata(self) -> dict[str, Any]:
        """What is worth recording: nothing for clean UTF-8."""
        found: dict[str, Any] = {} if self.encoding == "utf-8" else {"encoding": self.encoding}
        if self.errors:
            found["decoding_errors"] = self.errors
        return found


def mark_of(data: bytes) -> str | None:
    """The encoding that a byte order mark at the start of `data` names."""
    return next((name for mark, name in _MARKS if data.startswith(mark)), None)


def decode(data: bytes, given: str | None = None, declared: str | None = None) -> Decoded:
    r"""Decode a file: as `given`, else by byte order mark, UTF-8, what the file declares, a guess.

    A file in a given encoding must be valid in it (`ReadError`); one that is UTF-8 but for some broken
    bytes keeps its encoding and shows them as U+FFFD. Line ends stay as they are, but ``\r`` alone becomes
    ``\n``.
    """
    decoded = _given(data, given) if given else _detected(data, declared)
    text, errors = decoded.text, decoded.errors
    if "\0" in text:
        errors += text.count("\0")
        text = text.replace("\0", _REPLACEMENT)
    if "\r" in text and "\n" not in text:
        text = text.replace("\r", "\n")
    return Decoded(text.removeprefix("\ufeff"), decoded.encoding, errors)


def _given(data: bytes, encoding: str) -> Decoded:
    try:
        return Decoded(data.decode(encoding), codecs.lookup(encoding).name, 0)
    except UnicodeError as error:
        at = getattr(error, "start", 0)
        fault = f"text is not valid {encoding} at byte {at + 1:,}"
        raise ReadError(fault, "give its true encoding, or none to have it detected") from error


def _detected(data: bytes, declared: str | None) -> Decoded:
    mark = mark_of(data)
    if mark is not None:
        return _replacing(data, mark)
    if declared is not None and _is_escaped(declared) and (found := _try(data, declared)):
        return found
    found = _try(data, "utf-8")
    if found is not None:
        return found
    lenient = _replacing(data, "utf-8")
    good = len(lenient.text) - len(lenient.text.encode("ascii", "ignore")) - lenient.text.count(_REPLACEMENT)
    if good >= lenient.errors:
        return lenient
    if declared is not None and (found := _try(data, declared)):
        return found
    return _guessed(data)


def _guessed(data: bytes) -> Decoded:
    western = _try(data, "cp1252")
    if western and not _looks_western(western.text[:_SAMPLE]):
        western = None
    if western and len(data.translate(None, _ASCII)) < _FEW:
        return western
    from charset_normalizer import from_bytes  # slow to import, and rarely needed

    # two bytes a character without a mark show in line ends and spaces: half of each is a NUL
    wide = () if b"\0" in data else ("utf_16", "utf_16_be", "utf_16_le", "utf_32", "utf_32_be", "utf_32_le")
    best = from_bytes(data[:_SAMPLE], cp_exclusion=list(wide)).best()
    if western and (best is None or best.encoding.startswith(_LATIN)):
        return western
    if best is not None and (found := _try(data, best.encoding)):
        return found
    # Latin-1 as browsers read it: what it leaves undefined becomes U+FFFD, no invisible control characters
    return _replacing(data, "cp1252" if best is None else best.encoding)


def _looks_western(text: str) -> bool:
    """Whether text decoded as Windows-1252 reads like a language that is written in it."""
    high = [character for character in text if character > "\x7f"]
    letters = set(high)
    if sum(map(str.isalpha, high)) * 2 > sum(map(str.isalpha, text)) or _UNWESTERN.search(text):
        return False
    return not any(letters & some and letters & others for some, others in _NEVER_TOGETHER)


def _try(data: bytes, encoding: str) -> Decoded | None:
    try:
        return Decoded(data.decode(encoding), codecs.lookup(encoding).name, 0)
    except (UnicodeError, LookupError):
        return None


def _replacing(data: bytes, encoding: str) -> Decoded:
    text = data.decode(encoding, errors="replace")
    genuine = len(_REPLACEMENT.encode(encoding, "ignore")) and data.count(_REPLACEMENT.encode("utf-8"))
    return Decoded(text, codecs.lookup(encoding).name, max(0, text.count(_REPLACEMENT) - genuine))


def _is_escaped(encoding: str) -> bool:
    """Whether text in this encoding is also valid ASCII, so that UTF-8 would take it."""
    return encoding.lower().replace("_", "-").startswith(("iso-2022", "iso2022", "utf-7", "hz"))
