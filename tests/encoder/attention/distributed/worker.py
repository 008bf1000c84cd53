"""One process of a group: `python worker.py JOB RANK SIZE FOLDER`. Tests start it and read what it leaves."""

from __future__ import annotations

import json
import os
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from safetensors.torch import save_file

from ragembed.encoder import attention
from ragembed.encoder.attention.distributed import shard
from ragembed.encoder.attention.reference import attention as reference
from ragembed.errors import RagembedError

N = 96
"""Tokens of a text: 2, 4 and twice as many processes divide it."""
MASKS: dict[str, dict[str, Any]] = {
    "all": {},
    "causal": {"causal": True},
    "window": {"window": (9, 20)},
    "documents": {"causal": True, "lengths": [30, 0, 37, 29]},
    "padding": {"keep": 0.7},
    "dead": {"causal": True, "keep": 0.0},
    "global": {"window": (5, 5), "global_tokens": [0, 50], "lengths": [60, 36]},
}
CASES = [
    {"name": name, "mask": mask, "kv_heads": kv_heads, "layout": layout}
    for name in ("ring", "burst", "ulysses")
    for mask, kv_heads, layout in (
        ("all", 4, "contiguous"),
        ("causal", 4, "zigzag"),
        ("causal", 2, "contiguous"),
        ("window", 4, "zigzag"),
        ("documents", 2, "contiguous"),
        ("documents", 1, "zigzag"),
        ("padding", 4, "contiguous"),
        ("dead", 2, "zigzag"),
        ("global", 4, "zigzag"),
    )
]
HALF = [
    {"name": name, "mask": "causal", "kv_heads": 2, "layout": "zigzag", "dtype": "bfloat16"}
    for name in ("ring", "burst", "ulysses")
]
NODES = [
    {"name": name, "mask": mask, "kv_heads": 2, "layout": "zigzag", "per_node": per_node}
    for name in ("ring", "burst")
    for mask, per_node in (("causal", 2), ("all", 1), ("documents", 2))
]


def tensors(case: dict[str, Any]) -> tuple[list[torch.Tensor], torch.Tensor]:
    """Query, key, value and the gradient of the result, of the whole text."""
    random = torch.Generator().manual_seed(len(case["mask"]) + case["kv_heads"])
    dtype = getattr(torch, case.get("dtype", "float32"))
    heads = (4, case["kv_heads"], case["kv_heads"], 4)
    q, k, v, up = (torch.randn(2, count, N, 8, generator=random).to(dtype) for count in heads)
    return [q, k, v], up


def mask_of(case: dict[str, Any]) -> attention.Mask:
    """Of the whole text."""
    given = dict(MASKS[case["mask"]])
    if "keep" in given:
        random = torch.Generator().manual_seed(1)
        given["keep"] = torch.rand(2, N, generator=random) < given["keep"]
    return attention.Mask(**given)


def equal(rank: int, size: int, folder: Path, cases: list[dict[str, Any]]) -> None:
    """This process's results and gradients of all cases, and the bytes that it sent."""
    found: dict[str, torch.Tensor] = {}
    for at, case in enumerate(cases):
        whole, up = tensors(case)
        layout = case["layout"]
        parts = [shard(each, rank, size, layout=layout).requires_grad_() for each in whole]
        mask = mask_of(case)
        if mask.keep is not None:
            own = shard(mask.keep, rank, size, layout=layout, dim=1)
            mask = attention.Mask(mask.window, mask.causal, own, mask.lengths, mask.global_tokens)
        sent: list[int] = []
        options = {"per_node": case["per_node"]} if "per_node" in case else {}
        out = attention.get(case["name"])(*parts, mask, layout=layout, sent=sent, timeout=60, **options)
        forward = sum(sent)
        out.backward(shard(up, rank, size, layout=layout))
        found[f"{at}.out"] = out.detach().contiguous()
        found[f"{at}.sent"] = torch.tensor([forward, sum(sent) - forward])
        for name, part in zip("qkv", parts, strict=True):
            assert part.grad is not None
            found[f"{at}.{name}"] = part.grad.contiguous()
    save_file(found, folder / f"{rank}.safetensors")


