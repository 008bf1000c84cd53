"""Text files of lines, read strictly and written atomically: test collections, qrels and runs.

A line ends at LF or CR LF only (U+2028 and its like belong to the text). A byte order mark is skipped, gzip
is unpacked, and anything that cannot be read is a `DatasetError` with the file and the line.
"""

from __future__ import annotations

import contextlib
import gzip
import os
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, cast

from ragembed.errors import DatasetError

_GZIP_MAGIC = b"\x1f\x8b"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def read_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Number (from 1) and text of every line of `path`, its line end taken off; blank lines are kept."""
    number = 0
    try:
        with _open(path) as file:
            for number, raw in enumerate(file, 1):
                if number == 1:
                    raw = raw.removeprefix(_BYTE_ORDER_MARK)
                yield number, raw.decode("utf-8").rstrip("\r\n")
    except UnicodeDecodeError as error:
        byte = error.object[error.start]
        raise DatasetError(
            f"{path} line {number}: byte 0x{byte:02x} at position {error.start + 1} is not UTF-8",
            "convert the file to UTF-8, for example with: iconv -f LATIN1 -t UTF-8",
        ) from error
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DatasetError(
            f"{path}: the gzip data are damaged after line {number}", "fetch or pack the file again"
        ) from error
    except OSError as error:
        raise DatasetError(
            f"{path} cannot be read ({error.strerror})", "check the path and its permissions"
        ) from error


def fields(line: str) -> list[str]:
    """The parts of `line` between ASCII white space, as trec_eval cuts them."""
    parts = line.encode("utf-8", "surrogatepass").split()  # str.split() would also cut at no-break spaces
    return b"\n".join(parts).decode("utf-8", "surrogatepass").split("\n") if parts else []


def write_lines(path: Path, lines: Iterable[str]) -> None:
    """Write `lines` (without line ends) to `path`, whole or not at all: a temporary file, fsync, rename.

    A device or pipe, such as ``/dev/stdout``, is written directly. If `lines` raises, `path` stays as it was.
    """
    target = path.resolve()
    direct = target.exists() and not target.is_file()
    temporary = target if direct else target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("w", encoding="utf-8", newline="\n") as file:
            for line in lines:
                file.write(line + "\n")
            if not direct:
                file.flush()
                os.fsync(file.fileno())
        if not direct:
            temporary.replace(target)
    except UnicodeEncodeError as error:
        near = error.object[max(0, error.start - 9) : error.end]
        raise DatasetError(
            f"{path} cannot be written: {near!r} holds half a character",
            "take the lone surrogate out",
        ) from error
    except OSError as error:
        raise DatasetError(
            f"{path} cannot be written ({error.strerror})",
            "check that its folder exists and may be written to",
        ) from error
    finally:
        if not direct:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)


def _open(path: Path) -> IO[bytes]:
    with path.open("rb") as file:
        packed = file.read(2) == _GZIP_MAGIC
    return cast("IO[bytes]", gzip.open(path, "rb")) if packed else path.open("rb")
