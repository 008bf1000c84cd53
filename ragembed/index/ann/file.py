"""The file of an accelerator: what FAISS writes of it, and after that the queries by which its recall is measured.

Any FAISS reads it, and ignores what follows. FAISS trusts its files, so that one is read only if its checksum is that
of the catalog and if it begins as an index of the recorded type does.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ragembed.embed.base import Dense
from ragembed.errors import CorruptError, SpecError
from ragembed.index.ann.base import AnnType
from ragembed.index.ann.space import Space

_KNOWN = frozenset(
    b"IxSQ IHNf IHNs IHNp IHN2 IwFl IwSq IwPQ IwPf IwRf IwRQ IwLS Iwrq Iwrf IxPT IxHe IxPq IxPQ IPfs IRfs Ixrq Ixrf"
    b" IxRq IxLS INSf INSp INSs IxFI IxF2".split()
)
"""How files of kinds of FAISS index begin that are made of plain arrays of numbers."""
_BUFFER = 1 << 20
_MEND = "run: ragembed verify INDEX --repair"


def write_index(index: Any, write: Callable[[bytes], object]) -> None:
    """Pass what FAISS writes of `index` to `write`; raises `SpecError` for a kind that would not be read again."""
    import faiss

    library: Any = faiss
    if beginning(index) not in _KNOWN:
        raise SpecError(
            f"a FAISS index of kind {type(index).__name__} is not kept", "take another index type"
        )

    failures: list[BaseException] = []

    def passed_on(data: bytes) -> int:
        if not failures:
            try:
                write(data)
            except BaseException as error:  # noqa: BLE001 - FAISS writes the rest in a destructor, which raises nothing
                failures.append(error)
        return len(data)

    library.write_index(
        index, library.BufferedIOWriter(library.PyCallbackIOWriter(passed_on, _BUFFER), _BUFFER)
    )
    for error in failures:
        raise error


def beginning(index: Any) -> bytes:
    """The four bytes with which the file of `index` begins."""
    import faiss

    library: Any = faiss
    first: list[bytes] = []

    class _EnoughError(Exception):
        pass

    def take(data: bytes) -> int:
        first.append(bytes(data[:4]))
        raise _EnoughError

    try:
        library.write_index(index, library.PyCallbackIOWriter(take, 16))
    except _EnoughError:
        pass
    except RuntimeError:  # FAISS has turned the exception into one of its own
        if not first:
            raise
    return first[0]


def read_index(path: Path, faiss_bytes: int, kind: AnnType, space: Space, rows: int) -> Any:
    """The FAISS index in `path`, whose checksum was compared; `CorruptError` where it is not of that kind and size."""
    import faiss

    library: Any = faiss
    with path.open("rb") as file:
        head = file.read(4)
        if head not in _KNOWN or head != beginning(
            kind.make(space.inner, max(rows, kind.fewest(rows)), space.metric)
        ):
            raise CorruptError(f"{path.name} is no FAISS index of type {kind.spec}", _MEND)
        file.seek(0)
        left = faiss_bytes

        def read(size: int) -> bytes:
            nonlocal left
            data = file.read(min(size, left))
            left -= len(data)
            return data

        try:
            reader = library.PyCallbackIOReader(read, _BUFFER)
            index = library.read_index(reader)
        except (RuntimeError, MemoryError, ValueError) as error:
            raise CorruptError(f"{path.name} cannot be read by FAISS", _MEND) from error
    if (index.ntotal, index.d) != (rows, space.inner):
        raise CorruptError(
            f"{path.name} has {index.ntotal} vectors of {index.d} dimensions, the catalog says {rows} of {space.inner}",
            _MEND,
        )
    return index


def read_probes(path: Path, faiss_bytes: int, count: int, dimension: int) -> Dense:
    """The queries ``(count, dimension)`` that stand behind the FAISS index."""
    with path.open("rb") as file:
        file.seek(faiss_bytes)
        data = file.read()
    if len(data) != 4 * count * dimension:
        raise CorruptError(f"{path.name} has {len(data)} bytes of probes, not those of {count}", _MEND)
    return np.frombuffer(data, "<f4").reshape(count, dimension).copy()