def apart(rank: int, size: int, name: str) -> None:
    """Each process asks for the gradient of another tensor, and gets it."""
    whole, up = tensors({"mask": "all", "kv_heads": 4})
    parts = [shard(each, rank, size).requires_grad_(at == rank % 3) for at, each in enumerate(whole)]
    out = attention.get(name)(parts[0], parts[1], parts[2], timeout=20)
    (found,) = torch.autograd.grad(out, parts[rank % 3], shard(up, rank, size))
    exact = [each.double().requires_grad_() for each in whole]
    (expected,) = torch.autograd.grad(
        (up.double() * reference(exact[0], exact[1], exact[2])[0]).sum(), exact[rank % 3]
    )
    torch.testing.assert_close(found.double(), shard(expected, rank, size), atol=1e-5, rtol=0)


def refused(rank: int, size: int) -> dict[str, str]:
    """What is said of calls that do not go together."""
    q = torch.zeros(1, 6, 8, 4)
    pair = dist.new_group([0, 1])
    grown = torch.zeros(1, 6, 8, 4, requires_grad=rank == 0)
    ring, ulysses = attention.get("ring"), attention.get("ulysses")
    calls: dict[str, Any] = {
        "length": lambda: ring(*[q[:, :, : 8 - rank]] * 3),
        "mask": lambda: ring(q, q, q, attention.Mask(causal=rank == 0)),
        "keep": lambda: ring(q, q, q, attention.Mask(keep=torch.ones(1, 8, dtype=torch.bool) if rank else None)),
        "layout": lambda: ring(q, q, q, layout="spiral"),
        "zigzag": lambda: ring(q[:, :, :7], q[:, :, :7], q[:, :, :7], layout="zigzag"),
        "lengths": lambda: ring(q, q, q, attention.Mask(lengths=[8])),
        "nodes": lambda: ring(q, q, q, per_node=3),
        "heads": lambda: ulysses(q, q, q),
        "outside": lambda: ring(q, q, q, group=pair),
        "gradient": lambda: ring(grown, q, q),
        "per_node": lambda: ring(q, q, q, per_node=2 if rank else None),
        "mechanism": lambda: attention.get("ring" if rank else "burst")(q, q, q),
    }  # fmt: skip
    said = {}
    for name, call in calls.items():
        try:
            call()
            said[name] = ""
        except RagembedError as error:
            said[name] = f"{type(error).__name__}: {error}"
    return said


def lost(rank: int, how: str) -> str:
    """What process 0 says, and after how long, when process 1 is gone or says nothing in the middle of a ring."""
    q = torch.randn(1, 2, 64, 4, requires_grad=True)
    out = attention.get("ring")(q, q, q, timeout=3)
    dist.barrier()
    if rank == 1:
        if how == "gone":
            os._exit(0)
        time.sleep(8)
        os._exit(0)
    started = time.monotonic()
    try:
        out.sum().backward()
    except RagembedError as error:
        return f"{time.monotonic() - started:.1f} {type(error).__name__}: {error}"
    return "nothing"


def main() -> None:
    job, (rank, size), folder = sys.argv[1], map(int, sys.argv[2:4]), Path(sys.argv[4])
    torch.set_num_threads(1)
    store = f"file://{folder / 'store'}"
    dist.init_process_group("gloo", store, timedelta(seconds=60), world_size=size, rank=rank)
    if job == "equal":
        equal(rank, size, folder, CASES + HALF + (NODES if size == 4 else []))
        for name in ("ring", "burst", "ulysses"):
            apart(rank, size, name)
    else:
        said = refused(rank, size) if job == "refused" else lost(rank, job)
        (folder / f"{rank}.json").write_text(json.dumps(said))
    if job in ("equal", "refused"):
        dist.barrier()
    os._exit(0)  # what torch tidies up may wait for processes that are gone


if __name__ == "__main__":
    main()
