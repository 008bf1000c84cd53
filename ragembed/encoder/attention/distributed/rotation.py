"""Blocks that go around a group of processes until each process has seen each of them.

One ring: at every step each process hands the block it holds to the next. Two (``per_node``): a block goes around the
processes of a node, by their fast links, while the block with which that round began is already on its way to the
next node; so a slow link has a whole round for what a fast one has to carry in a step (Sun et al. 2024, section 3.3).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ragembed.encoder.attention.distributed.group import Group, Moving
from ragembed.errors import SpecError

if TYPE_CHECKING:
    from torch import Tensor

_SUMS = 64
"""Tags of messages with sums; those of blocks lie below, by how many steps they are ahead."""


@dataclass(frozen=True)
class Route:
    """Who holds whose block at which step; processes of a node have ranks that follow one another."""

    size: int
    per_node: int

    @classmethod
    def of(cls, size: int, per_node: int | None) -> Route:
        """One ring where `per_node` is None."""
        per_node = size if per_node is None else per_node
        if per_node < 1 or size % per_node:
            raise SpecError(f"{size} processes are not nodes of {per_node}", "give a divisor as per_node")
        return cls(size, per_node)

    def owner(self, rank: int, step: int) -> int:
        """Whose block process `rank` holds."""
        return self._moved(rank, step, -1)

    def holder(self, owner: int, step: int) -> int:
        """Who holds the block of process `owner`."""
        return self._moved(owner, step, 1)

    def ahead(self, step: int) -> list[int]:
        """To which later steps a block sets out: to the next, and at the start of a round to the next round."""
        turn = step % self.per_node
        later = [step + 1] if turn + 1 < self.per_node else []
        if turn == 0 and step + self.per_node < self.size:
            later.append(step + self.per_node)
        return later

    def _moved(self, rank: int, step: int, sign: int) -> int:
        (node, place), (round_, turn) = divmod(rank, self.per_node), divmod(step, self.per_node)
        nodes = self.size // self.per_node
        return (node + sign * round_) % nodes * self.per_node + (place + sign * turn) % self.per_node


Visit = Callable[[int, list["Tensor"]], Sequence["Tensor"]]
"""The owner of a block and the block -> what to add to the owner's sums."""


def rotate(group: Group, route: Route, block: Sequence[Tensor], visit: Visit) -> list[Tensor]:
    """Show every process's `block` to `visit`, own first, each while the next is under way.

    What `visit` returns is added up behind the block, by each process that it passes, and comes home at the end: the
    sums of this process's own block. Where it returns nothing, nothing travels behind.
    """
    held = list(block)
    sums: list[Tensor] = []
    under_way: dict[int, Moving] = {}
    behind: Moving | None = None
    for step in range(route.size):
        owner = route.owner(group.rank, step)
        for later in route.ahead(step):
            source = route.holder(route.owner(group.rank, later), step)
            tag = 0 if later == step + 1 else len(held)
            under_way[later] = group.move(held, route.holder(owner, later), source, tag)
        sums = list(visit(owner, held))
        if behind is not None:
            sums = [own.add_(other) for own, other in zip(sums, behind.arrive(), strict=True)]
        if sums and route.size > 1:
            last = step + 1 == route.size
            home = owner if last else route.holder(owner, step + 1)
            mine = group.rank if last else route.owner(group.rank, step + 1)
            behind = group.move(sums, home, route.holder(mine, step), _SUMS)
        if step + 1 in under_way:
            held = under_way.pop(step + 1).arrive()
    return sums if behind is None else behind.arrive()
