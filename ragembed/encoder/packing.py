"""Texts one after the other, without padding: where each begins, and which of them can be computed together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    import torch
    from torch import Tensor

TOKENS_AT_ONCE = 4096
"""Tokens of a batch."""


class Tokens(Protocol):
    """What goes through the model together."""

    @property
    def ids(self) -> Sequence[int]: ...


Some = TypeVar("Some", bound=Tokens)


def batches(items: Iterable[Some], most: int | None) -> Iterator[list[Some]]:
    """`items`, in order, in lists of `TOKENS_AT_ONCE` tokens (a longer one alone), of at most `most` items."""
    batch: list[Some] = []
    room = TOKENS_AT_ONCE
    for item in items:
        if batch and (len(item.ids) > room or len(batch) == most):
            yield batch
            batch, room = [], TOKENS_AT_ONCE
        batch.append(item)
        room -= len(item.ids)
    if batch:
        yield batch


@dataclass(frozen=True)
class Run:
    """Texts of equal length that follow one another."""

    start: int
    count: int
    length: int

    @property
    def tokens(self) -> slice:
        """Theirs among all."""
        return slice(self.start, self.start + self.count * self.length)


@dataclass(frozen=True, eq=False)
class Packing:
    """Where T tokens of several texts belong."""

    lengths: tuple[int, ...]
    """Of each text, in tokens; none is empty."""
    positions: Tensor
    """Of each token in its text, from 0 ``(T,)``."""
    sizes: Tensor
    """`lengths` ``(texts,)``."""
    starts: Tensor
    """First token of each text ``(texts,)``."""
    ends: Tensor
    """One after its last ``(texts,)``."""
    runs: tuple[Run, ...]

    @classmethod
    def of(cls, lengths: Sequence[int], device: torch.device | None = None) -> Packing:
        """Of texts of these lengths, which had best be sorted by them: equal ones go through attention together."""
        import torch

        if len(lengths) == 1:  # a query: a fifth of the calls
            at, whole = torch.tensor([0, lengths[0]], device=device), Run(0, 1, lengths[0])
            first, end = at[:1], at[1:]
            return cls(tuple(lengths), torch.arange(lengths[0], device=device), end, first, end, (whole,))
        starts = [0, *accumulate(lengths)]
        runs, at = [], 0
        for length, group in groupby(lengths):
            count = sum(1 for _ in group)
            runs.append(Run(at, count, length))
            at += count * length
        sizes = torch.tensor(lengths, dtype=torch.int64, device=device)
        first = torch.tensor(starts[:-1], dtype=torch.int64, device=device)
        positions = torch.arange(at, device=device) - first.repeat_interleave(sizes)
        return cls(tuple(lengths), positions, sizes, first, first + sizes, tuple(runs))
