"""The processes that share a text: messages between them, and one error for a process that is gone or silent."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from ragembed.errors import PeerError, SpecError

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, eq=False)
class Group:
    """A torch process group of any backend, or this process alone."""

    handle: Any
    """The process group; None if this process is alone."""
    rank: int
    size: int
    timeout: timedelta | None = None
    """How long to wait for another process; None: the group's own timeout."""
    sent: list[int] = field(default_factory=list)
    """Bytes of each message that this process sent."""

    @classmethod
    def from_torch(
        cls, handle: Any = None, timeout: float | None = None, sent: list[int] | None = None
    ) -> Group:
        """From a process group; None: all processes, or this one alone if torch.distributed is not initialised."""
        import torch.distributed as dist

        wait = None if timeout is None else timedelta(seconds=timeout)
        sent = [] if sent is None else sent
        if handle is None and not (dist.is_available() and dist.is_initialized()):
            return cls(None, 0, 1, wait, sent)
        member = handle is None or (dist.is_available() and isinstance(handle, dist.ProcessGroup))
        rank = dist.get_rank(handle) if member else -1  # those outside get a number for a group
        if rank < 0:
            raise SpecError("this process is not in the group", "call it from those that are")
        return cls(handle or dist.group.WORLD, rank, dist.get_world_size(handle), wait, sent)

    def exchange(self, parts: Sequence[Tensor], to: int, source: int, tag: int) -> Transfer:
        """Start to send `parts` to process `to` and to receive tensors of the same shapes from process `source`.

        Neither may be written to before the transfer has finished.
        """
        import torch
        import torch.distributed as dist

        outgoing = [part.contiguous() for part in parts]
        incoming = [torch.empty_like(part) for part in outgoing]
        kinds = [(dist.isend, outgoing, to), (dist.irecv, incoming, source)]
        with self.peer_errors():
            peers = [dist.get_global_rank(self.handle, peer) for _, _, peer in kinds]
            works = dist.batch_isend_irecv(
                [
                    dist.P2POp(kind, part, peer, self.handle, tag + at)
                    for (kind, own, _), peer in zip(kinds, peers, strict=True)
                    for at, part in enumerate(own)
                ]
            )
        self.sent.append(sum(part.nbytes for part in outgoing))
        return Transfer(self, works, outgoing, incoming)

    def all_to_all(self, parts: Tensor) -> Tensor:
        """Send ``parts[r]`` of ``(size, ...)`` to process r; ``result[r]`` is what process r has sent."""
        import torch
        import torch.distributed as dist

        if self.size == 1:
            return parts
        parts, found = parts.contiguous(), torch.empty_like(parts, memory_format=torch.contiguous_format)
        with self.peer_errors():
            self.wait(dist.all_to_all_single(found, parts, group=self.handle, async_op=True))
        self.sent.append(parts.nbytes // self.size * (self.size - 1))
        return found

    def all_gather(self, mine: Tensor) -> list[Tensor]:
        """The tensors of all processes, which have the same shape, by rank."""
        import torch
        import torch.distributed as dist

        if self.size == 1:
            return [mine]
        found = [torch.empty_like(mine, memory_format=torch.contiguous_format) for _ in range(self.size)]
        with self.peer_errors():
            self.wait(dist.all_gather(found, mine.contiguous(), group=self.handle, async_op=True))
        return found

    def agree(self, what: dict[str, object], device: Any) -> None:
        """Raise `SpecError` in every process unless all processes pass equal values."""
        import torch

        checksums = [zlib.crc32(repr(value).encode()) for value in what.values()]
        everyone = torch.stack(self.all_gather(torch.tensor(checksums, device=device))).cpu()
        for at, (name, value) in enumerate(what.items()):
            others = [rank for rank in range(self.size) if everyone[rank, at] != everyone[self.rank, at]]
            if others:
                raise SpecError(
                    f"process {self.rank} has {name} {value!s:.200}, process {others[0]} another",
                    "give all processes of the group the same",
                )

    def wait(self, work: Any) -> None:
        """Wait for a transfer; `PeerError` if it fails or takes longer than the timeout."""
        with self.peer_errors():
            if self.timeout is None:
                work.wait()
            else:
                work.wait(self.timeout)

    @contextmanager
    def peer_errors(self) -> Iterator[None]:
        """Turn the errors that torch raises when another process does not answer into `PeerError`."""
        try:
            yield
        except RuntimeError as error:
            first = str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
            raise PeerError(
                f"process {self.rank} of {self.size} lost contact with another one: {first}",
                "look for the first error of the others, then start all of them again",
            ) from error


@dataclass(frozen=True, eq=False)
class Transfer:
    """A transfer that has been started."""

    group: Group
    works: list[Any]
    outgoing: list[Tensor]
    """Kept alive until they have been sent."""
    incoming: list[Tensor]

    def wait(self) -> list[Tensor]:
        """Wait for the transfer, and return the received tensors."""
        for work in self.works:
            self.group.wait(work)
        return self.incoming
