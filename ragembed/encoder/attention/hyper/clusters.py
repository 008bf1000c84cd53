"""Vectors in clusters of one direction each, of bounded size."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from torch import Tensor


def directions(vectors: Tensor, count: int, rounds: int, random: torch.Generator) -> Tensor:
    """Each vector's cell ``(n,)`` below `count`, of vectors ``(n, d)``: k-means by angle (Dhillon & Modha 2001).

    Angles are taken from the mean, which may be far from 0 while no softmax changes by it. By angle, not by distance,
    a query that is a multiple of a key finds that key's cell.
    """
    import torch
    from torch.nn.functional import normalize

    if not len(vectors):
        return torch.zeros(0, dtype=torch.long, device=vectors.device)
    vectors = vectors - vectors.mean(dim=0)
    chosen = torch.randperm(len(vectors), generator=random)[:count].to(vectors.device)
    centres = vectors[chosen]
    for _ in range(rounds):
        cell = (vectors @ normalize(centres, dim=1).T).argmax(dim=1)
        centres = torch.zeros_like(centres).index_add_(0, cell, vectors)
    return (vectors @ normalize(centres, dim=1).T).argmax(dim=1)


def cut(cells: Tensor, most: int) -> tuple[Tensor, Tensor]:
    """The order ``(n,)`` that puts cells one after the other, and their sizes: none is empty, none above `most`.

    Larger ones are cut into equal parts.
    """
    import torch

    counts = torch.bincount(cells)
    counts = counts[counts > 0]
    parts = (counts + most - 1) // most
    first = (parts.cumsum(0) - parts).repeat_interleave(parts)
    counts, parts = counts.repeat_interleave(parts), parts.repeat_interleave(parts)
    rank = torch.arange(len(parts), device=cells.device) - first
    return cells.argsort(stable=True), (rank + 1) * counts // parts - rank * counts // parts
