"""Attention: time and error of mechanisms against PyTorch's fused kernel, and inside models of transformers.

In turns, after one that is not counted, in processor time, on one thread: 12 heads of 64 numbers, no gradient. Beside
each ratio stands the ideal one, n / (left + right + 1), of a window; the rest is what blocks compute and mask away.

    python -m ragembed.eval.bench.attention [--lengths 4096,8192] [--repeat 3] [--only windows,growth]
"""

from __future__ import annotations

import argparse
import math
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from ragembed.encoder import attention
from ragembed.eval.bench.harness import alternate, machine, peak_rise, table
from ragembed.threads import set_threads

if TYPE_CHECKING:
    from torch import Tensor

HEADS, SIZE = 12, 64
PARTS = ("windows", "growth", "flash", "longformer", "models")


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
    print(peak_rise(lambda: run(q, k, v)))


def longformer(repeat: int) -> None:
    """Longformer's attention as transformers has it and as ours, of the same tokens, one of them global.

    The layer of transformers has projections in it: modules that return their input take their place, so that only
    the attention is timed.
    """
    import torch
    from transformers import LongformerConfig
    from transformers.models.longformer.modeling_longformer import LongformerSelfAttention

    class Given(torch.nn.Module):  # type: ignore[misc]
        def __init__(self, copy: bool) -> None:
            super().__init__()
            self.copy = copy

        def forward(self, x: Tensor) -> Tensor:
            return x.clone() if self.copy else x

    ours, rows = attention.get("longformer"), []
    for side in (64, 256):
        config = LongformerConfig(
            hidden_size=HEADS * SIZE, num_attention_heads=HEADS, attention_window=[2 * side],
            attention_probs_dropout_prob=0.0,
        )  # fmt: skip
        layer: Any = LongformerSelfAttention(config, 0).eval()  # type: ignore[no-untyped-call]
        for name, each in list(layer.named_children()):
            if isinstance(each, torch.nn.Linear):
                setattr(layer, name, Given(copy="query" in name))  # which the layer writes over
        for n in (2048, 4096):
            hidden = torch.randn(1, n, HEADS * SIZE) / 2
            first = torch.zeros(1, n, dtype=torch.bool)
            first[:, 0] = True
            given = {
                "attention_mask": first.float() * 10000, "is_index_masked": torch.zeros_like(first),
                "is_index_global_attn": first, "is_global_attn": True,
            }  # fmt: skip
            x = hidden.unflatten(-1, (HEADS, SIZE)).transpose(1, 2)
            mask = attention.Mask(window=(side, side), global_tokens=[0])
            runs: dict[str, Callable[[], Any]] = {
                "theirs": partial(layer, hidden, **given),
                "ours": partial(ours, x, x, x, mask),
            }
            seconds = alternate(runs, repeat, time.process_time)
            difference = (runs["theirs"]()[0] - runs["ours"]().transpose(1, 2).flatten(2)).abs().max()
            rows.append(
                (n, side, *(1000 * s for s in seconds.values()), seconds["theirs"] / seconds["ours"],
                 float(difference))
            )  # fmt: skip
    table(("n", "window to each side", "transformers' ms", "ours ms", "ratio", "largest difference"), rows)


def models(repeat: int) -> None:
    """A ModernBERT of random weights, one global and two local layers, by transformers' own attention and by ours."""
    import torch
    import transformers

    from ragembed.encoder.attention.hugging_face import register

    rows = []
    for dtype, n in (
        (torch.float32, 1024),
        (torch.float32, 4096),
        (torch.float32, 8192),
        (torch.bfloat16, 4096),
    ):
        made: dict[str, Any] = {}
        kind: Any = transformers.ModernBertModel
        for name in ("sdpa", register()):
            torch.manual_seed(0)
            # one config for both would have both attend by the name that was set last
            config = transformers.ModernBertConfig(num_hidden_layers=3, max_position_embeddings=8192)
            made[name] = kind._from_config(config, attn_implementation=name).eval().to(dtype)
        ids = torch.randint(0, 1000, (1, n))
        seconds = alternate(
            {name: partial(model, ids) for name, model in made.items()}, repeat, time.process_time
        )
        one, other = (model(ids).last_hidden_state for model in made.values())
        difference = float((one - other).abs().max())
        rows.append(
            ("ModernBERT, 3 layers", str(dtype)[6:], n, *(1000 * s for s in seconds.values()),
             seconds["sdpa"] / seconds["ragembed"], difference)
        )  # fmt: skip
    table(("model", "type", "n", "sdpa ms", "ours ms", "ratio", "largest difference"), rows)


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
            "longformer": lambda: longformer(options.repeat),
            "models": lambda: models(options.repeat),
        }
        for name in options.only.split(","):
            parts[name]()


if __name__ == "__main__":
    main()
