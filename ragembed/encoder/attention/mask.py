"""Which key each query may see: one description for all mechanisms, and what each of them does with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import and_
from typing import TYPE_CHECKING, Any

from ragembed.errors import SpecError

if TYPE_CHECKING:
    from torch import Tensor, device


@dataclass(frozen=True, eq=False)
class Mask:
    """All conditions hold at once. Query i of m stands at place i + n - m among n keys, so that both end together."""

    window: tuple[int, int] | None = None
    """Keys seen to the left and to the right, both ends included: ``(64, 64)`` sees 129, ``(4095, 0)`` sees 4,096."""
    causal: bool = False
    """No key to the right of a query's place is seen."""
    keep: Tensor | None = None
    """``(batch, n)`` bool: False for padding, which no query sees. NaN there reaches no result."""
    lengths: Tensor | Sequence[int] | Sequence[Sequence[int]] | None = None
    """Documents that lie one after the other in each row and do not see one another: ``(documents,)`` for all rows or
    ``(batch, documents)``; the sum is n. 0 is an empty one."""
    global_tokens: Tensor | Sequence[int] | None = None
    """Tokens that see, and are seen by, all of their document, whatever the window: places, or ``(batch, n)`` bool."""

    def __post_init__(self) -> None:
        window: Any = self.window  # from outside
        if window is None:
            return
        if len(window) != 2 or not all(isinstance(side, int) and side >= 0 for side in window):
            raise SpecError(f"window is {window}", "give two numbers from 0: keys to the left, to the right")

    @property
    def asks(self) -> list[str]:
        """Names of the conditions that are set."""
        given = {name: getattr(self, name) is not None for name in CONDITIONS}
        return [name for name, there in {**given, "causal": self.causal}.items() if there]

    def check(self, batch: int, queries: int, keys: int) -> None:
        """`SpecError` unless all parts fit tensors of that size."""
        if self.keep is not None:
            if tuple(self.keep.shape) != (batch, keys):
                raise SpecError(
                    f"keep has the shape {tuple(self.keep.shape)}, the keys are {batch} x {keys}",
                    "give one value for each key of each row",
                )
            if str(self.keep.dtype) != "torch.bool":
                raise SpecError(f"keep is of {self.keep.dtype}", "give booleans: True for keys that are seen")
        for what in ("lengths", "global_tokens"):
            if getattr(self, what) is not None and queries != keys:
                raise SpecError(
                    f"{what} with {queries} queries of {keys} keys",
                    "give as many queries as keys, or leave it out",
                )
        if self.lengths is not None:
            rows = self.document_lengths
            if len(rows) not in (1, batch):
                raise SpecError(
                    f"lengths are of {len(rows)} rows, the batch has {batch}", "give one row, or all"
                )
            if wrong := [row for row in rows if sum(row) != keys or min(row, default=0) < 0]:
                raise SpecError(
                    f"documents of lengths {wrong[0][:8]} have {sum(wrong[0])} tokens, a row has {keys}",
                    "give lengths from 0 that sum up to the row",
                )

    def documents(self, keys: int, where: device) -> Tensor | None:
        """The number of each key's document ``(1 or batch, keys)``; None where there is one."""
        import torch

        if self.lengths is None:
            return None
        rows = [
            torch.repeat_interleave(torch.arange(len(row)), torch.tensor(row, dtype=torch.int64))
            for row in self.document_lengths
        ]
        return torch.stack(rows).to(where).reshape(len(rows), keys)

    def globals(self, batch: int, keys: int, where: device) -> Tensor | None:
        """Which tokens are global ``(1 or batch, keys)`` bool; None where none is."""
        import torch

        if self.global_tokens is None:
            return None
        given = torch.as_tensor(self.global_tokens, device=where)
        if given.dtype != torch.bool:
            if given.ndim != 1 or (given.numel() and not (int(given.min()) >= 0 and int(given.max()) < keys)):
                raise SpecError(
                    f"global tokens {given.tolist()} of {keys}", "give places from 0, below the length"
                )
            return torch.zeros(1, keys, dtype=torch.bool, device=where).index_fill(1, given.long(), True)
        if given.shape[-1] != keys or given.ndim > 2 or (given.ndim == 2 and len(given) not in (1, batch)):
            raise SpecError(
                f"global tokens have the shape {tuple(given.shape)}, the keys are {batch} x {keys}",
                "give one value for each key",
            )
        return given.reshape(1 if given.ndim == 1 else len(given), keys)

    def allowed(self, batch: int, queries: int, keys: int, where: device) -> Tensor | None:
        """Which key each query sees ``(1 or batch, queries, keys)`` bool; None where all see all."""
        return self.tiles(batch, queries, keys, where)(slice(0, queries), slice(0, keys))

    def tiles(self, batch: int, queries: int, keys: int, where: device) -> Tiles:
        """The same piece by piece, of which no two have to be held at once."""
        self.check(batch, queries, keys)
        return Tiles(
            self,
            queries,
            keys,
            where,
            self.documents(keys, where),
            self.globals(batch, keys, where),
            None if self.keep is None else self.keep.to(where),
        )

    @property
    def document_lengths(self) -> list[list[int]]:
        """`lengths` as lists, one for all rows or one for each."""
        given: Any = self.lengths
        rows: list[Any] = given.tolist() if hasattr(given, "tolist") else list(given)
        return [list(row) for row in rows] if rows and isinstance(rows[0], list | tuple) else [rows]


