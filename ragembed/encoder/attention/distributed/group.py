"""The processes that share a text: what goes from one to another, and what is said when one of them is gone."""

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
    """A process group of torch, of any backend; or this process alone."""

    handle: Any
    """The process group; None where this process is alone."""
    rank: int
    size: int
    timeout: timedelta | None = None
    """How long to wait for another process; None: as long as the group itself."""
    sent: list[int] = field(default_factory=list)
    """Bytes of each message that this process sent."""

    @classmethod
    def of(cls, handle: Any = None, timeout: float | None = None, sent: list[int] | None = None) -> Group:
        """Of a process group; None: of all processes, or this one alone where none was set up."""
        import torch.distributed as dist

        wait = None if timeout is None else timedelta(seconds=timeout)
        sent = [] if sent is None else sent
        if handle is None and not (dist.is_available() and dist.is_initialized()):
            return cls(None, 0, 1, wait, sent)
        rank = dist.get_rank(handle)
        if rank < 0:
            raise SpecError("this process is not in the group", "call it from those that are")
        return cls(handle or dist.group.WORLD, rank, dist.get_world_size(handle), wait, sent)

    def move(self, parts: Sequence[Tensor], to: int, source: int, tag: int) -> Moving:
        """Send `parts` to process `to` while as many of the same shapes come from `source`; do not write to either."""
        import torch
        import torch.distributed as dist

        going = [part.contiguous() for part in parts]
        coming = [torch.empty_like(part) for part in going]
        kinds = [(dist.isend, going, to), (dist.irecv, coming, source)]
        with self.peer_errors():
            peers = [dist.get_global_rank(self.handle, peer) for _, _, peer in kinds]
            works = dist.batch_isend_irecv(
                [
                    dist.P2POp(kind, part, peer, self.handle, tag + at)
                    for (kind, own, _), peer in zip(kinds, peers, strict=True)
                    for at, part in enumerate(own)
                ]
            )
        self.sent.append(sum(part.nbytes for part in going))
        return Moving(self, works, going, coming)

    def all_to_all(self, parts: Tensor) -> Tensor:
        """``(size, ...)``: part r goes to process r, and part r of the result came from there."""
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
        """Every process's tensor, all of one shape, by rank."""
        import torch
        import torch.distributed as dist

        if self.size == 1:
            return [mine]
        found = [torch.empty_like(mine, memory_format=torch.contiguous_format) for _ in range(self.size)]
        with self.peer_errors():
            self.wait(dist.all_gather(found, mine.contiguous(), group=self.handle, async_op=True))
        return found

    def agree(self, what: dict[str, object], where: Any) -> None:
        """`SpecError` in every process unless all of them say the same of everything."""
        import torch

        said = [zlib.crc32(repr(value).encode()) for value in what.values()]
        everyone = torch.stack(self.all_gather(torch.tensor(said, device=where))).cpu()
        for at, (name, value) in enumerate(what.items()):
            others = [rank for rank in range(self.size) if everyone[rank, at] != everyone[self.rank, at]]
            if others:
                raise SpecError(
                    f"process {self.rank} has {name} {value}, process {others[0]} another",
                    "give all processes of the group the same",
                )

    def wait(self, work: Any) -> None:
        """Until a transfer is done; `PeerError` when it fails or takes too long."""
        with self.peer_errors():
            if self.timeout is None:
                work.wait()
            else:
                work.wait(self.timeout)

    @contextmanager
    def peer_errors(self) -> Iterator[None]:
        """`PeerError` for what torch says when another process does not answer."""
        try:
            yield
        except RuntimeError as error:
            first = str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
            raise PeerError(
                f"process {self.rank} of {self.size} lost another while they attended to one text: {first}",
                "look for the first error of the others, then start all of them again",
            ) from error


@dataclass(frozen=True, eq=False)
class Moving:
    """Tensors under way."""

    group: Group
    works: list[Any]
    going: list[Tensor]
    """Held until they have left."""
    coming: list[Tensor]

    def arrive(self) -> list[Tensor]:
        """Wait for them."""
        for work in self.works:
            self.group.wait(work)
        return self.coming
