"""Attention: the cost of each mechanism from short texts to long ones, and what the approximate ones are off.

12 heads of 64 numbers, float32, one thread, no gradient; time is the processor's, in turns. Memory is that by which one
call raises the resident peak of a process, with the result. A mechanism whose next call would take longer than
`LONGEST`, or more memory than `LARGEST`, stops there. What is found goes to FOLDER/attention-measured.json, from which
`attention_figures` draws.

    python -m ragembed.eval.bench.attention_curves [--folder docs] [--repeat 3] [--only costs,errors,rounding]
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ragembed.encoder import attention
from ragembed.eval.bench.attention import naive, tensors
from ragembed.eval.bench.harness import alternate, machine, peak_rise, table
from ragembed.threads import set_threads

if TYPE_CHECKING:
    from torch import Tensor

FILE = "attention-measured.json"
SHORTEST = 256
LONGEST, LARGEST = 20.0, 4096.0
"""Seconds and MB of one call."""
BRIEF = 1.0
"""Seconds up to which a call is repeated; of a longer one small disturbances are a small part."""
MASKS = {
    "longformer": attention.Mask(window=(64, 64), global_tokens=[0]),
    "sinks": attention.Mask(window=(127, 0), causal=True),
    "sliding_window": attention.Mask(window=(64, 64)),
}
"""Windows of about 128 tokens where one has to be given; all else are defaults."""
Curve = dict[int, float]
"""By length."""
Curves = dict[str, Curve]
"""By mechanism."""

_SAMPLE = {"least": 1, "residual": "sample"}
ERRORS: dict[str, tuple[str, str, int, Mapping[str, Any]]] = {
    "performer": ("performer", "features", 1, {}),
    "linformer": ("linformer", "k", 1, {}),
    "hyper": ("hyper", "probes", 64, {"least": 1, "block": 64}),
    "hyper, sample": ("hyper", "samples", 1, _SAMPLE),
    "control variate": ("hyper", "samples", 1, {**_SAMPLE, "control_variate": True}),
}
"""Mechanism, the option that buys precision, how much of it counts as one step, and other options."""
TOKENS, HEADS, SIZE = 4096, 4, 64
STEPS = [16, 32, 64, 128, 256, 512, 1024, 2048]
SHARPNESS = [1, 8]
ROUNDED = 512
"""Tokens of which results are computed in float64, too."""


def mechanisms() -> dict[str, Callable[..., Tensor]]:
    """All that run in one process, and attention as one writes it down."""
    found: dict[str, Callable[..., Tensor]] = {
        name: partial(_call, attention.get(name), MASKS.get(name, attention.Mask()))
        for name in attention.names()
        if not attention.get(name).sharded  # those are for several processes
    }
    return {**found, "naive": naive}


def _call(mechanism: attention.Mechanism, mask: attention.Mask, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return mechanism(q, k, v, mask)


def costs(longest: int, repeat: int) -> tuple[Curves, Curves]:
    """Seconds and MB of each mechanism by length."""
    import torch

    runs = mechanisms()
    megabytes = {name: memory(name, longest) for name in runs}
    seconds: Curves = {name: {} for name in runs}
    for n in lengths(longest):
        given = tensors(n, torch.float32)
        able = {
            name: partial(run, *given)
            for name, run in runs.items()
            if expected(seconds[name]) < LONGEST
            and (n in megabytes[name] or expected(megabytes[name]) < LARGEST)
        }
        brief = {name: run for name, run in able.items() if expected(seconds[name]) < BRIEF}
        took = alternate(brief, repeat, time.process_time)
        took |= {name: once(run) for name, run in able.items() if name not in brief}
        for name in able:
            seconds[name][n] = took[name]
    return seconds, megabytes


def once(run: Callable[[], object]) -> float:
    """Seconds of the processor that one call takes."""
    started = time.process_time()
    run()
    return time.process_time() - started


def lengths(longest: int) -> list[int]:
    """From `SHORTEST`, doubled until `longest`."""
    return [SHORTEST << step for step in range(int(math.log2(longest / SHORTEST)) + 1)]


def expected(curve: Curve) -> float:
    """The next value of a curve, whose lengths double: it grows once more as it just did, at least twofold."""
    if len(curve) < 2:
        return 0.0
    before, last = list(curve.values())[-2:]
    return last * max(2.0, last / max(before, 1e-9))


def memory(name: str, longest: int) -> Curve:
    """MB by length, measured in a process of its own, whose allocator gives back at once what is freed."""
    command = [sys.executable, "-m", __spec__.name, "--memory", name, "--longest", str(longest)]
    environment = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536"}
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment)
    return {int(n): value for n, value in json.loads(done.stdout).items()}


def rises(name: str, longest: int) -> Curve:
    """MB by which a call raises the peak of this process, up to the length at which it is too slow or too large."""
    import torch

    run, megabytes, seconds = mechanisms()[name], Curve(), Curve()
    run(*tensors(64, torch.float32))  # whatever is loaded by the first call
    for n in lengths(longest):
        if expected(seconds) >= LONGEST / 2 or expected(megabytes) >= LARGEST:
            break
        given = tensors(n, torch.float32)
        started = time.process_time()
        megabytes[n] = peak_rise(partial(run, *given))
        seconds[n] = time.process_time() - started
    return megabytes


def topics(sharpness: float, seed: int) -> list[Tensor]:
    """Query, key and value of tokens on 32 topics, each near the vector of its topic.

    The logit of two tokens on one topic is about `sharpness`, of others about 0: of 1 attention is nearly even, of 8
    nearly all of it stays within the topic. Results are far from 0, as they are not for independent numbers.
    """
    import torch
    from torch.nn.functional import normalize

    random = torch.Generator().manual_seed(seed)
    normal = partial(torch.randn, generator=random)
    centres, contents = normalize(normal(HEADS, 32, SIZE), dim=-1), normal(HEADS, 32, SIZE)
    of_queries, of_keys = torch.randint(32, (2, TOKENS), generator=random)
    size, noise = math.sqrt(sharpness) * SIZE**0.25, 0.5
    query, key = (
        size * (centres[:, topic] + noise / math.sqrt(SIZE) * normal(HEADS, TOKENS, SIZE))
        for topic in (of_queries, of_keys)
    )
    value = contents[:, of_keys] + noise * normal(HEADS, TOKENS, SIZE)
    return [query[None], key[None], value[None]]


def errors(seeds: int = 2) -> dict[str, dict[str, Curve]]:
    """|result - exact| / |exact| (Frobenius) by sharpness, mechanism and the option that buys precision."""
    found: dict[str, dict[str, Curve]] = {}
    for sharpness in SHARPNESS:
        curves = found[str(sharpness)] = {}
        for label, (name, option, unit, others) in ERRORS.items():
            off: dict[int, list[float]] = {step: [] for step in STEPS if step >= unit}
            for seed in range(seeds):
                q, k, v = topics(sharpness, seed)
                exact = attention.get("dot_product")(q, k, v)
                for step in off:
                    how: dict[str, Any] = {option: step // unit, "seed": seed, **others}
                    result = attention.get(name)(q, k, v, **how)
                    off[step].append(float((result - exact).norm() / exact.norm()))
            curves[label] = {step: statistics.mean(values) for step, values in off.items()}
    return found


def rounding() -> Curves:
    """The largest difference of a result in float32 from that in float64, where nothing is estimated."""
    import torch

    estimates = {name for name, *_ in ERRORS.values()}
    runs = {name: run for name, run in mechanisms().items() if name not in estimates}
    given = {dtype: tensors(ROUNDED, dtype) for dtype in (torch.float32, torch.float64)}
    found: Curves = {}
    for name, run in runs.items():
        single, double = (run(*each).double() for each in given.values())
        found[name] = {ROUNDED: float((single - double).abs().max())}
    return found


def main() -> None:
    """Print the tables, and write what they are made of."""
    import torch

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, default=Path("docs"))
    parser.add_argument("--longest", type=int, default=32768)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--only", default="costs,errors,rounding")
    parser.add_argument("--memory", help=argparse.SUPPRESS)
    options = parser.parse_args()
    set_threads(1)
    with torch.no_grad():
        if options.memory:
            print(json.dumps(rises(options.memory, options.longest)))
            return
        file = options.folder / FILE
        found = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
        found["machine"] = machine("torch")
        print(found["machine"], end="\n\n")
        if "costs" in options.only:
            seconds, megabytes = costs(options.longest, options.repeat)
            found |= {"seconds": seconds, "megabytes": megabytes}
            for curves, unit, times in ((seconds, "ms", 1000), (megabytes, "MB", 1)):
                header = [unit, *(f"{n:,}" for n in lengths(options.longest))]
                table(header, [_row(name, curve, times, options.longest) for name, curve in curves.items()])
        if "errors" in options.only:
            found["errors"] = errors()
            for sharpness, each in found["errors"].items():
                table(
                    [f"sharpness {sharpness}", *map(str, STEPS)],
                    [(name, *(curve.get(step, "") for step in STEPS)) for name, curve in each.items()],
                )
        if "rounding" in options.only:
            found["rounding"] = rounding()
            table(["", "off"], [(name, off[ROUNDED]) for name, off in found["rounding"].items()])
    options.folder.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(_rounded(found), indent=1) + "\n", encoding="utf-8")


def _row(name: str, curve: Curve, times: float, longest: int) -> list[object]:
    return [name, *(curve[n] * times if n in curve else "" for n in lengths(longest))]


def _rounded(found: Any) -> Any:
    """Floats to four digits, at any depth."""
    if isinstance(found, dict):
        return {key: _rounded(value) for key, value in found.items()}
    return float(f"{found:.4g}") if isinstance(found, float) else found


if __name__ == "__main__":
    main()
