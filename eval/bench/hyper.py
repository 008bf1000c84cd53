"""HyperAttention against PyTorch's exact kernel: time, and beside it what the result is off.

12 heads of 64, float32, one thread, processor time, in turns. The error is the one that the paper bounds: the operator
norm of the difference, relative to the norm of the weights times the norm of the values, the mean over seeds, for one
head of three kinds of queries and keys. Those of a trained model lie elsewhere; see what yours give.

    python -m ragembed.eval.bench.hyper [--lengths 8192 16384] [--repeat 3] [--seeds 2]
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from ragembed.encoder import attention
from ragembed.eval.bench.harness import alternate, machine, table
from ragembed.threads import set_threads

if TYPE_CHECKING:
    import torch
    from torch import Tensor

_HEADS, _D = 12, 64
_STEPS = 6
Problem = tuple["Tensor", "Tensor", "Tensor"]
"""Query, key and value ``(1, heads, n, d)``."""


def _normal(*shape: int, random: torch.Generator) -> Tensor:
    import torch

    return torch.randn(1, *shape, generator=random)


def flat(n: int, heads: int, d: int) -> Problem:
    """Independent normal numbers: every weight is small, and no key stands out."""
    import torch

    random = torch.Generator().manual_seed(0)
    q, k, v = (_normal(heads, n, d, random=random) for _ in range(3))
    return q, k, v


def clustered(n: int, heads: int, d: int) -> Problem:
    """Queries and keys about 32 centres that they share."""
    import torch

    random = torch.Generator().manual_seed(0)
    centres = 1.2 * _normal(heads, 32, d, random=random)
    q, k = (
        centres[:, :, torch.randint(32, (n,), generator=random)] + 0.5 * _normal(heads, n, d, random=random)
        for _ in range(2)
    )
    return q, k, _normal(heads, n, d, random=random)


def sharp(n: int, heads: int, d: int) -> Problem:
    """Each query is twice some key, with a little noise: one weight is most of the sum."""
    import torch

    random = torch.Generator().manual_seed(0)
    k = _normal(heads, n, d, random=random)
    q = 2 * k[:, :, torch.randperm(n, generator=random)] + 0.2 * _normal(heads, n, d, random=random)
    return q, k, _normal(heads, n, d, random=random)


DRAWS: dict[str, Callable[[int, int, int], Problem]] = {"flat": flat, "clustered": clustered, "sharp": sharp}
"""By length, heads and head dimension."""


def operator_errors(query: Tensor, key: Tensor, value: Tensor, found: Sequence[Tensor]) -> list[float]:
    """The norm of each result less the exact one, over that of softmax(QKᵀ) times that of V; the mean over heads."""
    import torch

    exact = attention.get("dot_product")(query, key, value)
    size = torch.linalg.matrix_norm(value, ord=2) * _weights_norm(query, key)
    return [float((torch.linalg.matrix_norm(each - exact, ord=2) / size).mean()) for each in found]


def _weights_norm(query: Tensor, key: Tensor) -> Tensor:
    """The operator norm of softmax(QKᵀ) of each head, by subspace iteration: products with it are attention."""
    import torch

    random = torch.Generator().manual_seed(0)
    basis = torch.randn(key.shape, generator=random)
    size = basis.new_zeros(key.shape[:2])
    for _ in range(_STEPS):
        basis = torch.linalg.qr(basis).Q.requires_grad_()
        image = attention.get("dot_product")(query, key, basis)
        size = torch.linalg.matrix_norm(image.detach(), ord=2)
        (basis,) = torch.autograd.grad(image, basis, image.detach())
    return size


def main() -> None:
    """Print the table."""
    import torch

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--lengths", type=int, nargs="+", default=[8192, 16384])
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--seeds", type=int, default=2)
    options = parser.parse_args()
    set_threads(1)
    torch.manual_seed(0)
    print(machine("torch") + "\n")
    hyper = attention.get("hyper")
    kinds: dict[str, dict[str, Any]] = {"hyper": {}, "hyper, control variate": {"control_variate": True}}
    rows: list[list[object]] = []
    for n in options.lengths:
        given = flat(n, _HEADS, _D)
        runs: dict[str, Callable[[], object]] = {"exact": partial(attention.get("dot_product"), *given)}
        runs |= {name: partial(hyper, *given, **how) for name, how in kinds.items()}
        causal = attention.Mask(causal=True)
        runs["exact, causal"] = partial(
            torch.nn.functional.scaled_dot_product_attention, *given, is_causal=True
        )
        runs["hyper, causal"] = partial(hyper, *given, causal)
        with torch.no_grad():
            seconds = alternate(runs, options.repeat, time.process_time)
        errors = _errors(n, kinds, options.seeds)
        for name, took in seconds.items():
            against = seconds["exact, causal" if "causal" in name else "exact"]
            cells = [f"{n:,}", name, f"{1000 * took:.0f}", f"{against / took:.1f}"]
            rows.append([*cells, *errors.get(name, [""] * len(DRAWS))])
    table(["tokens", "", "ms", "times exact", *(f"error, {name}" for name in DRAWS)], rows)


def _errors(n: int, kinds: Mapping[str, Mapping[str, Any]], seeds: int) -> dict[str, list[float]]:
    """Of one head, in the order of `DRAWS`."""
    hyper = attention.get("hyper")
    found: dict[str, list[float]] = {name: [] for name in kinds}
    for draw in DRAWS.values():
        given = draw(n, 1, _D)
        results = [hyper(*given, **how, seed=seed) for how in kinds.values() for seed in range(seeds)]
        errors = operator_errors(*given, results)
        for at, name in enumerate(kinds):
            found[name].append(statistics.mean(errors[at * seeds : (at + 1) * seeds]))
    return found


if __name__ == "__main__":
    main()
