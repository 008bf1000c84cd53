"""Arrays in ``.npy`` files, written row by row and mapped into memory, never pickled."""

from __future__ import annotations

import contextlib
import hashlib
import math
import os
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ragembed.embed.words.formats.disk import sync, writing
from ragembed.errors import EmbeddingError

Array = NDArray[Any]

_HEADER = 128
"""Bytes before the numbers, whatever the shape: it is known only when all rows are written."""
_BLOCK = 1 << 24
"""Bytes moved or hashed at once."""


class Store(ABC):
    """Where a reader puts its matrices: files, or memory."""

    @abstractmethod
    def matrix(self, name: str) -> Matrix:
        """A new matrix, to be filled row by row."""


class Matrix(ABC):
    """A matrix that grows by rows."""

    def __init__(self) -> None:
        self.rows = 0

    @abstractmethod
    def append(self, block: Array) -> None:
        """Add the rows of `block`, which may be changed afterwards."""

    @abstractmethod
    def array(self) -> Array:
        """All rows, writable; nothing is appended afterwards."""

    @abstractmethod
    def take(self, rows: NDArray[np.int64]) -> Array:
        """Keep only `rows`, which rise; the array that is left."""


class MemoryStore(Store):
    """Matrices in memory."""

    def matrix(self, name: str) -> Matrix:
        """A matrix in memory."""
        return _MemoryMatrix()


class _MemoryMatrix(Matrix):
    def __init__(self) -> None:
        super().__init__()
        self._blocks: list[Array] = []

    def append(self, block: Array) -> None:
        self._blocks.append(block.copy())
        self.rows += len(block)

    def array(self) -> Array:
        if len(self._blocks) > 1:
            self._blocks = [np.concatenate(self._blocks)]
        return self._blocks[0]

    def take(self, rows: NDArray[np.int64]) -> Array:
        self._blocks = [self.array()[rows]]
        return self._blocks[0]


class FolderStore(Store):
    """Matrices as ``.npy`` files in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._made: list[FileMatrix] = []

    def __enter__(self) -> FolderStore:
        return self

    def __exit__(self, *_: object) -> None:
        for matrix in self._made:
            matrix.close()

    def matrix(self, name: str) -> Matrix:
        """The file ``name.npy``, made anew."""
        self._made.append(FileMatrix(self.folder / f"{name}.npy"))
        return self._made[-1]


class FileMatrix(Matrix):
    """A matrix in a file: rows are written as they come, the header at the end."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        self._shape: tuple[int, ...] | None = None
        self._dtype = np.dtype(np.float32)
        self._file: BinaryIO | None = None

    def append(self, block: Array) -> None:
        """Write `block` behind what is there."""
        with writing(self._path):
            if self._file is None:
                self._file = self._path.open("wb")
                self._file.write(bytes(_HEADER))
                self._shape, self._dtype = block.shape[1:], block.dtype
            self._file.write(_bytes(block))
        self.rows += len(block)

    def array(self) -> Array:
        """The rows mapped into memory."""
        self._finish(self.rows)
        return np.asarray(np.load(self._path, mmap_mode="r+", allow_pickle=False))

    def take(self, rows: NDArray[np.int64]) -> Array:
        """Move the kept rows together and cut the file."""
        whole = self.array()
        at = max(1, _BLOCK // max(1, whole[0].nbytes))
        for start in range(0, len(rows), at):
            some = rows[start : start + at]
            whole[start : start + len(some)] = whole[
                some
            ]  # rows rise, so none is overwritten before it is read
        size = _HEADER + len(rows) * whole[0].nbytes
        del whole
        self.rows = len(rows)
        with writing(self._path):
            os.truncate(self._path, size)
            with self._path.open("r+b") as file:
                file.write(_header((self.rows, *(self._shape or ())), self._dtype))
        return np.asarray(np.load(self._path, mmap_mode="r+", allow_pickle=False))

    def close(self) -> None:
        """Let go of the file, whatever is written."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.close()
            self._file = None

    def _finish(self, rows: int) -> None:
        if self._file is not None:
            with writing(self._path):
                self._file.seek(0)
                self._file.write(_header((rows, *(self._shape or ())), self._dtype))
                self._file.close()
            self._file = None


def write_npy(path: Path, array: Array) -> None:
    """Write `array` to the file `path` and bring it to the disk."""
    with writing(path), path.open("wb") as file:
        file.write(_header(array.shape, array.dtype))
        rows = max(1, _BLOCK // max(1, array.itemsize * math.prod(array.shape[1:])))
        for start in range(0, len(array), rows):
            file.write(_bytes(array[start : start + rows]))
        sync(file)


def map_npy(path: Path, remedy: str = "make the word vectors again") -> Array:
    """The array in the file `path`, mapped for reading; what is no such file is an `EmbeddingError`."""
    try:
        if path.stat().st_size == 0:
            raise ValueError("it is empty")
        try:
            return np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))
        except ValueError:
            array = np.load(path, allow_pickle=False)  # an array without elements cannot be mapped
            if not isinstance(array, np.ndarray) or array.size:
                raise
            return array
    except (OSError, ValueError, EOFError, SyntaxError, MemoryError, OverflowError) as error:
        fault = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise EmbeddingError(f"{path} is missing or damaged ({fault})", remedy) from error


def array_digest(array: Array) -> str:
    """sha256 of the numbers of `array` in hexadecimal."""
    digest = hashlib.sha256()
    rows = max(1, _BLOCK // max(1, array.itemsize * math.prod(array.shape[1:])))
    for start in range(0, len(array), rows):
        digest.update(_bytes(array[start : start + rows]))
    return digest.hexdigest()


def npy_digest(path: Path) -> str:
    """As `array_digest`, of a file that `FileMatrix` wrote, without holding it."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        file.seek(_HEADER)
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _bytes(array: Array) -> memoryview | bytes:
    """The numbers of `array` as bytes, without a copy where they lie one after the other."""
    return np.ascontiguousarray(array).data.cast("B") if array.size else b""


def _header(shape: tuple[int, ...], dtype: np.dtype[Any]) -> bytes:
    """A header of the format's version 1.0, padded to `_HEADER` bytes."""
    text = repr({"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": tuple(shape)})
    magic = b"\x93NUMPY\x01\x00" + (_HEADER - 10).to_bytes(2, "little")
    return magic + text.encode("latin1").ljust(_HEADER - 11) + b"\n"
