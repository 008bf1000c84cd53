"""MaxSim over packed documents, against PyLate's and sentence-transformers' scoring and the product of matrices alone.

python -m ragembed.eval.bench.maxsim [--documents 2000] [--dimension 128] [--query 32] [--threads 1] [--repeat 5]

Documents have 60 to 180 tokens, as ColBERT's have; the others get them padded to the longest, with a mask. Times are
of the processor, which others on the machine take no part of. ``theirs / ours`` above 1: ours is faster. ``share`` is
the time of the one product of matrices that all need, over packed tokens, by the whole time.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import time
from collections.abc import Callable

import numpy as np

from ragembed.embed.token_vectors import TokenVectors
from ragembed.eval.bench.harness import alternate, machine, table
from ragembed.retrieve.maxsim import best_matches, maxsim
from ragembed.threads import set_threads, wait_calmly


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--documents", type=int, default=2000)
    parser.add_argument("--dimension", type=int, default=128)
    parser.add_argument("--query", type=int, default=32, help="tokens of the query")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeat", type=int, default=5)
    options = parser.parse_args()
    wait_calmly()
    set_threads(options.threads)
    import torch

    set_threads(options.threads)
    draw = np.random.default_rng(0)
    sizes = draw.integers(60, 181, options.documents)
    parts = [draw.standard_normal((n, options.dimension), np.float32) for n in sizes]
    documents = TokenVectors.of(parts, options.dimension)
    query = draw.standard_normal((options.query, options.dimension), np.float32)
    padded = torch.nn.utils.rnn.pad_sequence([torch.from_numpy(part) for part in parts], batch_first=True)
    mask = torch.arange(padded.shape[1]) < torch.from_numpy(sizes)[:, None]
    asked = torch.from_numpy(query)[None]

    def einsum() -> object:
        products = torch.einsum("ash,bth->abst", asked, padded)
        return products.masked_fill(~mask[None, :, None], -torch.inf).amax(-1).sum(-1)

    runs: dict[str, Callable[[], object]] = {
        "ours": lambda: maxsim(query, documents),
        "product alone": lambda: query @ documents.vectors.T,
        "torch einsum, masked": einsum,
        "torch product, masked": lambda: (
            (padded @ asked[0].T).masked_fill(~mask[:, :, None], -torch.inf).amax(1).sum(-1)
        ),
    }
    runs.update(_peers(asked, padded, mask))
    apart = np.abs(maxsim(query, documents) - np.asarray(einsum())[0]).max()
    assert apart < 0.01, apart
    assert np.isfinite(best_matches(query, documents.vectors, documents.starts)).all()
    seconds = alternate(runs, options.repeat, time.process_time)
    print(machine("numpy", "torch", "sentence-transformers"))
    print(
        f"{options.documents} documents, {sum(sizes)} tokens of {options.dimension}, a query of {options.query},"
        f" {options.threads} threads\n"
    )
    rows = [
        [name, 1000 * took, took / seconds["ours"], seconds["product alone"] / took]
        for name, took in seconds.items()
    ]
    table(["", "ms", "theirs / ours", "share of the product"], rows)


def _peers(asked, padded, mask) -> dict[str, Callable[[], object]]:  # type: ignore[no-untyped-def]
    """Those that are installed."""
    found: dict[str, Callable[[], object]] = {}
    with contextlib.suppress(ImportError):
        from sentence_transformers.util.similarity import maxsim as theirs

        found["sentence-transformers"] = lambda: theirs(asked, padded, b_mask=mask)
    with contextlib.suppress(ImportError):
        scoring = importlib.import_module("pylate.scores")
        # as it is: padding of zeros scores 0, more than any token of a negative product
        found["PyLate"] = lambda: scoring.colbert_scores(asked, padded)
    return found


if __name__ == "__main__":
    main()
