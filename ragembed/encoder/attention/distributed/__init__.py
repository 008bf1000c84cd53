"""Exact attention over texts that are sharded across the processes of a torch process group (sequence parallelism).

    torchrun --nproc-per-node 4 program.py

and in the program, in each process:

    query, key, value = (shard(whole, rank, size, layout="zigzag") for whole in (queries, keys, values))
    result = attention.get("ring")(query, key, value, attention.Mask(causal=True), layout="zigzag")

`plan` says which mechanism sends least:

    best = plan(length=131_072, heads=32, kv_heads=8, head_dimension=128, processes=8)[0]
"""

from __future__ import annotations

from ragembed.encoder.attention.distributed.plan import Cost, plan
from ragembed.encoder.attention.distributed.shards import shard, unshard

__all__ = ["Cost", "plan", "shard", "unshard"]
