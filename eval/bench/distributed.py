"""Attention over several processes: what each of them holds and sends, against one process that has the whole text.

12 query heads of 64 numbers, float32, forward and backward, gloo, one thread a process, causal, zigzag. Memory is the
rise of a process's resident peak over what it held when it had its part of the text; bytes are those of the messages.
With more processes than cores the clock says nothing of many machines, so no time is given but the share of it in
which a process waited for another.

    python -m ragembed.eval.bench.distributed [--length 16384] [--kv-heads 12,4] [--processes 2,4,8]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from typing import Any

from ragembed.encoder import attention
from ragembed.encoder.attention.distributed import plan, shard
from ragembed.eval.bench.harness import machine, peak_rise, table
from ragembed.threads import set_threads

HEADS, SIZE = 12, 64
NAMES = ("ring", "burst", "ulysses")


def child(name: str, length: int, kv_heads: int, rank: int, size: int, store: str) -> None:
    """Print what one process of a group measured."""
    import torch
    import torch.distributed as dist

    set_threads(1)
    if size > 1:
        dist.init_process_group("gloo", f"file://{store}", world_size=size, rank=rank)
    random = torch.Generator().manual_seed(0)
    parts = []
    for heads in (HEADS, kv_heads, kv_heads, HEADS):
        whole = torch.randn(1, heads, length, SIZE, generator=random)
        parts.append(shard(whole, rank, size, layout="zigzag").requires_grad_())
        del whole
    query, key, value, up = parts
    mask, sent = attention.Mask(causal=True), list[int]()
    waiting = [0.0]
    if size > 1:
        watch(waiting)
    tiny = [each[:, :, : 2 * size].detach() for each in (query, key, value)]
    attention.get(name)(
        tiny[0], tiny[1], tiny[2], mask, layout="zigzag"
    )  # whatever is loaded by the first call
    waiting[0], started, forward = 0.0, time.perf_counter(), 0

    def both() -> None:
        nonlocal forward
        out = attention.get(name)(query, key, value, mask, layout="zigzag", sent=sent)
        forward = sum(sent)
        out.backward(up)

    rise = peak_rise(both)
    seconds = time.perf_counter() - started
    print(json.dumps({"rise": rise, "forward": forward, "backward": sum(sent) - forward,
                      "waited": waiting[0] / seconds}), flush=True)  # fmt: skip
    os._exit(0)


def watch(waiting: list[float]) -> None:
    """Add up in `waiting` the seconds that `Group.wait` takes."""
    from ragembed.encoder.attention.distributed.group import Group

    plain = Group.wait

    def timed(self: Any, work: Any) -> None:
        started = time.perf_counter()
        plain(self, work)
        waiting[0] += time.perf_counter() - started

    Group.wait = timed  # type: ignore[method-assign]


def run(name: str, length: int, kv_heads: int, size: int) -> list[dict[str, float]]:
    """What each of `size` processes measured."""
    with tempfile.TemporaryDirectory() as folder:
        given = [sys.executable, "-m", "ragembed.eval.bench.distributed", "--child", name]
        given += ["--length", str(length), "--kv-heads", str(kv_heads), "--processes", str(size)]
        started = [
            subprocess.Popen(
                [*given, "--rank", str(rank), "--store", f"{folder}/store"],
                # memory that is freed goes back at once, so that the peak is what is held
                env=os.environ | {"GLOO_SOCKET_IFNAME": "lo", "MALLOC_MMAP_THRESHOLD_": "65536"},
                stdout=subprocess.PIPE,
                text=True,
            )
            for rank in range(size)
        ]
        found = [process.communicate()[0] for process in started]
    return [json.loads(text.splitlines()[-1]) for text in found]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--length", type=int, default=16384)
    parser.add_argument("--kv-heads", default="12,4")
    parser.add_argument("--processes", default="2,4,8")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--rank", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--store", default="", help=argparse.SUPPRESS)
    options = parser.parse_args()
    heads = [int(each) for each in options.kv_heads.split(",")]
    sizes = [int(each) for each in options.processes.split(",")]
    if options.child:
        child(options.child, options.length, heads[0], options.rank, sizes[0], options.store)
    print(machine("torch") + "\n")
    rows: list[tuple[object, ...]] = []
    for kv_heads in heads:
        for name in NAMES:
            least = None
            for size in sizes:
                costs = plan(length=options.length, heads=HEADS, kv_heads=kv_heads, head_dimension=SIZE,
                             processes=size, number=4)  # fmt: skip
                told = next(cost for cost in costs if cost.name == name)
                if told.refused:
                    continue
                found = run(name, options.length, kv_heads, size)
                rise = max(each["rise"] for each in found)
                least = rise if least is None else least
                exact = all((e["forward"], e["backward"]) == (told.forward, told.backward) for e in found)
                rows.append((f"{HEADS}:{kv_heads}", name, size, f"{rise:.0f}", rise / least,
                             told.forward / 1e6, told.backward / 1e6, "yes" if exact else "no",
                             f"{max(each['waited'] for each in found):.0%}"))  # fmt: skip
    table(("heads", "", "processes", "peak rise MB", "of the first", "sent forward MB", "backward MB",
           "as planned", "waited"), rows)  # fmt: skip


if __name__ == "__main__":
    main()
