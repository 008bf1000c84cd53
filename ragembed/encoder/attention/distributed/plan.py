"""The communication cost of each mechanism over several processes."""

from __future__ import annotations

from dataclasses import dataclass

from ragembed.encoder.attention.distributed.ulysses import key_copies
from ragembed.errors import SpecError


@dataclass(frozen=True)
class Cost:
    """The cost of one call of a mechanism, for each process."""

    name: str
    forward: int
    """Bytes sent in the forward pass."""
    backward: int
    """Bytes sent in the backward pass; 0 if there is none."""
    hop: tuple[int, int]
    """Bytes of one hop from a process to the next, forward and backward; for `ulysses` those of all its exchanges."""
    seconds: float | None
    """With a bandwidth: `ring` and `burst`: of all transfers or of all computation, whichever takes longer, since they
    overlap; `ulysses`: of both together. None without a bandwidth."""
    refused: str | None = None
    """Why the mechanism cannot be used here; None: it can."""

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
    """The costs of `ring`, `burst` and `ulysses`, the best first: by seconds if a bandwidth is given, else by bytes.

    A token has D = heads x head_dimension numbers in its query and K = kv_heads x head_dimension in its key. Gradients,
    which are summed on the way, are sent at least in float32.

    - ring: 2 K numbers a token and hop forward, 4 K backward.
    - burst: 2 K a token and hop forward, 3 D and two for each head backward: less than ring if K > 3/4 D, and so not if
      query heads share keys.
    - ulysses: (P - 1) / P of 2 D + 2 K a token in each pass, with K times the number of copies of key heads.

    Args:
        length: Tokens of the whole text.
        heads: Query heads.
        kv_heads: Key heads; None: as many as query heads.
        head_dimension: Numbers of a head.
        processes: P.
        batch: Texts in a batch.
        number: Bytes of a number: 2 for bfloat16, 4 for float32.
        training: Whether there is a backward pass.
        bandwidth: Bytes per second from one process to another.
        flops: Floating-point operations per second of a process; 0: computation takes no time.

    Raises:
        SpecError: A size below 1, or heads or tokens that do not divide evenly.
    """
    kv_heads = heads if kv_heads is None else kv_heads
    sizes = {
        "length": length, "heads": heads, "kv_heads": kv_heads, "head_dimension": head_dimension,
        "processes": processes, "batch": batch, "number": number,
    }  # fmt: skip
    if (bandwidth is not None and not bandwidth > 0) or not flops >= 0:
        raise SpecError(
            f"bandwidth is {bandwidth}, flops {flops}", "give a bandwidth above 0, and flops from 0"
        )
    if wrong := [name for name, size in sizes.items() if size < 1]:
        raise SpecError(f"{wrong[0]} is {sizes[wrong[0]]}", "give 1 or more")
    if heads % kv_heads:
        raise SpecError(f"{heads} query heads cannot share {kv_heads} key heads evenly", "give a divisor")
    if length % processes:
        raise SpecError(
            f"{length} tokens cannot be divided evenly among {processes} processes", "give a multiple"
        )
    tokens = batch * length // processes
    of_queries, of_keys = (count * head_dimension * tokens for count in (heads, kv_heads))
    wide = max(4, number)
    hops = processes - 1
    found = []
    backward_of = {  # bytes of what is sent unchanged, and of the gradients that are summed on the way
        "ring": (2 * of_keys * number, 2 * of_keys * wide),
        "burst": (2 * of_queries * number + 2 * heads * tokens * wide, of_queries * wide),
    }
    compute = 4 * batch * length * length / processes * heads * head_dimension / flops if flops else 0.0
    for name, (block, sums) in backward_of.items():
        forward = hops * 2 * of_keys * number
        backward = (hops * block + (processes * sums if hops else 0)) if training else 0
        hop = (2 * of_keys * number, block + sums if training else 0)
        computing = compute * (3.5 if training else 1)  # five matrix products backward, two forward
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
