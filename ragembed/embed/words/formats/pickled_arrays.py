"""numpy's arrays out of pickles that were read as data, and out of ``.npz`` files, with every size checked."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ragembed.embed.words.formats.inert import REMEDY, Record
from ragembed.embed.words.formats.npy import Array
from ragembed.embed.words.formats.source import most_unpacked
from ragembed.errors import EmbeddingError

_RECONSTRUCT = ("numpy.core.multiarray._reconstruct", "numpy._core.multiarray._reconstruct")
_MOST_AXES = 2
_LARGEST = 1 << 40
_FROM_BUFFER = ("numpy.core.numeric._frombuffer", "numpy._core.numeric._frombuffer")


def pickled_array(value: Any, dtypes: Sequence[str]) -> Array:
    """The array that numpy would make of `value`, of one of `dtypes` (``f4`` ...); `ValueError` where it is none.

    Up to protocol 4 numpy calls ``_reconstruct`` and sets shape, type, order and bytes; in protocol 5 it calls
    ``_frombuffer`` with bytes, type, shape and order.
    """
    try:
        if value.what.path in _RECONSTRUCT:
            _, shape, kind, by_columns, data = value.state[0]
        elif value.what.path in _FROM_BUFFER:
            data, kind, shape, order = value.arguments
            by_columns = order == "F"
        else:
            raise ValueError(f"it is made by {value.what.path:.100}")
        code, byte_order = kind.arguments[0], kind.state[0][1]
        if kind.what.path != "numpy.dtype" or code not in dtypes or byte_order not in ("<", ">"):
            raise ValueError("it holds numbers of another type")
        if isinstance(data, Record) and data.what.path == "_codecs.encode":  # bytes, as protocol 2 has them
            data = data.arguments[0].encode("latin1")
        if not isinstance(data, bytes | bytearray):
            raise TypeError("its numbers are no bytes")
        array = np.frombuffer(data, byte_order + code)
        if math.prod(_sizes(shape)) != array.size:
            raise ValueError(f"it has another shape than its {array.size} numbers")
        return array.reshape(_sizes(shape), order="F" if by_columns else "C")
    except (AttributeError, LookupError, TypeError) as error:
        raise ValueError(f"it is no array: {error}") from error


def _sizes(shape: Any) -> tuple[int, ...]:
    """`shape` as numbers: what else is in its place could be multiplied to anything."""
    if not isinstance(shape, tuple) or len(shape) > _MOST_AXES:
        raise ValueError("its shape is none of a vector or a table")
    if not all(isinstance(size, int) and 0 <= size <= _LARGEST for size in shape):
        raise ValueError("its shape has other than whole numbers")
    return shape


def unzipped_array(path: Path) -> Array:
    """The array ``val`` of an ``.npz`` file, whose sizes are checked before memory is asked for."""
    try:
        with zipfile.ZipFile(path) as archive:
            size = archive.getinfo("val.npy").file_size
            if size > most_unpacked(path.stat().st_size):
                raise ValueError(f"it says that it unpacks to {size} bytes, more than vectors do")
            with archive.open("val.npy") as file:
                version = np.lib.format.read_magic(file)
                read = (
                    np.lib.format.read_array_header_1_0
                    if version == (1, 0)
                    else np.lib.format.read_array_header_2_0
                )
                shape, by_columns, dtype = read(file)
                if dtype.hasobject or math.prod(shape) * dtype.itemsize != size - file.tell():
                    raise ValueError(f"{shape} of {dtype} in {size} bytes")
                data = file.read()
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile, NotImplementedError) as error:
        raise EmbeddingError(f"{path} is missing or damaged ({error})", REMEDY) from error
    return np.frombuffer(data, dtype).reshape(shape, order="F" if by_columns else "C")
