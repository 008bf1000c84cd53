"""Exact attention over texts that no process holds whole, in any process group of torch.

torchrun --nproc-per-node 4 program.py

part = shard(whole, rank, size, layout="zigzag")  # of query, key and value alike
result = attention.get("ring")(query, key, value, attention.Mask(causal=True), layout="zigzag")
best = plan(length=131_072, heads=32, kv_heads=8, head_dimension=128, processes=8)[0]
"""

from __future__ import annotations

from ragembed.encoder.attention.distributed.plan import Cost, plan
from ragembed.encoder.attention.distributed.shards import shard, unshard

__all__ = ["Cost", "plan", "shard", "unshard"]
