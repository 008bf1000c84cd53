"""Caches of keys and values, for causal encoders that read a stream; `streaming` attends with them.

A cache never moves what it holds: a new token takes the slot of the one that falls out, and an array of slot positions
says which token each slot holds. Who sees whom is read from those positions alone, so the order of the slots does not
matter. Rows of a batch go forward together.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from ragembed.encoder.attention.mechanism import check_tensors
from ragembed.errors import SpecError

if TYPE_CHECKING:
    from torch import Tensor


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


def _empty(key: Tensor, value: Tensor, slots: int) -> tuple[Tensor, Tensor, Tensor]:
    import torch

    shapes = ((*each.shape[:2], slots, each.shape[3]) for each in (key, value))
    keys, values = (each.new_zeros(shape) for each, shape in zip((key, value), shapes, strict=True))
    return keys, values, torch.full((slots,), -1, dtype=torch.int64, device=key.device)
