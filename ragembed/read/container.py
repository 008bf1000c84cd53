"""Zip containers (DOCX, PPTX, XLSX, EPUB), opened only after it is certain what they unpack to."""

from __future__ import annotations

import io
import zipfile

from ragembed.errors import LimitError, ReadError
from ragembed.read.base import ReadOptions

MAX_MEMBERS = 50_000
"""More files in one container are no document; each costs memory even when it is empty."""
MAX_RATIO = 250
"""Most that a container may grow by when it unpacks to more than `_SMALL`; office files stay below 100."""
MAX_XML = 32_000_000
"""Largest XML part of a format whose parser builds a tree, which takes about 16 times the memory."""
_READ_AS_TREES = ("docx", "pptx")
_SMALL = 50_000_000
_DEFLATE_MOST = 1032
"""No deflate stream grows by more (zlib's technical notes)."""
_ENTRY = b"PK\x01\x02"
_PIECE = 1 << 18
_MEMBER_ERRORS = (zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError, ValueError, OSError)


def open_container(data: bytes, format_name: str, options: ReadOptions) -> zipfile.ZipFile:
    """The zip archive in `data`, known to unpack to no more than `options.max_expanded` bytes.

    Sizes in zip headers can lie, so where a lie could hurt, everything is unpacked once piece by piece and
    counted. Raises `LimitError` for what is too large and `ReadError` for what is broken or encrypted.
    """
    if data.startswith(b"\xd0\xcf\x11\xe0"):
        raise ReadError(
            f"file is no {format_name.upper()} but an old or encrypted Office file",
            "save it without a password in the new format",
        )
    members = data.count(_ENTRY)
    if members > MAX_MEMBERS:
        fault = f"container holds {members:,} files, more than {MAX_MEMBERS:,}"
        raise LimitError(fault, "unpack it, or exclude it")
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except _MEMBER_ERRORS as error:
        raise broken(format_name, error) from error
    _check_sizes(archive, data, options)
    if format_name in _READ_AS_TREES:
        largest = max(archive.infolist(), key=lambda info: info.filename.endswith(".xml") * info.file_size)
        if largest.filename.endswith(".xml") and largest.file_size > MAX_XML:
            raise LimitError(
                f"part {largest.filename} unpacks to {largest.file_size:,} bytes of XML, the limit is {MAX_XML:,}",
                "split the document, or exclude it",
            )
    return archive


def read_member(archive: zipfile.ZipFile, name: str, format_name: str) -> bytes:
    """One file of a container."""
    try:
        return archive.read(name)
    except KeyError as error:
        raise ReadError(f"{format_name.upper()} lacks its part {name}", "export it again") from error
    except _MEMBER_ERRORS as error:
        raise broken(format_name, error) from error


def broken(format_name: str, error: Exception) -> ReadError:
    """The error for a file that its parser did not take."""
    if isinstance(error, RecursionError | MemoryError):
        what = "nests too deep" if isinstance(error, RecursionError) else "needs more memory than there is"
        return ReadError(f"{format_name.upper()} {what}", "simplify or split it, or exclude it")
    reason = " ".join(f"{type(error).__name__}: {error}".split()).rstrip(": ")
    if len(reason) > 200:
        reason = reason[:200] + "..."
    fault = f"file is no valid {format_name.upper()} ({reason})"
    return ReadError(fault, "open it in its program and save it again")


def _check_sizes(archive: zipfile.ZipFile, data: bytes, options: ReadOptions) -> None:
    infos = archive.infolist()
    for info in infos:
        if info.flag_bits & 0x1:
            raise ReadError("container is encrypted", "save it without a password")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ReadError(f"container uses zip method {info.compress_type}", "save it again in its program")
    packed = sum(info.compress_size for info in infos)
    if packed > len(data):
        fault = f"container's files of {packed:,} bytes overlap in its {len(data):,}"
        raise LimitError(fault, "it is a zip bomb: exclude it")
    _check_total(sum(info.file_size for info in infos), len(data), options)
    if len(data) * _DEFLATE_MOST > options.max_expanded:
        _count(archive, infos, len(data), options)


def _count(archive: zipfile.ZipFile, infos: list[zipfile.ZipInfo], size: int, options: ReadOptions) -> None:
    total = 0
    for info in infos:
        try:
            with archive.open(info) as member:
                while piece := member.read(_PIECE):
                    total += len(piece)
                    _check_total(total, size, options)
        except _MEMBER_ERRORS as error:
            fault = f"container's part {info.filename} is damaged ({error})"
            raise ReadError(fault, "get a sound copy") from error


def _check_total(total: int, size: int, options: ReadOptions) -> None:
    if total > options.max_expanded:
        raise LimitError(
            f"file of {size:,} bytes unpacks to {total:,} or more, the limit is {options.max_expanded:,}",
            "raise the limit (max_expanded, --max-expanded-mb) if you trust it, or exclude it",
        )
    if total > _SMALL and total > MAX_RATIO * size:
        raise LimitError(
            f"file of {size:,} bytes unpacks to {total:,} or more, {total // size} times its size,"
            f" the limit is {MAX_RATIO} times",
            "it looks like a zip bomb: exclude it",
        )
