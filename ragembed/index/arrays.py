"""Named arrays in one file (the safetensors format), written durably and read through a memory map.

The library's own reader copies and takes longer to import than a small query takes; the format is a length, a JSON
header and the raw bytes, so a map of it is a few lines.
"""

from __future__ import annotations

import json
import math
import mmap
import operator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ragembed.errors import CorruptError

Array = NDArray[np.generic]

_TYPES = {"U8": "u1", "U16": "<u2", "U32": "<u4", "I32": "<i4", "I64": "<i8", "F32": "<f4"}
_MAX_HEADER = 100_000_000


def encode_arrays(arrays: dict[str, Array]) -> bytes:
    """The file's bytes."""
    from safetensors.numpy import save

    data: bytes = save({name: np.ascontiguousarray(array) for name, array in arrays.items()})
    return data


def map_arrays(path: Path) -> dict[str, Array]:
    """Read-only views into a memory map of `path`; every length is checked before a view is made."""
    with path.open("rb") as file:
        try:
            memory = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except ValueError as error:
            raise CorruptError(f"{path.name} is empty", "run: ragembed verify INDEX") from error
    try:
        return _views(memory)
    except (LookupError, TypeError, ValueError, ArithmeticError, RecursionError) as error:
        raise CorruptError(f"{path.name} is damaged ({error})", "run: ragembed verify INDEX") from error


def _views(memory: mmap.mmap) -> dict[str, Array]:
    header_size = int.from_bytes(memory[:8], "little")
    if not 2 <= header_size <= min(_MAX_HEADER, len(memory) - 8):
        raise ValueError(f"a header of {header_size} bytes in a file of {len(memory)}")
    header = json.loads(memory[8 : 8 + header_size])
    if not isinstance(header, dict):
        raise TypeError("the header is no object")
    header.pop("__metadata__", None)
    arrays: dict[str, Array] = {}
    for name, entry in header.items():
        dtype = np.dtype(_TYPES[entry["dtype"]])
        start, end = entry["data_offsets"]
        shape = [operator.index(size) for size in entry["shape"]]
        count = math.prod(shape)
        at = 8 + header_size + start
        if (
            min(start, *shape) < 0
            or end - start != count * dtype.itemsize
            or 8 + header_size + end > len(memory)
        ):
            raise ValueError(f"array {name} does not fit the file")
        arrays[name] = np.frombuffer(memory, dtype, count, at).reshape(shape)
    return arrays
