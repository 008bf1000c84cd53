"""The built-in encoder against sentence-transformers, and OpenVINO and ONNX Runtime where they are installed.

MiniLM over abstracts and queries of SciFact, cut at 256 tokens by all, in turns: on one thread by the processor's time,
on more by the clock. Beside the ratios to sentence-transformers stand how far vectors are from its own, and the share
of the limit of the processor: the time that the matrix products alone would take at the rate of one of the size of a
batch, measured in the same run.

    python -m ragembed.eval.bench.encoder [--documents 200] [--queries 1000] [--repeat 5] [--threads 1]
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from ragembed.embed import EMBEDDERS
from ragembed.embed.minilm import find_minilm
from ragembed.encoder.packed_linear import PackedLinear
from ragembed.eval.bench.encoder_peers import peers
from ragembed.eval.bench.harness import SHARED, alternate, machine, table
from ragembed.threads import set_threads

_TOKENS, _D, _F, _LONGEST = 4096, 384, 1536, 256
_WEIGHTS = 6 * (4 * _D * _D + 2 * _D * _F)
"""Of MiniLM's layers: multiplications a token."""
_REFERENCE = "sentence-transformers"


def lines(path: Path, count: int) -> list[str]:
    """The first texts of a BEIR file, titles in front."""
    with path.open(encoding="utf-8") as file:
        found = [json.loads(line) for _, line in zip(range(count), file, strict=False)]
    return [f"{each.get('title', '')} {each['text']}".strip() for each in found]


def product_rate(dtype: Any) -> float:
    """Multiplications and additions a second of a batch of tokens times the widest weight."""
    import torch

    x = torch.randn(_TOKENS, _D).to(dtype)
    layer: Any = PackedLinear(torch.randn(_F, _D).to(dtype), None)
    with torch.inference_mode():
        seconds = alternate({"": partial(layer, x)}, 9, time.process_time)[""]
    return 2 * _TOKENS * _D * _F / seconds


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--documents", type=int, default=200)
    parser.add_argument("--queries", type=int, default=1000)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    set_threads(options.threads)
    with TemporaryDirectory() as scratch:
        measure(options, find_minilm(), Path(scratch))


def measure(options: argparse.Namespace, folder: Path, scratch: Path) -> None:
    """All sides, over abstracts and over queries."""
    import torch

    others, lacking = peers(folder, scratch, options.threads)
    ours = {
        f"ragembed {name}": EMBEDDERS.create(f'hf:"{folder}"(precision={name}, long=truncate)')
        for name in ("float32", "bfloat16")
    }
    sides: dict[str, Callable[[Sequence[str]], Any]] = {
        _REFERENCE: EMBEDDERS.create(f'st:"{folder}"').embed_documents,
        **{name: each.embed_documents for name, each in ours.items()},
        **others,
    }
    print(machine("torch", "sentence-transformers", "transformers"))
    print(*lacking, "", sep="\n")
    rates = {f"ragembed {name}": product_rate(getattr(torch, name)) for name in ("float32", "bfloat16")}
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(_LONGEST)
    clock = time.process_time if options.threads == 1 else time.perf_counter
    rows: list[tuple[object, ...]] = []
    for name, file, count in (
        ("abstracts", "corpus.jsonl", options.documents),
        ("queries", "queries.jsonl", options.queries),
    ):
        texts = lines(SHARED / "scifact" / file, count)
        seconds = alternate(
            {who: partial(embed, texts) for who, embed in sides.items()}, options.repeat, clock
        )
        vectors = {who: np.asarray(embed(texts)) for who, embed in sides.items()}
        products = 2 * sum(len(each.ids) for each in tokenizer.encode_batch(texts)) * _WEIGHTS
        for who in sides:
            limit = (
                f"{products / rates[who] / seconds[who]:.0%}" if who in rates and options.threads == 1 else ""
            )
            rows.append(
                (name, who, seconds[who], f"{len(texts) / seconds[who]:.0f}",
                 seconds[_REFERENCE] / seconds[who], limit,
                 float(np.abs(vectors[who] - vectors[_REFERENCE]).max()),
                 f"{(vectors[who] * vectors[_REFERENCE]).sum(axis=1).min():.6f}")
            )  # fmt: skip
    table(("texts", "side", "s", "texts a second", "ratio", "of the products' limit", "largest difference",
           "least cosine"), rows)  # fmt: skip
    print("products:", ", ".join(f"{who} {rate / 1e9:.0f} GF/s" for who, rate in rates.items()))


if __name__ == "__main__":
    main()
