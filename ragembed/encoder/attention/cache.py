"""Caches of keys and values, for causal encoders that read a stream token by token or chunk by chunk.

A cache never moves what it holds: a new token takes the slot of the one that falls out, and an array of slot positions
says which token each slot holds. Who sees whom is read from those positions alone, so the order of the slots does not
matter. Of m new tokens, each sees just what it would see if they came one by one.

    cache = RollingCache(4096)
    for query, key, value in chunks:  # (batch, heads, m, d), keys and values of fewer heads if need be
        result = attend(cache, query, key, value, rotate=rope)  # the shape of the query

Rows of a batch go forward together. No gradient passes: this is for inference.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING

from ragembed.encoder.attention.kernels import fused
from ragembed.encoder.attention.mechanism import check_tensors
from ragembed.errors import SpecError

if TYPE_CHECKING:
    from torch import Tensor

Rotate = Callable[["Tensor", "Tensor"], "Tensor"]
"""Tensors ``(batch, heads, m, d)`` and positions ``(m,)`` -> the tensors rotated."""


class Cache(ABC):
    """Keys and values of tokens gone by. Shape, type and device are those of the first that come."""

    def __init__(self) -> None:
        self.length = 0
        """Tokens that came, held or not: the position of the next."""
        self._held: tuple[Tensor, Tensor, Tensor] | None = None

    def append(self, key: Tensor, value: Tensor) -> Tensor:
        """Store the next m tokens; their positions ``(m,)``. `SpecError` where they do not fit those held."""
        import torch

        self.check(key, value)
        m = key.shape[2]
        held = self._held = self._room(self._held or _empty(key, value, 0), m)
        positions = torch.arange(self.length, self.length + m, device=key.device)
        stored = self._stored(m).to(key.device)  # of the m, those that stay
        slots = self._slots(stored + self.length)
        held[0].index_copy_(2, slots, key.detach()[:, :, stored])
        held[1].index_copy_(2, slots, value.detach()[:, :, stored])
        held[2].index_copy_(0, slots, stored + self.length)
        self.length += m
        return positions

    def view(self) -> tuple[Tensor, Tensor, Tensor]:
        """All that is held, nothing copied: keys, values and the position of the token in each slot ``(slots,)``.

        The next `append` writes over it. `SpecError` before the first.
        """
        if self._held is None:
            raise SpecError("the cache is empty", "append keys and values first")
        key, value, positions = self._held
        n = self._filled()
        return key[:, :, :n], value[:, :, :n], positions[:n]

    def check(self, key: Tensor, value: Tensor) -> None:
        """`SpecError` unless they fit each other and those held."""
        check_tensors(key, key, value)
        if self._held is None:
            return
        for name, new, old in zip(("keys", "values"), (key, value), self._held[:2], strict=True):
            ours, theirs = ((*each.shape[:2], each.shape[3]) for each in (old, new))
            if ours != theirs or old.dtype != new.dtype or old.device != new.device:
                raise SpecError(
                    f"the cache holds {name} of (batch, heads, dimension) {ours}, {old.dtype} on {old.device}, "
                    f"and got {theirs}, {new.dtype} on {new.device}",
                    "go on as you began, or take a new cache",
                )

    @property
    def nbytes(self) -> int:
        """Memory taken, in bytes, with slots that are still free."""
        return sum(each.numel() * each.element_size() for each in self._held or ())

    @abstractmethod
    def sees(self, query: Tensor, key: Tensor) -> Tensor:
        """Whether tokens at positions ``(m,)`` see those at positions ``(n,)``: ``(m, n)`` bool."""

    @abstractmethod
    def keeps(self, m: int) -> bool:
        """Whether m more tokens push out none that one of them sees."""

    @abstractmethod
    def _room(self, held: tuple[Tensor, Tensor, Tensor], m: int) -> tuple[Tensor, Tensor, Tensor]:
        """`held`, with slots for m more tokens."""

    @abstractmethod
    def _stored(self, m: int) -> Tensor:
        """Which of the next m tokens stay."""

    @abstractmethod
    def _slots(self, positions: Tensor) -> Tensor: ...

    @abstractmethod
    def _filled(self) -> int:
        """Slots in use: the first ones."""


class FullCache(Cache):
    """Every token, in memory that grows with the stream."""

    def sees(self, query: Tensor, key: Tensor) -> Tensor:
        """Itself and all before."""
        return key <= query[:, None]

    def keeps(self, m: int) -> bool:
        """None is pushed out."""
        return True

    def _room(self, held: tuple[Tensor, Tensor, Tensor], m: int) -> tuple[Tensor, Tensor, Tensor]:
        there = held[2].shape[0]
        if self.length + m <= there:
            return held
        wider = _empty(*held[:2], max(self.length + m, 2 * there))  # doubled: few copies in a long stream
        for new, old, axis in zip(wider, held, (2, 2, 0), strict=True):
            new.narrow(axis, 0, there).copy_(old)
        return wider

    def _stored(self, m: int) -> Tensor:
        import torch

        return torch.arange(m)

    def _slots(self, positions: Tensor) -> Tensor:
        return positions

    def _filled(self) -> int:
        return self.length


class _Ring(Cache):
    """The first `sinks` tokens and the newest `recent`, in memory that does not grow."""

    def __init__(self, sinks: int, recent: int) -> None:
        super().__init__()
        self.sinks, self.recent = sinks, recent

    def sees(self, query: Tensor, key: Tensor) -> Tensor:
        """Itself, the ``recent - 1`` before, and the sinks."""
        query = query[:, None]
        return (key <= query) & ((key > query - self.recent) | (key < self.sinks))

    def keeps(self, m: int) -> bool:
        """As long as there are free slots; and one token sees none of those that it pushes out."""
        return m <= 1 or self.length + m <= self.sinks + self.recent

    def _room(self, held: tuple[Tensor, Tensor, Tensor], m: int) -> tuple[Tensor, Tensor, Tensor]:
        slots = self.sinks + self.recent
        return held if held[2].shape[0] == slots else _empty(*held[:2], slots)

    def _stored(self, m: int) -> Tensor:
        import torch

        first = min(m, max(0, self.sinks - self.length))  # the sinks among them
        return torch.cat([torch.arange(first), torch.arange(max(first, m - self.recent), m)])

    def _slots(self, positions: Tensor) -> Tensor:
        ring = self.sinks + (positions - self.sinks) % self.recent
        return ring.where(positions >= self.sinks, positions)

    def _filled(self) -> int:
        return min(self.length, self.sinks + self.recent)


class RollingCache(_Ring):
    """The newest `window` tokens: the rolling buffer of Jiang et al. 2023 (Mistral 7B, section 2).

    Position p lies in slot p mod window. The results are those of a mask with ``window=(window - 1, 0)``.
    """

    def __init__(self, window: int) -> None:
        """`window` counts the newest token itself."""
        if window < 1:
            raise SpecError(f"window is {window}", "give 1 or more")
        super().__init__(0, window)


class SinkCache(_Ring):
    """The first tokens and the newest ones: attention sinks (Xiao et al. 2023, StreamingLLM, section 3.2).

    A softmax has to put its weight somewhere, and models learn to put it on the first tokens; a window that leaves
    them behind breaks such a model. Keys are rotated by their place among the tokens held, not in the text, so that no
    place reaches `sinks` + `recent`; they are stored as they are, and rotated at each step.
    """

    def __init__(self, sinks: int = 4, recent: int = 512) -> None:
        """`recent` counts the newest token itself."""
        if sinks < 0 or recent < 1:
            raise SpecError(f"sinks is {sinks}, recent {recent}", "give sinks from 0 and recent from 1")
        super().__init__(sinks, recent)

    def places(self, positions: Tensor, newest: int) -> Tensor:
        """Where tokens stand among those held once the one at position `newest` has come, from 0."""
        gone = max(0, newest + 1 - self.sinks - self.recent)
        return positions - gone * (positions >= self.sinks).long()


def attend(
    cache: Cache,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    *,
    rotate: Rotate | None = None,
    scale: float | None = None,
    chunk: int = 1024,
) -> Tensor:
    """Append m tokens to `cache`, and let each attend to all it sees: those held, and those of the m up to itself.

    Args:
        cache: What came before; it is changed.
        query: ``(batch, heads, m, d)``, before any rotation.
        key: ``(batch, kv_heads, m, d)``, before any rotation; kv_heads divides heads.
        value: ``(batch, kv_heads, m, d)``.
        rotate: Rotates queries and keys by their positions, so that products depend on distances alone, as RoPE does;
            None: keys come as they shall be stored.
        scale: Of the inner products; None: 1 / sqrt(d).
        chunk: Longer inputs go in pieces of that many tokens, which bounds memory and changes no result.

    Returns:
        ``(batch, heads, m, d)``. Exact: that of softmax attention over the tokens seen.

    Raises:
        SpecError: Shapes or types do not fit one another or the cache.
    """
    import torch

    check_tensors(query, key, value)
    cache.check(key, value)
    if query.shape[2] != key.shape[2]:
        raise SpecError(
            f"there are {query.shape[2]} queries and {key.shape[2]} keys",
            "give one of each for every new token",
        )
    if chunk < 1:
        raise SpecError(f"chunk is {chunk}", "give 1 or more")
    with torch.no_grad():
        pieces = zip(*(each.split(chunk, dim=2) for each in (query, key, value)), strict=True)
        return torch.cat([_piece(cache, q, k, v, rotate, scale) for q, k, v in pieces], dim=2)


def _piece(
    cache: Cache, query: Tensor, key: Tensor, value: Tensor, rotate: Rotate | None, scale: float | None
) -> Tensor:
    import torch

    m, first = query.shape[2], cache.length
    at = torch.arange(first, first + m, device=query.device)
    if rotate is not None and not isinstance(cache, SinkCache):
        query, key = rotate(query, at), rotate(key, at)
    keeps = cache.keeps(m)
    keys, values, slots = key, value, at
    if not keeps and first:  # the first of the m still see some that the last push out
        held = cache.view()
        keys, values = (torch.cat(pair, dim=2) for pair in zip(held[:2], (key, value), strict=True))
        slots = torch.cat([held[2], at])
    cache.append(key, value)
    if keeps:
        keys, values, slots = cache.view()
    allowed = None if m == 1 else cache.sees(at, slots)[None, None]
    if rotate is not None and isinstance(cache, SinkCache):
        return _attend_by_place(cache, query, keys, values, (at, slots), allowed, rotate, scale)
    return fused(query, keys, values, allowed, scale=scale)


def _attend_by_place(
    cache: SinkCache,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    positions: tuple[Tensor, Tensor],
    allowed: Tensor | None,
    rotate: Rotate,
    scale: float | None,
) -> Tensor:
    """Each query as if alone: from where it stands, the sinks never get farther than the cache is long.

    Distances to recent tokens are those of the text, but those to sinks stop growing. Where both occur in one chunk,
    queries are rotated for each, and lie side by side: (q for recent, q for sinks) times (k, 0) or (0, k).
    """
    import torch
    import torch.nn.functional as functional

    (at, slots), d, e, full = positions, query.shape[3], value.shape[3], cache.sinks + cache.recent
    first = cache.length - len(at)
    near, key = rotate(query, cache.places(at, first)), rotate(key, cache.places(slots, first))
    if len(at) <= 1 or cache.length <= full or not cache.sinks:
        return fused(near, key, value, allowed, scale=scale)
    sink = (slots < cache.sinks)[:, None]
    query = torch.cat([near, rotate(query, at.clamp(max=full - 1))], dim=3)
    key = torch.cat([key.masked_fill(sink, 0), key.masked_fill(~sink, 0)], dim=3)
    value = functional.pad(value, (0, d))  # the fused kernel wants values as wide as keys
    return fused(query, key, value, allowed, scale=1 / math.sqrt(d) if scale is None else scale)[..., :e]


def _empty(key: Tensor, value: Tensor, slots: int) -> tuple[Tensor, Tensor, Tensor]:
    import torch

    shapes = ((*each.shape[:2], slots, each.shape[3]) for each in (key, value))
    keys, values = (each.new_zeros(shape) for each, shape in zip((key, value), shapes, strict=True))
    return keys, values, torch.full((slots,), -1, dtype=torch.int64, device=key.device)
