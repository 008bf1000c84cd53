"""The built-in encoder against sentence-transformers: MiniLM over texts of mixed length, in processor time.

Abstracts and queries of SciFact, one thread, in turns. Beside the ratios stand how far the vectors are apart, and the
share of the processor's own limit: the time that the matrix products alone would take at the rate of one product of
the size of a batch, measured in the same run.

    python -m ragembed.eval.bench.encoder [--documents 200] [--queries 1000] [--repeat 3]
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ragembed.embed import EMBEDDERS
from ragembed.embed.minilm import find_minilm
from ragembed.eval.bench.harness import SHARED, alternate, machine, table
from ragembed.threads import set_threads

_TOKENS, _D, _F = 4096, 384, 1536


def lines(path: Path, count: int) -> list[str]:
    """The first texts of a BEIR file, titles in front."""
    with path.open(encoding="utf-8") as file:
        found = [json.loads(line) for _, line in zip(range(count), file, strict=False)]
    return [f"{each.get('title', '')} {each['text']}".strip() for each in found]


def product_rate(dtype: Any) -> float:
    """Multiplications and additions a second of a batch of tokens times the widest weight."""
    import torch

    x, weight = torch.randn(_TOKENS, _D).to(dtype), torch.randn(_F, _D).to(dtype)
    with torch.inference_mode():
        seconds = alternate({"": partial(torch.nn.functional.linear, x, weight)}, 9, time.process_time)[""]
    return 2 * _TOKENS * _D * _F / seconds


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--documents", type=int, default=200)
    parser.add_argument("--queries", type=int, default=1000)
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    set_threads(1)
    import torch

    folder = find_minilm()
    embedders: dict[str, Any] = {
        "sentence-transformers": EMBEDDERS.create(f'st:"{folder}"'),
        "float32": EMBEDDERS.create(f'hf:"{folder}"'),
        "bfloat16": EMBEDDERS.create(f'hf:"{folder}"(precision=bfloat16)'),
    }
    print(machine("torch", "sentence-transformers", "transformers") + "\n")
    rates = {"float32": product_rate(torch.float32), "bfloat16": product_rate(torch.bfloat16)}
    tokenizer = embedders["float32"].load().tokenizer
    rows: list[tuple[object, ...]] = []
    for name, file, count in (
        ("abstracts", "corpus.jsonl", options.documents),
        ("queries", "queries.jsonl", options.queries),
    ):
        texts = lines(SHARED / "scifact" / file, count)
        runs: dict[str, Callable[[], Any]] = {
            who: partial(each.embed_documents, texts) for who, each in embedders.items()
        }
        seconds = alternate(runs, options.repeat, time.process_time)
        vectors = {who: np.asarray(run()) for who, run in runs.items()}
        tokens = sum(min(len(ids) + tokenizer.special, 256) for ids in tokenizer.ids(texts))
        products = 2 * tokens * 6 * (4 * _D * _D + 2 * _D * _F)
        for who in ("float32", "bfloat16"):
            limit = products / rates[who]
            rows.append(
                (name, who, seconds["sentence-transformers"], seconds[who],
                 seconds["sentence-transformers"] / seconds[who], f"{limit / seconds[who]:.0%}",
                 float(np.abs(vectors[who] - vectors["sentence-transformers"]).max()),
                 f"{(vectors[who] * vectors['sentence-transformers']).sum(axis=1).min():.6f}")
            )  # fmt: skip
    table(("texts", "precision", "theirs s", "ours s", "ratio", "of the products' limit", "largest difference",
           "least cosine"), rows)  # fmt: skip
    print("products:", ", ".join(f"{who} {rate / 1e9:.0f} GF/s" for who, rate in rates.items()))


if __name__ == "__main__":
    main()
