"""Triton's kernels on a GPU: time and error against PyTorch's flash kernel, and against flex_attention for windows.

16,384 tokens in each run, cut into texts of n; 2,048 numbers to a token, in heads of 64 or 128; bfloat16. Median times
with a cold cache. TFLOP/s count what must be multiplied: 4 d for each key that a query sees, and 2.5 times as much more
for the gradients. Errors are of one head, relative to the definition in float64.

    python -m ragembed.eval.bench.attention_gpu [--lengths 1024,4096,16384] [--only dense,windows]
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from ragembed.encoder.attention import Mask
from ragembed.encoder.attention.gpu import triton_flash
from ragembed.encoder.attention.reference import attention as reference
from ragembed.eval.bench.harness import machine, table

if TYPE_CHECKING:
    from torch import Tensor

TOKENS, NUMBERS = 16_384, 2_048
PARTS = ("dense", "windows")
WINDOWS = ((64, 64), (256, 256), (4095, 0))
HEADER = (
    "ms forward", "of theirs", "TFLOP/s", "ms with gradients", "of theirs", "TFLOP/s", "error", "theirs",
)  # fmt: skip


def tensors(n: int, d: int) -> list[Tensor]:
    """Query, key and value of random numbers, as a projection leaves them in memory."""
    import torch

    random = torch.Generator("cuda").manual_seed(0)
    shape = max(1, TOKENS // n), n, NUMBERS // d, d
    made = (torch.randn(shape, generator=random, device="cuda", dtype=torch.bfloat16) for _ in range(3))
    return [each.transpose(1, 2).requires_grad_() for each in made]


def dense(lengths: list[int]) -> None:
    """All keys, and all up to the query, against PyTorch's flash kernel."""
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.nn.functional import scaled_dot_product_attention

    rows = []
    for d in (64, 128):
        for causal in (False, True):
            for n in lengths:
                q, k, v = tensors(n, d)
                with sdpa_kernel(SDPBackend.FLASH_ATTENTION):
                    theirs = partial(scaled_dot_product_attention, is_causal=causal)
                    rows.append((d, causal, n, *compared(theirs, Mask(causal=causal), q, k, v)))
    table(("head", "causal", "n", *HEADER), rows)


def windows(lengths: list[int]) -> None:
    """A window to each side, against flex_attention compiled with its block mask."""
    import torch
    from torch.nn.attention.flex_attention import create_block_mask, flex_attention

    rows = []
    for d in (64, 128):
        for left, right in WINDOWS:
            for n in lengths:
                if left >= n:
                    continue
                q, k, v = tensors(n, d)
                torch._dynamo.reset()  # after some compilations flex_attention goes on without one
                compiled: Any = torch.compile(flex_attention, dynamic=False)
                blocks = create_block_mask(near(left, right), None, None, n, n, device="cuda")
                theirs = partial(compiled, block_mask=blocks)
                rows.append(
                    (d, f"{left}, {right}", n, *compared(theirs, Mask(window=(left, right)), q, k, v))
                )
    table(("head", "window", "n", *HEADER), rows)


def near(left: int, right: int) -> Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]:
    """A window as flex_attention takes it."""

    def seen(row: Tensor, head: Tensor, query: Tensor, key: Tensor) -> Tensor:
        return (key >= query - left) & (key <= query + right)

    return seen


def compared(theirs: Callable[..., Any], mask: Mask, q: Tensor, k: Tensor, v: Tensor) -> list[float]:
    """The columns of `HEADER`."""
    import torch

    n = q.shape[2]
    seen = mask.allowed(1, n, n, q.device)
    pairs = n * n if seen is None else int(seen.sum())
    work = 4e-12 * pairs * q.shape[3] * q.shape[0] * q.shape[1]
    del seen
    ways: tuple[Callable[[], Tensor], ...] = (
        lambda: triton_flash.attention(q, k, v, mask)[0],
        lambda: theirs(q, k, v),
    )
    up = torch.randn_like(q)
    found: list[float] = []
    for factor, runs in (
        (1.0, ways),
        (3.5, [partial(with_gradients, way, (q, k, v), up) for way in ways]),
    ):
        with torch.set_grad_enabled(factor > 1):
            ours, other = (milliseconds(run) for run in runs)
        found += [ours, other / ours, factor * work / ours * 1000]
    with torch.no_grad():
        exact, _ = reference(q[:1, :1], k[:1, :1], v[:1, :1], mask)
        for way in ways:
            found.append(float((way()[:1, :1].double() - exact).norm() / exact.norm()))
    return found


def with_gradients(way: Callable[[], Tensor], given: tuple[Tensor, ...], up: Tensor) -> object:
    """A result and its gradients."""
    import torch

    return torch.autograd.grad(way(), given, up)


def milliseconds(run: Callable[[], object]) -> float:
    """The median, by the GPU's clock."""
    from triton.testing import do_bench

    found: Any = do_bench(run, warmup=50, rep=200, return_mode="median")
    return float(found)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--lengths", default="1024,2048,4096,8192,16384")
    parser.add_argument("--only", default=",".join(PARTS))
    options = parser.parse_args()
    import torch

    if not (torch.cuda.is_available() and triton_flash.available(torch.empty(1, 1, 1, 64, device="cuda"))):
        raise SystemExit("this needs a GPU, from Ampere on, with CUDA and triton")
    print(f"{torch.cuda.get_device_name()}; {machine('torch', 'triton')}", end="\n\n")
    parts: dict[str, Callable[[list[int]], None]] = {"dense": dense, "windows": windows}
    for name in options.only.split(","):
        parts[name]([int(n) for n in options.lengths.split(",")])


if __name__ == "__main__":
    main()
