"""A file that is read from its start to its end, unpacked where it is gzip, in bounded memory."""

from __future__ import annotations

import gzip
import os
import stat
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, cast

from ragembed.errors import EmbeddingError

Progress = Callable[[int, int, str], None]
"""Called with bytes read, bytes in all, and what is being done."""

BLOCK = 1 << 23
"""Bytes read at once."""
LONGEST_LINE = 1 << 24
"""Bytes of a line; 16,384 numbers of 17 digits are 300 kB."""
_GZIP = b"\x1f\x8b"
_MOST_COMPRESSION = 100
_LEAST_BOUND = 1 << 24
"""Bytes that any packed file may come to: small ones of zeros pack well."""


def most_unpacked(packed: int) -> int:
    """Bytes that a packed file of so many bytes may come to: vectors are packed to a third at best."""
    return max(_LEAST_BOUND, _MOST_COMPRESSION * packed)


class Source:
    """The bytes of the file `path`; whatever the system says against it is an `EmbeddingError`."""

    def __init__(self, path: Path, progress: Progress | None = None) -> None:
        self.path = path
        self._progress = progress
        try:
            info = path.stat()
            if not stat.S_ISREG(info.st_mode):  # to open a pipe would wait for ever
                raise EmbeddingError(f"{path} is no file", "name a file of word vectors")
            self._raw = path.open("rb")
        except OSError as error:
            raise EmbeddingError(f"{path} cannot be read ({error.strerror})", "check the path") from error
        self.size = info.st_size
        """Bytes of the file as it lies there, packed or not."""
        self.packed = self._raw.read(2) == _GZIP
        self._raw.seek(0)
        self._file = cast("BinaryIO", gzip.GzipFile(fileobj=self._raw)) if self.packed else self._raw
        self._seen = b""
        self._taken = 0
        self._unpacked = 0

    def __enter__(self) -> Source:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        self._raw.close()

    @property
    def left(self) -> int | None:
        """Bytes not read yet; None where that is known only when they are unpacked."""
        return None if self.packed else self.size - self._taken

    def peek(self, size: int) -> bytes:
        """The next `size` bytes, fewer at the end, which are read again."""
        while len(self._seen) < size and (more := self._read(size - len(self._seen))):
            self._seen += more
        return self._seen[:size]

    def read(self, size: int) -> bytes:
        """The next `size` bytes, fewer at the end. Never holds more than the file has."""
        parts, wanted = [], size
        while wanted > 0:
            if self._seen:
                part, self._seen = self._seen[:wanted], self._seen[wanted:]
            else:
                part = self._read(min(wanted, BLOCK))
            if not part:
                break
            parts.append(part)
            wanted -= len(part)
        self._taken += size - wanted
        if self._progress is not None:
            self._progress(self._raw.tell(), self.size, self.path.name)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def unread(self, data: bytes) -> None:
        """Put `data`, the last that was read, back."""
        self._seen = data + self._seen
        self._taken -= len(data)

    def exactly(self, size: int, what: str) -> bytes:
        """The next `size` bytes, which are `what`; an `EmbeddingError` where the file ends before."""
        self.expect(size, what)
        data = self.read(size)
        if len(data) < size:
            raise self.cut_off(f"{what} take {size} bytes, {len(data)} are left")
        return data

    def expect(self, size: int, what: str) -> None:
        """Raise unless `size` more bytes can be there."""
        if self.left is not None and size > self.left:
            raise self.cut_off(f"{what} take {size} bytes, {self.left} are left")

    def cut_off(self, why: str) -> EmbeddingError:
        """The error for a file that ends too early, or lies about its sizes."""
        return EmbeddingError(f"{self.path} is cut off or damaged: {why}", "fetch it again")

    def lines(self, number: int = 0) -> Iterator[bytes]:
        """Blocks of whole lines, the last one with or without its end; `number` lines were read before."""
        rest = b""
        while block := self.read(BLOCK):
            end = block.rfind(b"\n") + 1
            if end:
                whole, rest = rest + block[:end], block[end:]
                number += whole.count(b"\n")
                yield whole
            else:
                rest += block
            if len(rest) > LONGEST_LINE:
                raise EmbeddingError(
                    f"{self.path}: line {number + 1} is longer than {LONGEST_LINE >> 20} MB",
                    "name a file of word vectors, one word a line",
                )
        if rest:
            yield rest

    def _read(self, size: int) -> bytes:
        try:
            data = self._file.read(size)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise EmbeddingError(
                f"{self.path}: the gzip data are damaged or cut off ({error})", "fetch the file again"
            ) from error
        except OSError as error:
            raise EmbeddingError(
                f"{self.path} cannot be read ({error.strerror or os.strerror(error.errno or 5)})",
                "check its disk",
            ) from error
        self._unpacked += len(data)
        if self.packed and self._unpacked > (most := most_unpacked(self.size)):
            raise EmbeddingError(
                f"{self.path} has {self.size} bytes and unpacks to more than {most}, as no word vectors do",
                "unpack it (gunzip) where it is what you expect",
            )
        return data
