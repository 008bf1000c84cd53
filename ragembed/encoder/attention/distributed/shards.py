"""How a text is dealt out to the processes of a group, and the mask of a text of which each holds a part.

Under a causal mask later tokens see more. Where each process has one stretch (``contiguous``), the last works while
the first waits; with two, one from either end (``zigzag``), all have the same to do.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ragembed.encoder.attention.mask import Part, Tiles
from ragembed.errors import SpecError

if TYPE_CHECKING:
    from torch import Tensor

LAYOUTS = ("contiguous", "zigzag")


def stretches(rank: int, size: int, length: int, layout: str = "contiguous") -> list[slice]:
    """Which tokens of a text of `length` the process `rank` of `size` holds, in the order in which it holds them."""
    if layout not in LAYOUTS:
        raise SpecError(f"unknown layout {layout!r}", f"valid are: {', '.join(LAYOUTS)}")
    count = size if layout == "contiguous" else 2 * size
    if length % count:
        raise SpecError(
            f"{length} tokens do not go evenly to {size} processes in layout {layout}",
            f"pad them to a multiple of {count}, and say so in the mask's keep",
        )
    step = length // count
    places = [rank] if layout == "contiguous" else [rank, count - 1 - rank]
    return [slice(place * step, (place + 1) * step) for place in places]


def shard(whole: Tensor, rank: int, size: int, *, layout: str = "contiguous", dim: int = 2) -> Tensor:
    """The part of `whole` that process `rank` of `size` holds; tokens lie along `dim`."""
    import torch

    parts = stretches(rank, size, whole.shape[dim], layout)
    return torch.cat([whole.narrow(dim, part.start, part.stop - part.start) for part in parts], dim=dim)


def unshard(parts: Sequence[Tensor], *, layout: str = "contiguous", dim: int = 2) -> Tensor:
    """What `shard` dealt out to each process, by rank, put together."""
    import torch

    size, length = len(parts), sum(part.shape[dim] for part in parts)
    pieces: list[tuple[int, Tensor]] = []
    for rank, part in enumerate(parts):
        held = stretches(rank, size, length, layout)
        cut = part.split([place.stop - place.start for place in held], dim=dim)
        pieces += [(place.start, piece) for place, piece in zip(held, cut, strict=True)]
    return torch.cat([piece for _, piece in sorted(pieces, key=lambda each: each[0])], dim=dim)


@dataclass(frozen=True, eq=False)
class Pair:
    """Queries of one process and keys of another that lie each in one stretch."""

    rows: slice
    """Among the queries that the process holds."""
    columns: slice
    """Among the keys that the other holds."""
    mask: Part


@dataclass(frozen=True, eq=False)
class Text:
    """A text over all processes, and who sees whom in it."""

    tiles: Tiles
    size: int
    layout: str

    def pairs(self, asks: int, holds: int) -> Iterator[Pair]:
        """Stretches of queries of process `asks` beside those of keys of `holds`, where any of them see any."""
        for rows, row_places in self._held(asks):
            for columns, column_places in self._held(holds):
                seen = Part(self.tiles, row_places, column_places)
                reach = seen.reach(slice(0, rows.stop - rows.start))
                if reach.stop > reach.start:
                    yield Pair(rows, columns, seen)

    def _held(self, rank: int) -> Iterator[tuple[slice, slice]]:
        """Places among what the process holds, and in the text."""
        start = 0
        for places in stretches(rank, self.size, self.tiles.keys, self.layout):
            stop = start + places.stop - places.start
            yield slice(start, stop), places
            start = stop
