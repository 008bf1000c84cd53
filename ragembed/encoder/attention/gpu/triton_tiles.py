"""Tile sizes and launch parameters of the kernels in `triton_kernels`: the place to tune them for another GPU."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Tile:
    """The queries and keys of a tile, and the warps and pipeline stages of a program."""

    rows: int
    columns: int
    warps: int
    stages: int


@dataclass(frozen=True)
class Tiles:
    """The tile of each kernel."""

    forward: Tile
    key_value: Tile
    query: Tile


_AMPERE = {
    64: Tiles(Tile(128, 64, 4, 3), Tile(32, 128, 8, 2), Tile(128, 64, 8, 3)),
    128: Tiles(Tile(128, 64, 8, 3), Tile(64, 64, 8, 2), Tile(128, 32, 8, 3)),
    256: Tiles(Tile(64, 32, 4, 2), Tile(16, 64, 8, 2), Tile(64, 32, 8, 1)),
}
_HOPPER = {
    64: Tiles(Tile(128, 64, 8, 3), Tile(64, 128, 8, 3), Tile(128, 64, 8, 3)),
    128: Tiles(Tile(128, 64, 8, 3), Tile(32, 128, 8, 2), Tile(128, 64, 8, 2)),
    256: Tiles(Tile(128, 64, 8, 2), Tile(16, 64, 8, 2), Tile(64, 32, 4, 2)),
}
_FLOAT32 = {
    64: Tiles(Tile(64, 32, 8, 1), Tile(32, 32, 4, 1), Tile(32, 32, 4, 1)),
    128: Tiles(Tile(32, 32, 8, 1), Tile(32, 32, 8, 1), Tile(32, 32, 8, 1)),
    256: Tiles(Tile(32, 32, 8, 1), Tile(16, 16, 4, 1), Tile(32, 16, 8, 1)),
}


def tiles(width: int, size: int, capability: tuple[int, int]) -> Tiles:
    """The tiles for heads of dimension `width`, of numbers of `size` bytes, on a GPU of that compute capability.

    They were chosen among those that, compiled for sm_80 and sm_90, spill few registers or none and fit into shared
    memory: 227 KB on Hopper and Blackwell data-center GPUs, 99 KB elsewhere.
    """
    table = _FLOAT32 if size == 4 else _HOPPER if capability[0] in (9, 10) else _AMPERE
    return next(found for most, found in table.items() if width <= most)
