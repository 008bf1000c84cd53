"""What the benchmarks share: alternating runs, medians, ratios, and a line about the machine."""

from __future__ import annotations

import contextlib
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ragembed.eval.machine import machine as this_machine

if TYPE_CHECKING:
    from ragembed import Pipeline
    from ragembed.eval.answers import Collection

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
"""Where the real test collections lie, beside the checkout."""


def machine(*packages: str) -> str:
    """Processor, cores, Python and the versions of `packages`."""
    return f"{this_machine()}; {', '.join(f'{name} {metadata.version(name)}' for name in packages)}"


def alternate(
    runs: Mapping[str, Callable[[], object]], repeat: int, clock: Callable[[], float] = time.perf_counter
) -> dict[str, float]:
    """Median seconds of each of `runs`, called in turn `repeat` times after one call that is not counted.

    By the clock on the wall, or with ``time.process_time`` by what the processor worked, which others take no part of.
    """
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for turn in range(repeat + 1):
        for name, run in runs.items():
            started = clock()
            run()
            if turn:
                seconds[name].append(clock() - started)
    return {name: statistics.median(values) for name, values in seconds.items()}


def alternate_commands(commands: Mapping[str, Sequence[str]], repeat: int) -> dict[str, float]:
    """`alternate` over whole processes; a command that fails stops the benchmark."""

    def runner(command: Sequence[str]) -> Callable[[], object]:
        return lambda: subprocess.run(
            command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    return alternate({name: runner(command) for name, command in commands.items()}, repeat)


def in_process(script: str | Path, *arguments: str) -> Any:
    """What ``python script arguments`` prints last, decoded from JSON: a measurement in a process of its own."""
    done = subprocess.run(
        [sys.executable, str(script), *arguments], check=True, stdout=subprocess.PIPE, text=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def peak_megabytes() -> float:
    """Largest resident size that this process has had, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def peak_rise(run: Callable[[], object]) -> float:
    """MB by which `run` raises this process's resident peak over what is held now (Linux)."""
    Path("/proc/self/clear_refs").write_text("5")  # the peak is what is held now
    before = resident("VmHWM")
    run()
    return resident("VmHWM") - before


def resident(what: str = "VmRSS") -> float:
    """MB that this process holds now, or with ``VmHWM`` has held at most (Linux)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{what}:")) / 1024


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a Markdown table; floats with three significant digits."""
    print("| " + " | ".join(header) + " |")
    print("|" + "---|" * len(header))
    for row in rows:
        print(
            "| "
            + " | ".join(f"{value:.3g}" if isinstance(value, float) else str(value) for value in row)
            + " |"
        )
    print(flush=True)


@contextlib.contextmanager
def indexed(
    collection: Collection, embedder: str, chunker: str = "whole", cache: Path | None = None
) -> Iterator[Pipeline]:
    """A collection in an index that is gone afterwards; vectors are looked up in the file `cache`, and kept there."""
    from ragembed import Pipeline
    from ragembed.embed.cache import VectorCache

    with (
        tempfile.TemporaryDirectory() as folder,
        VectorCache(cache.absolute()) if cache else contextlib.nullcontext() as vectors,
        Pipeline.create(f"{folder}/index", embedder, chunker) as pipeline,
    ):
        pipeline.cache = vectors
        pipeline.add(collection.documents)
        yield pipeline
