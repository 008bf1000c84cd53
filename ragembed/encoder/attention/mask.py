"""Attention masks: one description of which keys each query may see, shared by all mechanisms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import and_, index
from typing import TYPE_CHECKING, Any

from ragembed.errors import SpecError

if TYPE_CHECKING:
    import torch
    from torch import Tensor


@dataclass(frozen=True, eq=False)
class Mask:
    """Conditions that all have to hold for a query to see a key.

    With m queries and n keys, query i has position i + n - m among the keys: the last query and the last key are
    aligned, as for the newest tokens of a cache (the bottom-right alignment of FlashAttention from 2.1 on).
    """

    window: tuple[int, int] | None = None
    """How many keys are visible to the left and to the right, beside the query's own position: ``(64, 64)`` makes
    129 keys visible, ``(4095, 0)`` makes 4,096."""
    causal: bool = False
    """A query sees no key at a later position than its own."""
    keep: Tensor | None = None
    """Padding mask ``(batch, n)`` bool: False marks padding, which no query sees. Padding may hold NaN."""
    lengths: Tensor | Sequence[int] | Sequence[Sequence[int]] | None = None
    """Lengths of the documents packed into each row, which do not see one another: ``(documents,)`` for all rows or
    ``(batch, documents)``. Each row sums to n; a length of 0 is an empty document."""
    global_tokens: Tensor | Sequence[int] | None = None
    """Tokens that see, and are seen by, all of their document whatever the window: positions that hold for every row,
    or ``(n,)`` or ``(batch, n)`` bool."""

    def __post_init__(self) -> None:
        window: Any = self.window  # callers may pass anything
        if not isinstance(self.causal, bool):
            raise SpecError(f"causal is {self.causal!r}", "give True or False")
        if window is None:
            return
        pair = isinstance(window, tuple | list) and len(window) == 2
        if not pair or not all(type(side) is int and side >= 0 for side in window):
            raise SpecError(f"window is {window}", "give two numbers from 0: keys to the left, to the right")

    @property
    def asks(self) -> list[str]:
        """Names of the conditions that are set."""
        given = {name: getattr(self, name) is not None for name in CONDITIONS}
        return [name for name, is_set in {**given, "causal": self.causal}.items() if is_set]

    def check(self, batch: int, queries: int, keys: int) -> None:
        """Raise `SpecError` unless all conditions fit tensors of these sizes."""
        import torch

        if self.keep is not None:
            if not isinstance(self.keep, torch.Tensor):
                raise SpecError(f"keep is a {type(self.keep).__name__}", "give a tensor of booleans")
            if tuple(self.keep.shape) != (batch, keys):
                raise SpecError(
                    f"keep has the shape {tuple(self.keep.shape)}, the keys are {batch} x {keys}",
                    "give one value for each key of each row",
                )
            if self.keep.dtype != torch.bool:
                raise SpecError(f"keep is of {self.keep.dtype}", "give booleans: True for keys that are seen")
        for what in ("lengths", "global_tokens"):
            if getattr(self, what) is not None and queries != keys:
                raise SpecError(
                    f"{what} with {queries} queries of {keys} keys",
                    "give as many queries as keys, or leave it out",
                )
        if self.lengths is not None and batch:  # an empty batch has no rows
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

    def documents(self, keys: int, device: torch.device) -> Tensor | None:
        """The index of each token's document ``(1 or batch, keys)``; None without `lengths`."""
        import torch

        if self.lengths is None:
            return None
        rows = [
            torch.repeat_interleave(torch.arange(len(row)), torch.tensor(row, dtype=torch.int64))
            for row in self.document_lengths
        ]
        return torch.stack(rows).to(device).reshape(len(rows), keys)

    def globals(self, batch: int, keys: int, device: torch.device) -> Tensor | None:
        """Which tokens are global ``(1 or batch, keys)`` bool; None without `global_tokens`."""
        import torch

        if self.global_tokens is None:
            return None
        try:
            given = torch.as_tensor(self.global_tokens, device=device)
        except (TypeError, ValueError, RuntimeError) as error:
            raise SpecError(
                f"global tokens are {self.global_tokens!r:.80}", "give positions, or booleans for all tokens"
            ) from error
        if given.dtype != torch.bool:
            whole = not (given.is_floating_point() or given.is_complex())
            if given.ndim != 1 or (
                given.numel() and not (whole and int(given.min()) >= 0 and int(given.max()) < keys)
            ):
                raise SpecError(
                    f"global tokens {given.tolist()} of {keys}", "give positions from 0, below the length"
                )
            return torch.zeros(1, keys, dtype=torch.bool, device=device).index_fill(1, given.long(), True)
        rows = given.shape[0] if given.ndim == 2 else 1
        if given.ndim not in (1, 2) or given.shape[-1] != keys or rows not in (1, batch):
            raise SpecError(
                f"global tokens have the shape {tuple(given.shape)}, the keys are {batch} x {keys}",
                "give one value for each key",
            )
        return given.reshape(rows, keys)

    def allowed(self, batch: int, queries: int, keys: int, device: torch.device) -> Tensor | None:
        """The mask written out ``(1 or batch, queries, keys)`` bool; None if every query sees every key."""
        return self.tiles(batch, queries, keys, device)(slice(0, queries), slice(0, keys))

    def tiles(self, batch: int, queries: int, keys: int, device: torch.device) -> TiledMask:
        """The same, computed tile by tile, so that it never has to be in memory as a whole."""
        self.check(batch, queries, keys)
        return TiledMask(
            self,
            queries,
            keys,
            device,
            self.documents(keys, device),
            self.globals(batch, keys, device),
            None if self.keep is None else self.keep.to(device),
        )

    @property
    def document_lengths(self) -> list[list[int]]:
        """`lengths` as lists: one for all rows, or one for each row."""
        given: Any = self.lengths
        try:
            rows = [row.tolist() if hasattr(row, "tolist") else row for row in given]
            rows = rows if rows and isinstance(rows[0], list | tuple) else [rows]
            return [[index(length) for length in row] for row in rows]
        except TypeError as error:
            raise SpecError(
                f"lengths are {given!r:.80}", "give whole numbers, once for all rows or for each"
            ) from error


