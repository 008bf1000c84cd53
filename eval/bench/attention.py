"""Attention: time and error of mechanisms against PyTorch's fused kernel, and inside models of transformers.

In turns, after one that is not counted, in processor time, on one thread: 12 heads of 64 numbers, no gradient. Beside
each ratio stands the ideal one, n / (left + right + 1), of a window; the rest is what blocks compute and mask away.

    python -m ragembed.eval.bench.attention [--lengths 4096,8192] [--repeat 3] [--only windows,growth,flash,models]
"""

from __future__ import annotations

import argparse
import math
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ragembed.encoder import attention
from ragembed.eval.bench.harness import alternate, machine, table
from ragembed.threads import set_threads

if TYPE_CHECKING:
    from torch import Tensor

HEADS, SIZE = 12, 64
PARTS = ("windows", "growth", "flash", "models")


def tensors(n: int, dtype: Any) -> list[Tensor]:
    """Query, key and value of random numbers."""
    import torch

    random = torch.Generator().manual_seed(0)
    return [torch.randn(1, HEADS, n, SIZE, generator=random).to(dtype) for _ in range(3)]


def windows(lengths: list[int], repeat: int) -> None:
    """Sliding windows against the whole matrix."""
    import torch
    from torch.nn.functional import scaled_dot_product_attention as dense

    banded, rows = attention.get("sliding_window"), []
    for dtype in (torch.float32, torch.bfloat16):
        for n in lengths:
            q, k, v = tensors(n, dtype)
            for side in (64, 256):
                mask = attention.Mask(window=(side, side))
                seconds = alternate(
                    {"dense": lambda: dense(q, k, v), "banded": lambda: banded(q, k, v, mask)},
                    repeat,
                    time.process_time,
                )
                a, b, c = (each[:, :, :2048] for each in (q, k, v))
                exact = dense(a.float(), b.float(), c.float(), attn_mask=band(a.shape[2], side))
                error = (banded(a, b, c, mask).float() - exact).abs().max()
                ratio, ideal = seconds["dense"] / seconds["banded"], n / (2 * side + 1)
                rows.append(
                    (
                        str(dtype)[6:],
                        n,
                        side,
                        *(1000 * s for s in seconds.values()),
                        ratio,
                        ideal,
                        float(error),
                    )
                )
    table(("type", "n", "window to each side", "dense ms", "ours ms", "ratio", "ideal", "error"), rows)


def band(n: int, side: int) -> Tensor:
    """The mask of a window ``(n, n)``."""
    import torch

    at = torch.arange(n)
    return (at[:, None] - at[None, :]).abs() <= side


def growth(repeat: int) -> None:
    """The exponent of time in n from 4,096 to 32,768."""
    import torch

    banded, rows = attention.get("sliding_window"), []
    for side in (64, 256):
        mask = attention.Mask(window=(side, side))
        seconds = {}
        for n in (4096, 8192, 16384, 32768):
            q, k, v = tensors(n, torch.float32)
            run = {"": lambda: banded(q, k, v, mask)}
            seconds[n] = alternate(run, repeat, time.process_time)[""]
        exponent = math.log(seconds[32768] / seconds[4096]) / math.log(8)
        rows.append((side, *(1000 * s for s in seconds.values()), exponent))
    table(("window to each side", "4,096 ms", "8,192 ms", "16,384 ms", "32,768 ms", "exponent"), rows)


def flash(repeat: int) -> None:
    """The readable FlashAttention against the fused kernel and the definition: time, and memory beside inputs."""
    import torch
    from torch.nn.functional import scaled_dot_product_attention as dense

    q, k, v = tensors(4096, torch.float32)
    runs: dict[str, Callable[[], object]] = {
        name: partial(each, q, k, v)
        for name, each in (
            ("fused", dense),
            ("naive", naive),
            ("flash1", attention.get("flash1")),
            ("flash2", attention.get("flash2")),
        )
    }
    seconds = alternate(runs, repeat, time.process_time)
    memory = {name: extra_memory(name) for name in runs}
    rows = [
        (name, 1000 * s, s / seconds["fused"], memory[name], f"{memory[name] / memory['naive']:.1%}")
        for name, s in seconds.items()
    ]
    table(("n = 4,096", "ms", "times the fused kernel's", "extra MB", "of naive"), rows)


def naive(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Attention as one writes it down."""
    import torch

    return torch.softmax(q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1]), dim=-1) @ v


def extra_memory(name: str) -> float:
    """MB by which one call raises the resident peak of a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "ragembed.eval.bench.attention", "--peak", name],
        check=True,
        capture_output=True,
        text=True,
    )
    return float(done.stdout)


def peak(name: str) -> None:
    """Print the rise of the peak, in this process."""
    import torch
    from torch.nn.functional import scaled_dot_product_attention as dense

    q, k, v = tensors(4096, torch.float32)
    run: Any = dense if name == "fused" else naive if name == "naive" else attention.get(name)
    run(*(each[:, :, :128] for each in (q, k, v)))  # whatever is loaded by the first call
    Path("/proc/self/clear_refs").write_text("5")  # the peak is what is held now
    before = _held("VmHWM")
    run(q, k, v)
    print(_held("VmHWM") - before)


def _held(what: str) -> float:
    """MB, as Linux tells it of this process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{what}:")) / 1024


def models(repeat: int) -> None:
    """A ModernBERT of random weights, one global and two local layers, by transformers' own attention and by ours."""
    import torch
    import transformers

    from ragembed.encoder.attention.hugging_face import register

    rows = []
    for n in (1024, 4096):
        made: dict[str, Any] = {}
        kind: Any = transformers.ModernBertModel
        for name in ("sdpa", register()):
            torch.manual_seed(0)
            # one config for both would have both attend by the name that was set last
            config = transformers.ModernBertConfig(num_hidden_layers=3, max_position_embeddings=8192)
            made[name] = kind._from_config(config, attn_implementation=name).eval()
        ids = torch.randint(0, 1000, (1, n))
        seconds = alternate(
            {name: partial(model, ids) for name, model in made.items()}, repeat, time.process_time
        )
        one, other = (model(ids).last_hidden_state for model in made.values())
        difference = float((one - other).abs().max())
        rows.append(
            ("ModernBERT, 3 layers", n, *(1000 * s for s in seconds.values()),
             seconds["sdpa"] / seconds["ragembed"], difference)
        )  # fmt: skip
    table(("model", "n", "sdpa ms", "ours ms", "ratio", "largest difference"), rows)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--lengths", default="1024,4096,8192")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--only", default=",".join(PARTS))
    parser.add_argument("--peak", help=argparse.SUPPRESS)
    options = parser.parse_args()
    set_threads(1)
    import torch

    with torch.no_grad():
        if options.peak:
            peak(options.peak)
            return
        print(machine("torch", "transformers"), end="\n\n")
        parts: dict[str, Callable[[], None]] = {
            "windows": lambda: windows([int(n) for n in options.lengths.split(",")], options.repeat),
            "growth": lambda: growth(options.repeat),
            "flash": lambda: flash(options.repeat),
            "models": lambda: models(options.repeat),
        }
        for name in options.only.split(","):
            parts[name]()


if __name__ == "__main__":
    main()
