"""Whether an index loses anything: kills at random moments, faults at every file operation, power cuts, a full disk.

python -m ragembed.eval.bench.kill [--runs 500] [--seed 0]      kill -9 at random moments of random writes
python -m ragembed.eval.bench.kill --optimizing                  the same, of which most build accelerators
python -m ragembed.eval.bench.kill --faults [--every 1]          each file operation fails, or kills, or is the last
python -m ragembed.eval.bench.kill --disk-full                   a real, small disk that fills up (needs root)

Exits with 1 where anything was wrong.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from ragembed.eval.bench.faultfs import build, missing
from ragembed.eval.bench.faults import WAYS, by_mode, by_step, inject
from ragembed.eval.bench.forked import single_threaded
from ragembed.eval.bench.full_disk import fill
from ragembed.eval.bench.harness import machine, table
from ragembed.eval.bench.kills import by_phase, kill
from ragembed.eval.bench.scenario import EMBEDDERS


def faults(modes: Sequence[str], every: int, embedder: str, only: Sequence[str]) -> int:
    """Inject, print the tables, and return after how many faults something was wrong."""
    if missing():
        raise SystemExit(missing())
    with tempfile.TemporaryDirectory() as folder:
        found = inject(build(Path(folder)), modes, every, only, embedder)
    table(*by_step(found))
    table(*by_mode(found))
    wrong = [item for item in found if item.wrong]
    for item in wrong[:20]:
        print(item)
    return len(wrong)


def kills(runs: int, seed: int, *, optimizing: bool) -> int:
    """Kill, print the tables, and return after how many kills something was wrong."""
    found = kill(runs, seed, optimizing=optimizing)
    table(*by_phase(found))
    print(f"{sum(one.accelerated for one in found)} of the indexes left were searched through an accelerator")
    wrong = [item for item in found if item.wrong]
    for item in wrong:
        print(item)
    return len(wrong)


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--faults", action="store_true")
    parser.add_argument("--modes", nargs="+", choices=WAYS, default=WAYS)
    parser.add_argument("--every", type=int, default=1, help="take every so manieth operation")
    parser.add_argument("--embedder", choices=sorted(EMBEDDERS), default="hybrid")
    parser.add_argument("--only", nargs="+", default=(), help="steps whose file operations fail")
    parser.add_argument("--optimizing", action="store_true", help="kill mostly optimize")
    parser.add_argument("--disk-full", action="store_true")
    parser.add_argument(
        "--json", action="store_true", help="print each kill as a line of JSON, and no tables"
    )
    options = parser.parse_args()
    single_threaded()
    if options.json:
        for one in kill(options.runs, options.seed, optimizing=options.optimizing):
            print(json.dumps({name: getattr(one, name) for name in one.__slots__}))
        return
    print(machine("numpy"), "\n")
    started = time.perf_counter()
    if options.faults:
        wrong = faults(options.modes, options.every, options.embedder, options.only)
    elif options.disk_full:
        wrong = fill()
    else:
        wrong = kills(options.runs, options.seed, optimizing=options.optimizing)
    print(f"{wrong} wrong, {time.perf_counter() - started:.0f} s")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
