"""Ring communication: blocks are passed around a group of processes until every process has seen every block.

With a single ring, each process passes its current block to the next one at every step. With two (``per_node``), a
block goes around the processes of a node over their fast links, while the block with which the round began is already
being sent to the next node: a slow link has a whole round for what a fast link transfers in a step (the double ring of
Gu et al. 2024, LoongTrain).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ragembed.encoder.attention.distributed.group import Group, Transfer
from ragembed.errors import SpecError

if TYPE_CHECKING:
    from torch import Tensor

_SUMS = 64
"""The first tag of messages with sums; those with blocks have smaller tags."""


@dataclass(frozen=True)
class Route:
    """Which process holds whose block at which step. The processes of a node have consecutive ranks."""

    size: int
    per_node: int

    @classmethod
    def create(cls, size: int, per_node: int | None) -> Route:
        """A single ring if `per_node` is None."""
        per_node = size if per_node is None else per_node
        if per_node < 1 or size % per_node:
            raise SpecError(
                f"{size} processes cannot be divided into nodes of {per_node}", "give a divisor as per_node"
            )
        return cls(size, per_node)

    def owner(self, rank: int, step: int) -> int:
        """The process whose block process `rank` holds."""
        return self._moved(rank, step, -1)

    def holder(self, owner: int, step: int) -> int:
        """The process that holds the block of process `owner`."""
        return self._moved(owner, step, 1)

    def ahead(self, step: int) -> list[int]:
        """The later steps for which blocks are sent: the next, and at the start of a round the next round's first."""
        turn = step % self.per_node
        later = [step + 1] if turn + 1 < self.per_node else []
        if turn == 0 and step + self.per_node < self.size:
            later.append(step + self.per_node)
        return later

    def _moved(self, rank: int, step: int, sign: int) -> int:
        (node, local_rank), (round_, turn) = divmod(rank, self.per_node), divmod(step, self.per_node)
        nodes = self.size // self.per_node
        return (node + sign * round_) % nodes * self.per_node + (local_rank + sign * turn) % self.per_node


Visit = Callable[[int, list["Tensor"]], Sequence["Tensor"]]
"""The rank of a block's owner and the block -> tensors to add to the owner's sums."""


def rotate(group: Group, route: Route, block: Sequence[Tensor], visit: Visit) -> list[Tensor]:
    """Call `visit` with every process's block, this one's own first, while the next block is being transferred.

    What `visit` returns is summed over all processes: the sums follow their block from process to process, one step
    behind, and return to its owner. The result is the sums of this process's own block; empty if `visit` returns none.
    """
    held = list(block)
    sums: list[Tensor] = []
    in_flight: dict[int, Transfer] = {}
    behind: Transfer | None = None
    for step in range(route.size):
        owner = route.owner(group.rank, step)
        for later in route.ahead(step):
            source = route.holder(route.owner(group.rank, later), step)
            tag = 0 if later == step + 1 else len(held)
            in_flight[later] = group.exchange(held, route.holder(owner, later), source, tag)
        sums = list(visit(owner, held))
        if behind is not None:
            sums = [own.add_(other) for own, other in zip(sums, behind.wait(), strict=True)]
        if sums and route.size > 1:
            last = step + 1 == route.size
            home = owner if last else route.holder(owner, step + 1)
            mine = group.rank if last else route.owner(group.rank, step + 1)
            behind = group.exchange(sums, home, route.holder(mine, step), _SUMS)
        if step + 1 in in_flight:
            held = in_flight.pop(step + 1).wait()
    return sums if behind is None else behind.wait()
