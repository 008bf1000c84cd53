"""HyperAttention against PyTorch's exact kernel: time, and beside it what the result is off.

One thread, processor time, in turns: 12 heads of 64, float32, of independent normal numbers, and where the collection
is there, layer 4 of MiniLM, 12 heads of 32. The error is the one that the paper bounds: the operator norm of the
difference, relative to the norm of the weights times the norm of the values; the mean over seeds for one head of three
kinds of queries and keys, and over layers and some heads of MiniLM. "nothing" is the error of a result of 0, for scale.
Of MiniLM also, layer by layer, the Frobenius norm of the difference relative to that of the result, and the mean cosine
of the two results of a token.

    python -m ragembed.eval.bench.hyper [--lengths 8192 16384] [--repeat 2] [--seeds 2] [--collection FOLDER]
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ragembed.encoder import attention
from ragembed.eval.bench.attention_problems import DRAWS, Problem, minilm
from ragembed.eval.bench.harness import SHARED, alternate, machine, table
from ragembed.threads import set_threads

if TYPE_CHECKING:
    from torch import Tensor

HEADS, WIDTH = 12, 64
STEPS = 3
"""Of subspace iteration; 6 change the third digit of no norm here."""
KINDS: dict[str, dict[str, Any]] = {
    "paper": {"residual": "sample"},
    "paper, control variate": {"residual": "sample", "control_variate": True},
    "3 cells": {"probes": 3},
    "default: 5 cells": {},
    "10 cells": {"probes": 10},
}
CAUSAL = ("paper", "default: 5 cells")
HYPER = attention.get("hyper")


def exact(query: Tensor, key: Tensor, value: Tensor, causal: bool = False) -> Tensor:
    """PyTorch's kernel."""
    from torch.nn.functional import scaled_dot_product_attention

    return scaled_dot_product_attention(query, key, value, is_causal=causal)


def operator_errors(
    query: Tensor, key: Tensor, value: Tensor, found: Sequence[Tensor], causal: bool = False
) -> list[float]:
    """The norm of each result less the exact one, over that of softmax(QKᵀ) times that of V; the mean over heads."""
    import torch

    right = exact(query, key, value, causal)
    size = torch.linalg.matrix_norm(value, ord=2) * _weights_norm(query, key, causal)
    return [float((torch.linalg.matrix_norm(each - right, ord=2) / size).mean()) for each in found]


def _weights_norm(query: Tensor, key: Tensor, causal: bool) -> Tensor:
    """The operator norm of softmax(QKᵀ) of each head, by subspace iteration: products with it are attention."""
    import torch

    random = torch.Generator().manual_seed(0)
    basis = torch.randn(key.shape, generator=random)
    size = basis.new_zeros(key.shape[:2])
    for _ in range(STEPS):
        basis = torch.linalg.qr(basis).Q.requires_grad_()
        image = exact(query, key, basis, causal)
        size = torch.linalg.matrix_norm(image.detach(), ord=2)
        (basis,) = torch.autograd.grad(image, basis, image.detach())
    return size


def times(given: Problem, repeat: int) -> list[list[object]]:
    """Rows of a name, milliseconds, and how many times as fast as the exact kernel."""
    import torch

    rows: list[list[object]] = []
    for causal in (False, True):
        runs: dict[str, Callable[[], object]] = {"exact": partial(exact, *given, causal)}
        for name in CAUSAL if causal else KINDS:
            runs[name] = partial(HYPER, *given, attention.Mask(causal=causal), **KINDS[name])
        with torch.no_grad():
            seconds = alternate(runs, repeat, time.process_time)
        for name, took in seconds.items():
            shown = f"{name}, causal" if causal else name
            rows.append([shown, f"{1000 * took:.0f}", f"{seconds['exact'] / took:.1f}"])
    return rows


def errors(given: Problem, seeds: int) -> dict[str, float]:
    """By name, the mean over heads and seeds; with "nothing", and names that end in ", causal"."""
    import torch

    found = {}
    for causal in (False, True):
        names = CAUSAL if causal else tuple(KINDS)
        results = [torch.zeros_like(given[0])]
        with torch.no_grad():
            for name, seed in ((name, seed) for name in names for seed in range(seeds)):
                results.append(HYPER(*given, attention.Mask(causal=causal), **KINDS[name], seed=seed))
        off = operator_errors(*given, results, causal)
        end = ", causal" if causal else ""
        found[f"nothing{end}"] = off[0]
        found |= {
            f"{name}{end}": statistics.mean(off[1 + at * seeds : 1 + (at + 1) * seeds])
            for at, name in enumerate(names)
        }
    return found


def likeness(given: Problem, how: Mapping[str, Any]) -> tuple[float, float]:
    """The difference's Frobenius norm relative to the result's, the mean over heads, and the rows' mean cosine."""
    import torch

    with torch.no_grad():
        right, found = exact(*given), HYPER(*given, **how)
    off = (found - right).flatten(2).norm(dim=2) / right.flatten(2).norm(dim=2)
    return float(off.mean()), float(torch.nn.functional.cosine_similarity(found, right, dim=3).mean())


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--lengths", type=int, nargs="+", default=[8192, 16384])
    parser.add_argument("--repeat", type=int, default=2)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--heads", type=int, default=2, help="of MiniLM, for errors; speed is of all 12")
    parser.add_argument("--collection", type=Path, default=SHARED / "qmsum")
    parser.add_argument("--only", choices=["times", "errors"], help="leave the other out")
    options = parser.parse_args()
    set_threads(1)
    print(machine("torch") + "\n")
    for n in options.lengths:
        layers = minilm(n, options.collection) if options.collection.is_dir() else []
        drawn = DRAWS["flat"](n, HEADS, WIDTH)
        if options.only != "errors":
            for name, given in {"drawn": drawn, **({"MiniLM": layers[3]} if layers else {})}.items():
                print(f"{n:,} tokens, {name}:\n")
                table(["", "ms", "times exact"], times(given, options.repeat))
        if options.only != "times":
            _print_errors(n, [tuple(x[:, : options.heads] for x in layer) for layer in layers], options.seeds)


def _print_errors(n: int, layers: Sequence[Any], seeds: int) -> None:
    by_problem = {name: errors(draw(n, 1, WIDTH), seeds) for name, draw in DRAWS.items()}
    by_problem |= {f"MiniLM {number}": errors(layer, 1) for number, layer in enumerate(layers, 1)}
    names = list(next(iter(by_problem.values())))
    print(f"{n:,} tokens, error in the operator norm:\n")
    table(["", *by_problem], [[name, *(found[name] for found in by_problem.values())] for name in names])
    if layers:
        print(f"{n:,} tokens, MiniLM, Frobenius norm and cosine:\n")
        rows = [
            [name, *(f"{off:.3f}, {cosine:.3f}" for off, cosine in (likeness(each, how) for each in layers))]
            for name, how in KINDS.items()
        ]
        table(["", *(f"layer {number}" for number in range(1, len(layers) + 1))], rows)


if __name__ == "__main__":
    main()
