"""Files of vectors, written block by block: NumPy's ``.npy``, and Parquet. Only a whole file gets its name."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import numpy as np
from numpy.typing import NDArray

from ragembed.errors import SpecError, StoreError
from ragembed.extras import require
from ragembed.index.files import replacing, unwritable

SUFFIXES = (".npy", ".parquet")


class Rows(Protocol):
    """What takes vectors, in order."""

    def add(self, vectors: NDArray[Any]) -> None:
        """Vectors ``(n, width)``, of the width and type of the first."""
        ...


@contextlib.contextmanager
def vector_file(path: Path, told: Mapping[str, str]) -> Iterator[Rows]:
    """A file of vectors to fill; `told` is kept in a Parquet file, for whoever asks what the vectors are.

    Until the end it is called ``NAME.xxxxxxxx.tmp``; whatever goes wrong, `path` stays as it was. Raises `StoreError`
    where the disk does not take it.
    """
    if path.suffix not in SUFFIXES:
        raise SpecError(f"{path} is no file of vectors", f"name a {' or '.join(SUFFIXES)} file")
    make = _npy if path.suffix == ".npy" else _parquet
    with replacing_file(path) as file, make(file, told) as rows:
        yield rows


@contextlib.contextmanager
def replacing_file(path: Path) -> Iterator[BinaryIO]:
    """`replacing` where `path` leads, also while others write the same file: who is done last has written it.

    Raises `StoreError` where the disk does not take it, and for a folder, device or pipe, which a file would take the
    place of.
    """
    with unwritable(path, "it is as it was; check its folder, permissions and disk"):
        target = path.resolve()
        if target.exists() and not target.is_file():
            raise StoreError(f"{path} is there and is no file; it is as it was", "name another file")
        with replacing(target, f".{secrets.token_hex(4)}") as file:
            yield file


@contextlib.contextmanager
def _npy(file: BinaryIO, _: Mapping[str, str]) -> Iterator[Rows]:
    rows = _Npy(file)
    yield rows
    rows.finish()


class _Npy:
    """The number of rows stands in the header, in which NumPy leaves room for it to grow."""

    def __init__(self, file: BinaryIO) -> None:
        self.file, self.rows, self.begun, self.of = file, 0, False, np.empty((0, 0), np.float32)

    def add(self, vectors: NDArray[Any]) -> None:
        if not self.begun:
            self.begun, self.of = True, vectors[:0]
            self._write_header()
        self.file.write(np.ascontiguousarray(vectors).data)
        self.rows += len(vectors)

    def finish(self) -> None:
        self.file.seek(0)
        self._write_header()

    def _write_header(self) -> None:
        form = {"descr": self.of.dtype.str, "fortran_order": False, "shape": (self.rows, self.of.shape[1])}
        np.lib.format.write_array_header_1_0(self.file, form)


@contextlib.contextmanager
def _parquet(file: BinaryIO, told: Mapping[str, str]) -> Iterator[Rows]:
    rows = _Parquet(file, told)
    try:
        yield rows
    finally:
        rows.finish()


class _Parquet:
    """Columns ``row``, from 0, and ``vector``, a list of fixed length."""

    def __init__(self, file: BinaryIO, told: Mapping[str, str]) -> None:
        self.library = require("pyarrow.parquet", "parquet", "writing Parquet")
        self.arrow: Any = require("pyarrow", "parquet", "writing Parquet")
        self.file, self.told, self.rows = file, told, 0
        self.writer: Any = None

    def add(self, vectors: NDArray[Any]) -> None:
        pa, (count, width) = self.arrow, vectors.shape
        if self.writer is None:
            of = pa.from_numpy_dtype(vectors.dtype)
            schema = pa.schema(
                [("row", pa.int64()), ("vector", pa.list_(of, width))], metadata=dict(self.told)
            )
            self.writer = self.library.ParquetWriter(self.file, schema)
        flat = pa.array(np.ascontiguousarray(vectors).reshape(-1))
        columns = [
            pa.array(np.arange(self.rows, self.rows + count)),
            pa.FixedSizeListArray.from_arrays(flat, width),
        ]
        self.writer.write_batch(pa.record_batch(columns, schema=self.writer.schema))
        self.rows += count

    def finish(self) -> None:
        if self.writer is not None:
            self.writer.close()