CONDITIONS = ("window", "keep", "lengths", "global_tokens")
"""Conditions that are None when they are not set; the other one is `causal`."""
ALL = frozenset({*CONDITIONS, "causal"})
"""Every condition."""


@dataclass(frozen=True, eq=False)
class TiledMask:
    """A mask for given numbers of queries and keys, of which only the tiles asked for are computed."""

    mask: Mask
    queries: int
    keys: int
    device: torch.device
    documents: Tensor | None
    """Document indices ``(1 or batch, keys)``."""
    global_tokens: Tensor | None
    """``(1 or batch, keys)`` bool."""
    keep: Tensor | None
    """``(batch, keys)`` bool."""

    def __call__(self, rows: slice, columns: slice) -> Tensor | None:
        """Which of the keys `columns` each query in `rows` sees ``(1 or batch, rows, columns)``; None if all do."""
        import torch

        shift = self.keys - self.queries
        own = slice(rows.start + shift, rows.stop + shift)  # the queries' positions among the keys
        q_idx = torch.arange(own.start, own.stop, device=self.device)[:, None]
        kv_idx = torch.arange(columns.start, columns.stop, device=self.device)[None, :]
        conditions: list[Tensor] = []
        if self.mask.window is not None:
            longest = max(self.queries, self.keys)
            left, right = (min(side, longest) for side in self.mask.window)  # larger ones would overflow
            near = ((kv_idx >= q_idx - left) & (kv_idx <= q_idx + right))[None]
            if self.global_tokens is not None:
                near = near | self.global_tokens[:, own, None] | self.global_tokens[:, None, columns]
            conditions.append(near)
        if self.mask.causal:
            conditions.append((kv_idx <= q_idx)[None])
        if self.documents is not None:
            conditions.append(self.documents[:, own, None] == self.documents[:, None, columns])
        if self.keep is not None:
            conditions.append(self.keep[:, None, columns].expand(-1, len(q_idx), -1))
        return reduce(and_, conditions) if conditions else None

    def key_range(self, rows: slice) -> slice:
        """A range of keys that holds all that the queries in `rows` see, by causality and window."""
        shift = self.keys - self.queries
        first, last = 0, self.keys
        if self.mask.causal:
            last = rows.stop + shift
        if self.mask.window is not None and self.global_tokens is None:
            first, last = (
                rows.start + shift - self.mask.window[0],
                min(last, rows.stop + shift + self.mask.window[1]),
            )
        first = min(max(0, first), self.keys)
        return slice(first, max(first, min(last, self.keys)))


@dataclass(frozen=True, eq=False)
class SubMask:
    """A mask restricted to a range of queries and a range of keys, both counted from 0."""

    mask: TiledMask
    rows: slice
    columns: slice

    def __call__(self, rows: slice, columns: slice) -> Tensor | None:
        """As `TiledMask`."""
        return self.mask(_shifted(rows, self.rows.start), _shifted(columns, self.columns.start))

    def key_range(self, rows: slice) -> slice:
        """As `TiledMask`; empty if these queries see none of these keys."""
        found = self.mask.key_range(_shifted(rows, self.rows.start))
        first = max(found.start, self.columns.start)
        last = max(first, min(found.stop, self.columns.stop))
        return _shifted(slice(first, last), -self.columns.start)


def _shifted(span: slice, by: int) -> slice:
    return slice(span.start + by, span.stop + by)
