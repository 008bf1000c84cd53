"""Loading word vectors: ours against gensim's, each in a process of its own.

A file of 400,000 x 100 random numbers of 4 to 6 digits, text and binary, plain and packed. The first load, with and
without numba, against `load_word2vec_format`; later ones, which map what the first wrote, against
``KeyedVectors.load(mmap="r")`` of what gensim's ``save`` wrote. And what a file of 2 GB takes when it is opened for
the second time.

python -m ragembed.eval.bench.word_files [--words 400000] [--dimension 100] [--repeat 3] [--large 1700000]
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ragembed.eval.bench.harness import in_process, machine, peak_megabytes, table

_LETTERS = "etaoinshrdlcumwfgypbvkjxqz"
_ROWS = 2000


def main() -> None:
    """Make the files, measure, and print the tables; with ``--load`` measure one load, in this process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--words", type=int, default=400_000)
    parser.add_argument("--dimension", type=int, default=100)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument(
        "--large", type=int, default=1_700_000, help="words of 300 numbers in the large file; 0: none"
    )
    parser.add_argument("--folder", type=Path, help="where the files are made (default: a temporary folder)")
    parser.add_argument("--load", nargs=2, metavar=("HOW", "FILE"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.load:
        print(json.dumps(_measured(*options.load)))
        return
    with tempfile.TemporaryDirectory(prefix="ragembed-words-", dir=options.folder) as folder:
        os.environ["RAGEMBED_CACHE"] = f"{folder}/cache"
        print(machine("numpy", "gensim", "numba"), "\n")
        _compare(Path(folder), options.words, options.dimension, options.repeat)
        if options.large:
            _large(Path(folder), options.large, 300, options.repeat)


def _compare(folder: Path, words: int, dimension: int, repeat: int) -> None:
    files = _files(folder, words, dimension)
    rows = []
    for name, path in files.items():
        hows = ["gensim", "gensim again", "first", "again"]
        hows += ["first without numba"] if path.suffix == ".txt" else []
        found: dict[str, list[dict[str, float]]] = {how: [] for how in hows}
        for turn in range(repeat + 1):  # the first is not counted: it fills the file cache, and compiles
            for how in hows:
                one = in_process(__file__, "--load", how, str(path))
                if turn:
                    found[how].append(one)
        middle = {
            how: {key: statistics.median(one[key] for one in ones) for key in ones[0]}
            for how, ones in found.items()
        }
        for how in hows[2:]:
            ours, theirs = middle[how], middle["gensim again" if how == "again" else "gensim"]
            wall, busy = (theirs[key] / ours[key] for key in ("seconds", "busy"))
            name_and_size = f"{name}, {path.stat().st_size / 1e6:.0f} MB"
            shown = (ours["seconds"], theirs["seconds"], wall, busy, ours["megabytes"], theirs["megabytes"])
            rows.append((name_and_size, how, *shown))
    table(
        (
            "file",
            "load",
            "ours, s",
            "gensim, s",
            "times as fast",
            "by processor time",
            "ours, MB at the peak",
            "gensim, MB",
        ),
        rows,
    )


def _large(folder: Path, words: int, dimension: int, repeat: int) -> None:
    path = folder / "large.bin"
    rng = np.random.default_rng(0)
    with path.open("wb") as file:
        file.write(f"{words} {dimension}\n".encode())
        block = rng.normal(size=(_ROWS, dimension)).astype("<f4")
        for start in range(0, words, _ROWS):
            rows = zip(_names(start, min(start + _ROWS, words)), block, strict=False)
            file.write(b"".join(name.encode() + b" " + row.tobytes() for name, row in rows))
    first = in_process(__file__, "--load", "first", str(path))
    again = [in_process(__file__, "--load", "again", str(path)) for _ in range(max(3, repeat))]
    lines = [
        (
            f"{words} x {dimension} binary, {path.stat().st_size / 1e9:.2f} GB",
            how,
            one["seconds"],
            one["process"],
            one["megabytes"],
        )
        for how, one in (
            ("first", first),
            ("again", {key: statistics.median(one[key] for one in again) for key in first}),
        )
    ]
    table(("file", "load", "open and one lookup, s", "whole process, s", "MB at the peak"), lines)


def _measured(how: str, path: str) -> dict[str, float]:
    """Seconds of one load with one lookup, of the process so far, and the most memory it took."""
    load = _gensim(path, how) if how.startswith("gensim") else _ours(path, how)
    started, worked = time.perf_counter(), time.process_time()
    vector = load()
    seconds, busy = time.perf_counter() - started, time.process_time() - worked
    assert np.isfinite(vector).all()
    process = time.time() - _process_start()
    return {"seconds": seconds, "busy": busy, "process": process, "megabytes": peak_megabytes()}


def _gensim(path: str, how: str) -> Callable[[], Any]:
    from gensim.models import KeyedVectors

    if how == "gensim again":
        kept = f"{path}.kv"
        if not Path(kept).exists():
            KeyedVectors.load_word2vec_format(path, binary=".bin" in path).save(kept)
        return lambda: KeyedVectors.load(kept, mmap="r")[_name(77)]
    return lambda: KeyedVectors.load_word2vec_format(path, binary=".bin" in path)[_name(77)]


def _ours(path: str, how: str) -> Callable[[], Any]:
    from ragembed.embed.words import open_word_vectors
    from ragembed.embed.words.formats import rows_compiled

    if how.endswith("without numba"):
        rows_compiled.available = lambda: False  # type: ignore[assignment]
    if how.startswith("first"):
        shutil.rmtree(os.environ["RAGEMBED_CACHE"], ignore_errors=True)
    return lambda: open_word_vectors(path).word_vectors([_name(77)])[1]


def _process_start() -> float:
    """When this process was started, as Linux tells it."""
    ticks = float(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
    up = float(Path("/proc/uptime").read_text().split()[0])
    return time.time() - up + ticks / os.sysconf("SC_CLK_TCK")


def _files(folder: Path, words: int, dimension: int) -> dict[str, Path]:
    """The same vectors as text and binary, plain and packed."""
    rng = np.random.default_rng(0)
    formats = " ".join(f"%.{digits}f" for digits in rng.integers(4, 7, dimension))
    text, binary = folder / "vectors.txt", folder / "vectors.bin"
    with text.open("w") as lines, binary.open("wb") as file:
        lines.write(f"{words} {dimension}\n")
        file.write(f"{words} {dimension}\n".encode())
        for start in range(0, words, _ROWS):
            names = list(_names(start, min(start + _ROWS, words)))
            block = rng.normal(scale=0.4, size=(len(names), dimension))
            lines.writelines(
                f"{name} {formats % tuple(row)}\n" for name, row in zip(names, block.tolist(), strict=True)
            )
            rows = block.astype("<f4")
            file.write(
                b"".join(name.encode() + b" " + row.tobytes() for name, row in zip(names, rows, strict=True))
            )
    for path in (text, binary):
        with path.open("rb") as plain, gzip.open(f"{path}.gz", "wb", 4) as packed:
            shutil.copyfileobj(plain, packed, 1 << 20)
    return {
        "text": text,
        "text, packed": folder / "vectors.txt.gz",
        "binary": binary,
        "binary, packed": folder / "vectors.bin.gz",
    }


def _names(start: int, stop: int) -> Iterator[str]:
    return map(_name, range(start, stop))


def _name(rank: int) -> str:
    """A word for a rank: frequent ones are short, as in language."""
    letters = []
    rank += 1
    while rank:
        rank, letter = divmod(rank - 1, len(_LETTERS))
        letters.append(_LETTERS[letter])
    return "".join(reversed(letters))


if __name__ == "__main__":
    main()
