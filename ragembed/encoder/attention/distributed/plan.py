"""What each way to attend over several processes sends, and which of them sends least."""

from __future__ import annotations

from dataclasses import dataclass

from ragembed.encoder.attention.distributed.rotation import Route
from ragembed.encoder.attention.distributed.ulysses import key_copies
from ragembed.errors import SpecError


@dataclass(frozen=True)
class Cost:
    """Of one call of one mechanism, for each process."""

    name: str
    forward: int
    """Bytes sent in the forward pass."""
    backward: int
    """Bytes sent in the backward pass; 0 without one."""
    hop: tuple[int, int]
    """Bytes of a hop from one process to the next, forward and backward; with no hops, of an exchange."""
    seconds: float | None
    """With a bandwidth: of all transfers, or of the computing that hides them, whichever is longer."""
    refused: str | None = None
    """Why it cannot be used here; None: it can."""

    @property
    def sent(self) -> int:
        """Bytes sent in both passes."""
        return self.forward + self.backward


def plan(
    *,
    length: int,
    heads: int,
    kv_heads: int | None = None,
    head_dimension: int,
    processes: int,
    batch: int = 1,
    number: int = 2,
    training: bool = True,
    bandwidth: float | None = None,
    flops: float = 0.0,
) -> list[Cost]:
    """`ring`, `burst` and `ulysses`, the best first: by seconds where a bandwidth is given, or else by bytes sent.

    A token has D = heads x head_dimension numbers in its query and K = kv_heads x head_dimension in its key. Sums that
    go around, which are gradients, travel in float32 at least.

    - ring: 2 K a hop, and 4 K backward.
    - burst: 2 K a hop, and 3 D and two for each head backward: less than ring where K > 3/4 D, and so not where query
      heads share keys.
    - ulysses: (P - 1) / P of 2 D + 2 K, and once more backward, K counted as often as key heads have to be copied.

    Args:
        length: Tokens of a text over all processes.
        heads: Of the query.
        kv_heads: Of the key; None: as many.
        head_dimension: Numbers of a head.
        processes: P.
        batch: Texts at once.
        number: Bytes of a number: 2 for bfloat16, 4 for float32.
        training: With a backward pass.
        bandwidth: Bytes a second from one process to another.
        flops: Multiplications and additions a second of a process, which hide the transfers of `ring` and `burst`;
            0: computing takes no time.

    Raises:
        SpecError: A number below 1, or heads that do not divide.
    """
    kv_heads = heads if kv_heads is None else kv_heads
    sizes = {
        "length": length, "heads": heads, "kv_heads": kv_heads, "head_dimension": head_dimension,
        "processes": processes, "batch": batch, "number": number,
    }  # fmt: skip
    if wrong := [name for name, size in sizes.items() if size < 1]:
        raise SpecError(f"{wrong[0]} is {sizes[wrong[0]]}", "give 1 or more")
    if heads % kv_heads:
        raise SpecError(f"{heads} query heads cannot share {kv_heads} key heads evenly", "give a divisor")
    if length % processes:
        raise SpecError(f"{length} tokens do not go evenly to {processes} processes", "give a multiple")
    tokens = batch * length // processes
    of_queries, of_keys = (count * head_dimension * tokens for count in (heads, kv_heads))
    wide = max(4, number)
    hops = processes - 1
    found = []
    around = {  # what travels as it is, and what is added up on the way and comes home
        "ring": (2 * of_keys * number, 2 * of_keys * wide),
        "burst": (2 * of_queries * number + 2 * heads * tokens * wide, of_queries * wide),
    }
    compute = 4 * batch * length * length / processes * heads * head_dimension / flops if flops else 0.0
    for name, (block, sums) in around.items():
        forward = hops * 2 * of_keys * number
        backward = (hops * block + (processes * sums if hops else 0)) if training else 0
        hop = (2 * of_keys * number, block + sums if training else 0)
        computing = compute * (3.5 if training else 1)  # five products backward beside two forward
        seconds = max((forward + backward) / bandwidth, computing) if bandwidth else None
        found.append(Cost(name, forward, backward, hop, seconds))
    try:
        copies, refused = key_copies(heads, kv_heads, processes), None
    except SpecError as error:
        copies, refused = 1, error.fault
    once = (2 * of_queries + 2 * of_keys * copies) * number * hops // processes
    both = once * (2 if training else 1)
    computing = compute * (3.5 if training else 1)
    seconds = both / bandwidth + computing if bandwidth else None
    found.append(Cost("ulysses", once, both - once, (once, both - once), seconds, refused))

    def order(cost: Cost) -> tuple[bool, float]:
        return cost.refused is not None, cost.sent if cost.seconds is None else cost.seconds

    return sorted(found, key=order)


def hops(processes: int, per_node: int | None = None) -> tuple[int, int]:
    """Hops of a block within nodes and between them, of `processes` in nodes of `per_node`."""
    route = Route.of(processes, per_node)
    between = processes // route.per_node - 1
    return processes - 1 - between, between
