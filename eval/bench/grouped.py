"""Grouped-query attention: what sharing keys saves, and what it costs a model that was trained without it.

Decoding: 32 query heads on 8 key heads, a cache of 4,096 tokens. Ours folds the heads that share a key head into rows
of one query block; PyTorch's `enable_gqa` is the peer, on the same tensors. One thread, processor time, in turns; a
cell is the median over runs of 20 calls. "rolling" is a whole step, the new token stored in the cache and then attended
with; "chunk" are 16 queries, each with what it may see as a mask.

Quality: MiniLM's heads of keys and values pooled from 12 to fewer with no training afterwards, on SciFact: the mean
cosine of a text's vector to the one before, and nDCG@10. By default over the judged documents and some others, so the
figures compare among themselves only; `--documents 5183` is the whole collection.

    python -m ragembed.eval.bench.grouped [--repeat 7] [--documents 1000] [--only decode,quality]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ragembed.datasets import load
from ragembed.embed.minilm import find_minilm
from ragembed.encoder.attention.exact.grouped import grouped, repeat_heads
from ragembed.encoder.attention.kernels import fused
from ragembed.encoder.attention.stream.cache import RollingCache
from ragembed.encoder.attention.stream.streaming import attend
from ragembed.eval.bench.harness import SHARED, alternate, machine, table
from ragembed.eval.measures import evaluate
from ragembed.threads import set_threads
from ragembed.types import Run

if TYPE_CHECKING:
    from torch import Tensor

HEADS, KV_HEADS, TOKENS, CHUNK = 32, 8, 4096, 16
CALLS = 20
MODEL_HEADS = 12
Step = Callable[[], object]


def gqa(query: Tensor, key: Tensor, value: Tensor, allowed: Tensor | None = None) -> Tensor:
    """PyTorch's own."""
    from torch.nn.functional import scaled_dot_product_attention as dense

    return dense(query, key, value, attn_mask=allowed, enable_gqa=True)


def step(
    cache: RollingCache, one: tuple[Tensor, Tensor, Tensor], kernel: Callable[..., Tensor] | None
) -> Tensor:
    """One new token through `cache`: by `attend`, or stored and then `kernel` over what is held."""
    if kernel is None:
        return attend(cache, *one)
    cache.append(*one[1:])
    keys, values, _ = cache.view()
    return kernel(one[0], keys, values)


def problems(dtype: Any, d: int) -> dict[str, tuple[Step, Step]]:
    """Ours and theirs of each kind of call, after a check that both give the same."""
    import torch

    random = torch.Generator().manual_seed(0)

    def draw(heads: int, n: int) -> Tensor:
        return torch.randn(1, heads, n, d, generator=random).to(dtype)

    query, key, value = draw(HEADS, 1), draw(KV_HEADS, TOKENS), draw(KV_HEADS, TOKENS)
    chunk = draw(HEADS, CHUNK)
    at = torch.arange(TOKENS - CHUNK, TOKENS)[:, None]
    seen = (torch.arange(TOKENS) <= at)[None, None]
    one = query, draw(KV_HEADS, 1), draw(KV_HEADS, 1)
    caches = [RollingCache(TOKENS) for _ in range(2)]
    for cache in caches:
        cache.append(key, value)
    found: dict[str, tuple[Step, Step]] = {
        "1 query": (partial(fused, query, key, value), partial(gqa, query, key, value)),
        "1 query, rolling": (partial(step, caches[0], one, None), partial(step, caches[1], one, gqa)),
        f"chunk of {CHUNK}": (partial(fused, chunk, key, value, seen), partial(gqa, chunk, key, value, seen)),
    }
    for ours, theirs in found.values():
        torch.testing.assert_close(ours(), theirs(), atol=1e-5 if dtype == torch.float32 else 1e-2, rtol=0)
    return found


def times(run: Step) -> None:
    """A few calls, for the clock is coarse."""
    for _ in range(CALLS):
        run()


def decode(repeat: int) -> None:
    """Time of a step over a full cache."""
    import torch

    rows = []
    with torch.no_grad():
        for dtype in (torch.float32, torch.bfloat16):
            for d in (64, 128):
                for name, (ours, theirs) in problems(dtype, d).items():
                    runs = {"theirs": partial(times, theirs), "ours": partial(times, ours)}
                    seconds = alternate(runs, repeat, time.process_time)
                    each = [1000 * s / CALLS for s in seconds.values()]
                    rows.append((name, str(dtype)[6:], d, *each, each[0] / each[1]))
    table(("of 4,096 keys", "type", "d", "enable_gqa ms", "ours ms", "ratio"), rows)


def quality(documents: int) -> None:
    """MiniLM with fewer heads of keys and values."""
    from sentence_transformers import SentenceTransformer

    dataset = load(SHARED / "scifact")
    queries = [query for query in dataset.queries if query in dataset.qrels]
    judged = {document for each in dataset.qrels.values() for document in each}
    all_of_them = sorted(dataset.documents, key=lambda each: each.id not in judged)
    chosen = all_of_them[:documents]
    model: Any = SentenceTransformer(str(find_minilm()), local_files_only=True)
    transformer = model[0].auto_model
    state = {name: each.clone() for name, each in transformer.state_dict().items()}
    asked = [dataset.queries[query] for query in queries]
    before, rows = None, []
    for kv_heads in (12, 6, 4, 2, 1):
        fewer = grouped(state, MODEL_HEADS, kv_heads)
        transformer.load_state_dict(  # this model's code wants 12 heads of each
            {
                name: each if each.shape == state[name].shape else repeat_heads(each, kv_heads, MODEL_HEADS)
                for name, each in fewer.items()
            }
        )
        vectors, wanted = (
            model.encode(texts, normalize_embeddings=True)
            for texts in ([each.text for each in chosen], asked)
        )
        before = vectors if before is None else before
        run = ranked(wanted @ vectors.T, queries, [each.id for each in chosen])
        cosine = float((vectors * before).sum(axis=1).mean())
        rows.append(
            (
                kv_heads,
                cosine,
                evaluate(dataset.qrels, run, "nDCG@10").means["nDCG@10"],
                kv_heads / MODEL_HEADS,
            )
        )
    print(f"{len(chosen)} of {len(all_of_them)} documents, {len(queries)} queries; no training afterwards\n")
    table(("heads of keys and values", "mean cosine to 12", "nDCG@10", "size of a cache"), rows)


def ranked(scores: Any, queries: list[str], ids: list[str]) -> Run:
    """The ten best documents of each query."""
    best = np.argsort(-scores, axis=1)[:, :10]
    return {
        query: {ids[at]: float(row[at]) for at in places}
        for query, row, places in zip(queries, scores, best, strict=True)
    }


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeat", type=int, default=7)
    parser.add_argument("--documents", type=int, default=1000)
    parser.add_argument("--only", default="decode,quality")
    options = parser.parse_args()
    set_threads(1)
    print(machine("torch", "sentence-transformers"), end="\n\n")
    parts: dict[str, Step] = {
        "decode": lambda: decode(options.repeat),
        "quality": lambda: quality(options.documents),
    }
    for name in options.only.split(","):
        parts[name]()


if __name__ == "__main__":
    main()
