"""Vectors as ``.npy`` files, written and read piece by piece.

The format is numpy's version 1.0: a magic number, the length of the header, the header (a Python literal, padded),
the raw numbers. The header is compared with what numpy writes and never evaluated, so no file can bring an object
array, a pickle or another type in.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from ragembed.embed.base import Dense
from ragembed.errors import ReadError
from ragembed.exchange.records import REMEDY
from ragembed.index.files import HashedFile

_MAGIC = b"\x93NUMPY\x01\x00"
_HEADER = re.compile(
    rb"\{'descr': '([^']{1,9})', 'fortran_order': (False|True), 'shape': \(([\d, ]*)\), \} *\n"
)


class VectorWriter:
    """Writes a matrix of `rows` vectors, whose number is known before the first comes."""

    def __init__(self, file: HashedFile, rows: int, dimension: int) -> None:
        self._file = file
        shape = (rows, dimension)
        np.lib.format.write_array_header_1_0(
            file,
            {"descr": "<f4", "fortran_order": False, "shape": shape},
        )

    def write(self, vectors: Dense) -> None:
        """Append vectors (n, dimension)."""
        self._file.write(np.ascontiguousarray(vectors, "<f4").tobytes())


class VectorReader:
    """Reads the matrix from its start to its end.

    Raises `ReadError` unless it is float32 (`rows`, `dimension`), as many bytes as that takes, and all numbers finite.
    """

    def __init__(self, path: Path, rows: int, dimension: int) -> None:
        self.path = path
        self._dimension = dimension
        self._next = 0
        self._file = path.open("rb")
        try:
            begin = self._check_header((rows, dimension))
            size, wanted = path.stat().st_size, begin + 4 * rows * dimension
            if size != wanted:
                raise self._fault(f"has {size} bytes, {rows} vectors of {dimension} dimensions take {wanted}")
            self._file.seek(begin)
        except BaseException:
            self._file.close()
            raise

    def take(self, count: int) -> Dense:
        """The next `count` vectors (count, dimension)."""
        data = self._file.read(4 * count * self._dimension)
        vectors = np.frombuffer(data, "<f4").reshape(-1, self._dimension)
        if len(vectors) != count:
            raise self._fault(f"ends after {self._next + len(vectors)} vectors")
        finite = np.isfinite(vectors).all(axis=1)
        if not finite.all():
            row = self._next + int(np.argmin(finite))
            raise self._fault(f"row {row} (line {row + 1} of the chunks) has NaN or infinity in it")
        self._next += count
        return vectors.astype(np.float32, copy=False)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _check_header(self, shape: tuple[int, int]) -> int:
        """Where the numbers begin."""
        start = self._file.read(len(_MAGIC) + 2)
        length = int.from_bytes(start[len(_MAGIC) :], "little")
        found = _HEADER.fullmatch(self._file.read(length))
        if not start.startswith(_MAGIC) or found is None:
            raise self._fault("is no plain .npy file of version 1.0")
        descr, order, sizes = (part.decode("ascii", "replace") for part in found.groups())
        if (descr, order, sizes) != ("<f4", "False", f"{shape[0]}, {shape[1]}"):
            order = "Fortran" if order == "True" else "C"
            raise self._fault(
                f"is {descr} ({sizes}) in {order} order, not <f4 ({shape[0]}, {shape[1]}) in C order"
            )
        return len(start) + length

    def _fault(self, what: str) -> ReadError:
        return ReadError(f"{self.path} {what}", REMEDY)
