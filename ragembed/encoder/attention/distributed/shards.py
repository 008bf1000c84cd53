"""How a text is sharded across the processes of a group, and the mask of a sharded text.

Under a causal mask later tokens see more. If each process has one chunk of the text (``contiguous``), the last process
still works when the first has nothing to do; with two chunks, one from each end (``zigzag``), all have equal work.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ragembed.encoder.attention.mask import SubMask, TiledMask
from ragembed.errors import SpecError

if TYPE_CHECKING:
    from torch import Tensor

LAYOUTS = ("contiguous", "zigzag")


def stretches(rank: int, size: int, length: int, layout: str = "contiguous") -> list[slice]:
    """The chunks of a text of `length` tokens that process `rank` of `size` holds, in the order of its shard."""
    if layout not in LAYOUTS:
        raise SpecError(f"unknown layout {layout!r}", f"valid are: {', '.join(LAYOUTS)}")
    if not 0 <= rank < size:
        raise SpecError(f"rank {rank} of {size} processes", "give one from 0, below the number of processes")
    count = size if layout == "contiguous" else 2 * size
    if length % count:
        raise SpecError(
            f"{length} tokens cannot be divided evenly among {size} processes in layout {layout}",
            f"pad them to a multiple of {count}, and say so in the mask's keep",
        )
    step = length // count
    indices = [rank] if layout == "contiguous" else [rank, count - 1 - rank]
    return [slice(index * step, (index + 1) * step) for index in indices]


def shard(whole: Tensor, rank: int, size: int, *, layout: str = "contiguous", dim: int = 2) -> Tensor:
    """The shard of `whole` that process `rank` of `size` holds; tokens lie along `dim`."""
    import torch

    parts = stretches(rank, size, whole.shape[dim], layout)
    return torch.cat([whole.narrow(dim, part.start, part.stop - part.start) for part in parts], dim=dim)


def unshard(parts: Sequence[Tensor], *, layout: str = "contiguous", dim: int = 2) -> Tensor:
    """The inverse of `shard`: the whole from the shards of all processes, by rank."""
    import torch

    size, length = len(parts), sum(part.shape[dim] for part in parts)
    pieces: list[tuple[int, Tensor]] = []
    for rank, part in enumerate(parts):
        held = stretches(rank, size, length, layout)
        cut = part.split([chunk.stop - chunk.start for chunk in held], dim=dim)
        pieces += [(chunk.start, piece) for chunk, piece in zip(held, cut, strict=True)]
    return torch.cat([piece for _, piece in sorted(pieces, key=lambda each: each[0])], dim=dim)


@dataclass(frozen=True, eq=False)
class ChunkPair:
    """A chunk of queries of one process and a chunk of keys of another."""

    rows: slice
    """Their indices among the queries that the process holds."""
    columns: slice
    """Their indices among the keys that the other holds."""
    mask: SubMask


@dataclass(frozen=True, eq=False)
class ShardedMask:
    """The mask of a text that is sharded across `size` processes."""

    tiles: TiledMask
    size: int
    layout: str

    def pairs(self, query_rank: int, key_rank: int) -> Iterator[ChunkPair]:
        """Chunks of queries of one process and of keys of another, without pairs that the mask rules out."""
        for rows, of_rows in self._held(query_rank):
            for columns, of_columns in self._held(key_rank):
                mask = SubMask(self.tiles, of_rows, of_columns)
                keys = mask.key_range(slice(0, rows.stop - rows.start))
                if keys.stop > keys.start:
                    yield ChunkPair(rows, columns, mask)

    def _held(self, rank: int) -> Iterator[tuple[slice, slice]]:
        """The chunks of a process: their indices in its shard, and in the text."""
        start = 0
        for positions in stretches(rank, self.size, self.tiles.keys, self.layout):
            stop = start + positions.stop - positions.start
            yield slice(start, stop), positions
            start = stop