CONDITIONS = ("window", "keep", "lengths", "global_tokens")
"""What may be left out by None; and there is `causal`."""
ALL = frozenset({*CONDITIONS, "causal"})
"""Every condition."""


@dataclass(frozen=True, eq=False)
class Tiles:
    """A mask over given numbers of queries and keys, computed where it is asked for."""

    mask: Mask
    queries: int
    keys: int
    where: device
    documents: Tensor | None
    """``(1 or batch, keys)``"""
    everywhere: Tensor | None
    """``(1 or batch, keys)``: global tokens."""
    keep: Tensor | None
    """``(batch, keys)``"""

    def __call__(self, rows: slice, columns: slice) -> Tensor | None:
        """Whether queries `rows` see keys `columns` ``(1 or batch, rows, columns)``; None where all do."""
        import torch

        shift = self.keys - self.queries
        own = slice(rows.start + shift, rows.stop + shift)  # where the queries stand among the keys
        at = torch.arange(own.start, own.stop, device=self.where)[:, None]
        key = torch.arange(columns.start, columns.stop, device=self.where)[None, :]
        conditions: list[Tensor] = []
        if self.mask.window is not None:
            left, right = self.mask.window
            near = ((key >= at - left) & (key <= at + right))[None]
            if self.everywhere is not None:
                near = near | self.everywhere[:, own, None] | self.everywhere[:, None, columns]
            conditions.append(near)
        if self.mask.causal:
            conditions.append((key <= at)[None])
        if self.documents is not None:
            conditions.append(self.documents[:, own, None] == self.documents[:, None, columns])
        if self.keep is not None:
            conditions.append(self.keep[:, None, columns].expand(-1, len(at), -1))
        return reduce(and_, conditions) if conditions else None

    def reach(self, rows: slice) -> slice:
        """Keys outside of which queries `rows` see nothing."""
        shift = self.keys - self.queries
        first, last = 0, self.keys
        if self.mask.causal:
            last = rows.stop + shift
        if self.mask.window is not None and self.everywhere is None:
            first, last = (
                rows.start + shift - self.mask.window[0],
                min(last, rows.stop + shift + self.mask.window[1]),
            )
        first = min(max(0, first), self.keys)
        return slice(first, max(first, min(last, self.keys)))


@dataclass(frozen=True, eq=False)
class Part:
    """Some queries and some keys of a mask, both counted from 0."""

    whole: Tiles
    rows: slice
    columns: slice

    def __call__(self, rows: slice, columns: slice) -> Tensor | None:
        """As `Tiles`."""
        return self.whole(_moved(rows, self.rows.start), _moved(columns, self.columns.start))

    def reach(self, rows: slice) -> slice:
        """As `Tiles`; empty where these queries see none of these keys."""
        found = self.whole.reach(_moved(rows, self.rows.start))
        first = max(found.start, self.columns.start)
        last = max(first, min(found.stop, self.columns.stop))
        return _moved(slice(first, last), -self.columns.start)


def _moved(part: slice, by: int) -> slice:
    return slice(part.start + by, part.stop + by)
