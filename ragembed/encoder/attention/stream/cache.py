"""KV caches for causal encoders that read a stream; `streaming` attends with them.

A cache never moves what it holds: a new token takes the slot of the one that it evicts, and an array of slot positions
says which token each slot holds. Visibility depends on these positions alone, so the order of the slots does not
matter. All rows of a batch advance together.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from ragembed.encoder.attention.mechanism import check_tensors
from ragembed.encoder.attention.options import check_call
from ragembed.errors import SpecError

if TYPE_CHECKING:
    from torch import Tensor


class Cache(ABC):
    """Keys and values of past tokens. The first ones appended determine shape, type and device."""

    def __init__(self) -> None:
        self.length = 0
        """Tokens appended so far, held or evicted: the position of the next token."""
        self._held: tuple[Tensor, Tensor, Tensor] | None = None

    def append(self, key: Tensor, value: Tensor) -> Tensor:
        """Append the next m tokens and return their positions ``(m,)``; `SpecError` if they do not fit those held."""
        import torch

        self.check(key, value)
        m = key.shape[2]
        held = self._held = self._room(self._held or _empty(key, value, 0), m)
        positions = torch.arange(self.length, self.length + m, device=key.device)
        stored = self._stored(m).to(key.device)  # those of the m that are not evicted at once
        slots = self._slots(stored + self.length)
        held[0].index_copy_(2, slots, key.detach()[:, :, stored])
        held[1].index_copy_(2, slots, value.detach()[:, :, stored])
        held[2].index_copy_(0, slots, stored + self.length)
        self.length += m
        return positions

    def view(self) -> tuple[Tensor, Tensor, Tensor]:
        """Keys, values, and the position of the token in each slot ``(slots,)``, without a copy.

        The next `append` overwrites them. `SpecError` before the first one.
        """
        if self._held is None:
            raise SpecError("the cache is empty", "append keys and values first")
        key, value, positions = self._held
        n = self._filled()
        return key[:, :, :n], value[:, :, :n], positions[:n]

    def check(self, key: Tensor, value: Tensor) -> None:
        """Raise `SpecError` unless key and value fit each other and those held."""
        check_tensors(key, key, value)
        if self._held is None:
            return
        for name, new, old in zip(("keys", "values"), (key, value), self._held[:2], strict=True):
            ours, theirs = ((*each.shape[:2], each.shape[3]) for each in (old, new))
            if ours != theirs or old.dtype != new.dtype or old.device != new.device:
                raise SpecError(
                    f"the cache holds {name} of (batch, heads, dimension) {ours}, {old.dtype} on {old.device}, "
                    f"and got {theirs}, {new.dtype} on {new.device}",
                    "append tensors like the first ones, or use a new cache",
                )

    @property
    def nbytes(self) -> int:
        """Memory in bytes, including free slots."""
        return sum(each.numel() * each.element_size() for each in self._held or ())

    @abstractmethod
    def sees(self, query: Tensor, key: Tensor) -> Tensor:
        """Which tokens at positions `key` ``(n,)`` those at positions `query` ``(m,)`` see: ``(m, n)`` bool."""

    @abstractmethod
    def keeps(self, m: int) -> bool:
        """Whether appending m tokens evicts none that one of them sees."""

    @abstractmethod
    def _room(self, held: tuple[Tensor, Tensor, Tensor], m: int) -> tuple[Tensor, Tensor, Tensor]:
        """`held`, with slots for m more tokens if the cache grows."""

    @abstractmethod
    def _stored(self, m: int) -> Tensor:
        """Indices of those of the next m tokens that are still held after all of them have been appended."""

    @abstractmethod
    def _slots(self, positions: Tensor) -> Tensor:
        """The slot of the token at each position."""

    @abstractmethod
    def _filled(self) -> int:
        """The number of slots in use, which come first."""


class FullCache(Cache):
    """Holds every token, in memory linear in the stream."""

    def sees(self, query: Tensor, key: Tensor) -> Tensor:
        """A token sees itself and all earlier ones."""
        return key <= query[:, None]

    def keeps(self, m: int) -> bool:
        """Always: no token is evicted."""
        return True

    def _room(self, held: tuple[Tensor, Tensor, Tensor], m: int) -> tuple[Tensor, Tensor, Tensor]:
        slots = held[2].shape[0]
        if self.length + m <= slots:
            return held
        grown = _empty(*held[:2], max(self.length + m, 2 * slots))  # doubled: few copies in a long stream
        for new, old, axis in zip(grown, held, (2, 2, 0), strict=True):
            new.narrow(axis, 0, slots).copy_(old)
        return grown

    def _stored(self, m: int) -> Tensor:
        import torch

        return torch.arange(m)

    def _slots(self, positions: Tensor) -> Tensor:
        return positions

    def _filled(self) -> int:
        return self.length


class _RingBuffer(Cache):
    """Holds the first `sinks` tokens and the newest `recent`, in constant memory."""

    def __init__(self, sinks: int, recent: int) -> None:
        super().__init__()
        self.sinks, self.recent = sinks, recent

    def sees(self, query: Tensor, key: Tensor) -> Tensor:
        """A token sees itself, the ``recent - 1`` before it, and the sinks."""
        query = query[:, None]
        return (key <= query) & ((key > query - self.recent) | (key < self.sinks))

    def keeps(self, m: int) -> bool:
        """If there are enough free slots, or for a single token, which does not see the one that it evicts."""
        return m <= 1 or self.length + m <= self.sinks + self.recent

    def _room(self, held: tuple[Tensor, Tensor, Tensor], m: int) -> tuple[Tensor, Tensor, Tensor]:
        slots = self.sinks + self.recent
        return held if held[2].shape[0] == slots else _empty(*held[:2], slots)

    def _stored(self, m: int) -> Tensor:
        import torch

        first = min(m, max(0, self.sinks - self.length))  # those of the m that are sinks
        return torch.cat([torch.arange(first), torch.arange(max(first, m - self.recent), m)])

    def _slots(self, positions: Tensor) -> Tensor:
        ring = self.sinks + (positions - self.sinks) % self.recent
        return ring.where(positions >= self.sinks, positions)

    def _filled(self) -> int:
        return min(self.length, self.sinks + self.recent)


class RollingCache(_RingBuffer):
    """Holds the newest `window` tokens: the rolling buffer cache of Jiang et al. 2023 (Mistral 7B, section 2).

    Position p is held in slot p mod window. Results equal those of a mask with ``window=(window - 1, 0)``.
    """

    def __init__(self, window: int) -> None:
        """`window` includes the newest token."""
        check_call(RollingCache, window=window)
        if window < 1:
            raise SpecError(f"window is {window}", "give 1 or more")
        super().__init__(0, window)


class SinkCache(_RingBuffer):
    """Holds the first tokens and the newest ones: attention sinks (Xiao et al. 2023, StreamingLLM, section 3.2).

    A softmax has to put its weight somewhere, and models learn to put it on the first tokens; a window that loses them
    breaks such a model. Positional rotations use a token's index within the cache, not in the text, so that it stays
    below `sinks` + `recent`; keys are therefore stored unrotated, and rotated at each step.
    """

    def __init__(self, sinks: int = 4, recent: int = 512) -> None:
        """`recent` includes the newest token."""
        check_call(SinkCache, sinks=sinks, recent=recent)
        if sinks < 0 or recent < 1:
            raise SpecError(f"sinks is {sinks}, recent {recent}", "give sinks from 0 and recent from 1")
        super().__init__(sinks, recent)

    def cache_index(self, positions: Tensor, newest: int) -> Tensor:
        """The index of tokens within the cache, from 0, once the token at position `newest` has been appended."""
        evicted = max(0, newest + 1 - self.sinks - self.recent)
        return positions - evicted * (positions >= self.sinks).long()


def _empty(key: Tensor, value: Tensor, slots: int) -> tuple[Tensor, Tensor, Tensor]:
    import torch

    shapes = ((*each.shape[:2], slots, each.shape[3]) for each in (key, value))
    with torch.inference_mode(False):  # a cache that is begun in inference mode goes on outside of it
        keys, values = (each.new_zeros(shape) for each, shape in zip((key, value), shapes, strict=True))
        return keys, values, torch.full((slots,), -1, dtype=torch.int64, device=key.device)
