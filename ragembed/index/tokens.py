"""Files of token vectors: where each text begins, then every vector in as many bytes; written piece by piece.

The format is safetensors with two arrays: ``starts`` ``(texts + 1,)`` int64 and ``codes`` ``(tokens, width)`` bytes,
which the embedder's codec turns into vectors. They are read through a memory map.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from ragembed.embed.token_vectors import Codes
from ragembed.errors import CorruptError, StoreError
from ragembed.index.arrays import map_arrays

Rows = NDArray[np.int64]
Write = Callable[[bytes], object]

KIND = "tokens"
"""Of a segment, as the catalog says it."""
_PIECE = 1 << 22
"""Bytes that are copied at once."""
_MEND = "run: ragembed verify INDEX --repair"


@dataclass(frozen=True, eq=False, slots=True)
class Tokens:
    """The stored token vectors of n texts."""

    starts: Rows
    """``(n + 1,)``"""
    codes: Codes
    """``(tokens, width)``"""

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def nbytes(self) -> int:
        """Of the vectors."""
        return int(self.codes.nbytes)

    @property
    def sizes(self) -> Rows:
        """Tokens of each text ``(n,)``."""
        return np.diff(self.starts)

    def runs(self, texts: Rows | None, most: int) -> Iterator[tuple[Rows, Codes]]:
        """The texts at those places (None: all), ascending, in parts of up to `most` tokens or of one text.

        Each time the places and the codes of all their tokens, one text after the other.
        """
        wanted = np.arange(len(self)) if texts is None else texts
        ends = np.cumsum(self.sizes[wanted])
        at = 0
        while at < len(wanted):
            before = int(ends[at - 1]) if at else 0
            last = max(at + 1, int(np.searchsorted(ends, before + most, "right")))
            part = wanted[at:last]
            if int(part[-1]) - int(part[0]) == len(part) - 1:  # neighbours: no copy
                yield part, self.codes[self.starts[part[0]] : self.starts[part[-1] + 1]]
            else:
                yield part, np.concatenate([self.codes[self.starts[i] : self.starts[i + 1]] for i in part])
            at = last

    def take(self, texts: Rows) -> Tokens:
        """Some of the texts, in that order."""
        parts = [self.codes[self.starts[i] : self.starts[i + 1]] for i in texts.tolist()]
        empty = np.zeros((0, self.codes.shape[1]), np.uint8)
        return Tokens(np.cumsum([0, *map(len, parts)], dtype=np.int64), np.concatenate([empty, *parts]))


def joined(parts: Sequence[Tokens]) -> Tokens:
    """One after the other, in memory."""
    sizes = np.concatenate([part.sizes for part in parts])
    return Tokens(
        np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)]),
        np.concatenate([part.codes for part in parts]),
    )


def write_tokens(parts: Iterable[tuple[Tokens, Rows | None]], write: Write) -> None:
    """Pass the bytes of one file of all `parts`, in order, to `write`, in pieces of a few megabytes.

    With each part come the ascending places of the texts that are kept (None: all).
    """
    held = [(tokens, np.arange(len(tokens)) if keep is None else keep) for tokens, keep in parts]
    sizes = np.concatenate([np.zeros(0, np.int64), *(tokens.sizes[keep] for tokens, keep in held)])
    widths = {int(tokens.codes.shape[1]) for tokens, _ in held}
    if len(widths) != 1:
        raise StoreError(
            f"token vectors of {', '.join(map(str, sorted(widths)))} bytes cannot be merged",
            "run: ragembed verify INDEX",
        )
    [width] = widths
    starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)])
    total = int(starts[-1])
    middle, end = 8 * len(starts), 8 * len(starts) + total * width
    header = json.dumps(
        {
            "starts": {"dtype": "I64", "shape": [len(starts)], "data_offsets": [0, middle]},
            "codes": {"dtype": "U8", "shape": [total, width], "data_offsets": [middle, end]},
        }
    ).encode()
    header += b" " * (-len(header) % 8)
    write(len(header).to_bytes(8, "little") + header)
    write(starts.astype("<i8").tobytes())
    for tokens, keep in held:
        for _, codes in tokens.runs(keep, max(1, _PIECE // width)):
            write(codes.tobytes())


def read_tokens(path: Path, texts: int) -> Tokens:
    """The token vectors in `path`, mapped; raises `CorruptError` unless they are of as many texts as said."""
    arrays = map_arrays(path)
    starts, codes = arrays.get("starts"), arrays.get("codes")
    if starts is None or codes is None or starts.dtype != np.int64 or codes.dtype != np.uint8:
        raise CorruptError(f"{path.name} is no file of token vectors", _MEND)
    if starts.ndim != 1 or codes.ndim != 2 or len(starts) != texts + 1:
        raise CorruptError(
            f"{path.name} holds {max(0, starts.size - 1)} texts, the catalog says {texts}", _MEND
        )
    if starts[0] != 0 or starts[-1] != len(codes) or bool((np.diff(starts) < 0).any()):
        raise CorruptError(f"{path.name} is damaged: its texts do not follow one another", _MEND)
    return Tokens(cast(Rows, starts), cast(Codes, codes))
