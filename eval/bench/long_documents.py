"""Long documents: how well MiniLM finds them by each way of reading them, and what reading costs.

    python -m ragembed.eval.bench.long_documents qmsum [--cache FOLDER]   nDCG@10 on QMSum, BM25 beside it
    python -m ragembed.eval.bench.long_documents linear                   32,000 tokens in windows: time and memory
    python -m ragembed.eval.bench.long_documents modernbert [--tokens 8192]   against transformers, in processor time

QMSum's documents are meetings of about 13,000 tokens. The models of the other two have the shapes of published ones
and random weights. All run on one thread.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np

from ragembed.eval.bench.harness import SHARED, alternate, in_process, machine, peak_megabytes, table
from ragembed.eval.measures import evaluate
from ragembed.threads import set_threads

_LENGTHS = (4_000, 8_000, 16_000, 32_000)
_CHUNKER = "recursive(tokens=200, tokenizer=minilm)"


def qmsum(folder: Path | None) -> None:
    """Print the table."""
    from ragembed import Document
    from ragembed.chunk import CHUNKERS
    from ragembed.embed import EMBEDDERS

    where = SHARED / "qmsum"
    documents, queries = (_lines(where / f"{name}.jsonl") for name in ("corpus", "queries"))
    texts = [each["text"] for each in documents]
    chunks = [
        list(CHUNKERS.create(_CHUNKER).chunk(Document(each["_id"], each["text"]))) for each in documents
    ]
    owners = np.repeat(np.arange(len(chunks)), [len(each) for each in chunks])
    asked = cast("Any", EMBEDDERS.create("minilm").embed_queries([each["text"] for each in queries]))

    def embedded(name: str, make: Callable[[], Any]) -> np.ndarray:
        path = folder / f"{name}.npy" if folder else None
        if path is None or not path.exists():
            found = np.asarray(make())
            if path is not None:
                np.save(path, found)
            return found
        return np.asarray(np.load(path))

    def whole(spec: str) -> np.ndarray:
        return np.asarray(asked @ embedded(spec, lambda: EMBEDDERS.create(f"minilm({spec})").embed(texts)).T)

    def best(name: str, make: Callable[[], Any]) -> np.ndarray:
        scores = asked @ embedded(name, make).T
        return np.asarray(np.maximum.reduceat(scores, np.unique(owners, return_index=True)[1], axis=1))

    spans = [[(chunk.start, chunk.end) for chunk in each] for each in chunks]
    ways: dict[str, Callable[[], np.ndarray]] = {
        "truncate": partial(whole, "long=truncate"),
        "windows": partial(whole, "long=windows"),
        "sliding": partial(whole, "long=sliding"),
        "chunks, the best one": lambda: best(
            "chunks",
            lambda: EMBEDDERS.create("minilm").embed([chunk.text for each in chunks for chunk in each]),
        ),
        "late chunks, the best one": lambda: best(
            "late", lambda: EMBEDDERS.create("minilm(long=late)").embed_chunks(texts, spans)
        ),
        "BM25 of whole documents": lambda: _bm25(texts, [each["text"] for each in queries]),
    }
    names = [each["_id"] for each in documents]
    print(machine("torch", "tokenizers") + "\n")
    rows = [
        (way, _ndcg(make(), names, [each["_id"] for each in queries], where)) for way, make in ways.items()
    ]
    table(("MiniLM by", "nDCG@10"), rows)


def _lines(path: Path) -> list[dict[str, Any]]:
    with path.open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def _bm25(texts: Sequence[str], queries: Sequence[str]) -> np.ndarray:
    from ragembed.embed import EMBEDDERS

    bm25: Any = EMBEDDERS.create("bm25(language=english)")
    bm25.fit(texts)
    return cast("np.ndarray", (bm25.embed_queries(queries) @ bm25.embed_documents(texts).T).toarray())


def _ndcg(scores: np.ndarray, names: Sequence[str], queries: Sequence[str], where: Path) -> float:
    qrels: dict[str, dict[str, int]] = {}
    for line in (where / "qrels" / "test.tsv").read_text(encoding="utf-8").splitlines()[1:]:
        query, document, gain = line.split("\t")
        qrels.setdefault(query, {})[document] = int(gain)
    run = {}
    for query, row in zip(queries, scores, strict=True):
        if query in qrels:
            run[query] = {names[at]: float(row[at]) for at in np.argsort(-row, kind="stable")[:10]}
    return evaluate(qrels, run, "nDCG@10").means["nDCG@10"]


def linear() -> None:
    """Print times of growing lengths, the exponent that fits them, and the peak of a process with the longest."""
    print(machine("torch") + "\n")
    rows: list[tuple[object, ...]] = []
    for kind in ("ModernBERT, local layers", "Longformer"):
        found = in_process(__file__, "measure", "--kind", kind)
        slope = np.polyfit(np.log(_LENGTHS), np.log(found["seconds"]), 1)[0]
        rows.append((kind, *found["seconds"], float(slope), found["megabytes"]))
    table(("shape", *(f"{length:,} tokens, s" for length in _LENGTHS), "exponent", "peak MB"), rows)


def measure(kind: str) -> None:
    """Print seconds and the peak of this process as JSON."""
    set_threads(1)
    import torch

    encoder = _encoder(kind)
    seconds = []
    for length in (1_000, *_LENGTHS):  # the first is not counted
        ids = torch.randint(1000, (length,))
        started = time.process_time()
        _forward(encoder, ids)
        seconds.append(time.process_time() - started)
    print(json.dumps({"seconds": seconds[1:], "megabytes": peak_megabytes()}))


def _encoder(kind: str) -> Any:
    """A base model's shape (12 layers of 768) with random weights, all of whose layers slide."""
    import torch

    from ragembed.encoder.config import EncoderConfig, Rope
    from ragembed.encoder.model import Encoder
    from ragembed.encoder.packed_linear import prepare

    sizes: dict[str, Any] = {
        "vocab_size": 1000, "hidden_size": 768, "num_layers": 12, "num_heads": 12, "num_kv_heads": 12,
        "head_dim": 64, "max_positions": 40_000,
    }  # fmt: skip
    shape: dict[str, Any] = {"intermediate_size": 3072, "windows": ((256, 256),) * 12, "token_types": 1}
    if kind.startswith("ModernBERT"):
        shape = {
            "intermediate_size": 1152, "gated": True, "norm_place": "pre", "positions": "rope",
            "ropes": (Rope(),) * 12, "windows": ((64, 64),) * 12,
        }  # fmt: skip
    torch.manual_seed(0)
    made = Encoder(EncoderConfig(**sizes, **shape)).eval().requires_grad_(False).bfloat16()
    prepare(made)
    return made


def _forward(encoder: Any, ids: Any) -> Any:
    import torch

    from ragembed.encoder.packing import Packing

    with torch.inference_mode():
        return encoder(ids, Packing.of([len(ids)]))


def modernbert(tokens: int, repeat: int) -> None:
    """Print times of three layers, one of them global, of transformers and of the built-in encoder."""
    set_threads(1)
    import tempfile

    import torch
    import transformers

    from ragembed.encoder.checkpoints import load
    from ragembed.encoder.packed_linear import prepare

    torch.manual_seed(0)
    config = transformers.ModernBertConfig(num_hidden_layers=3, vocab_size=1000, pad_token_id=0)
    kind: Any = transformers.ModernBertModel
    theirs = kind(config).eval().requires_grad_(False)
    ids = torch.randint(1, 1000, (tokens,))
    with tempfile.TemporaryDirectory() as folder:
        theirs.save_pretrained(folder)
        ours = {torch.float32: load(Path(folder)), torch.bfloat16: load(Path(folder)).bfloat16()}
    prepare(ours[torch.bfloat16])
    rows: list[tuple[object, ...]] = []
    for dtype, encoder in ours.items():
        model = theirs.to(dtype)

        def run(model: Any = model) -> Any:
            with torch.inference_mode():
                return model(input_ids=ids[None]).last_hidden_state[0]

        seconds = alternate(
            {"theirs": run, "ours": partial(_forward, encoder, ids)}, repeat, time.process_time
        )
        a, b = run().float(), _forward(encoder, ids).float()
        cosine = torch.nn.functional.cosine_similarity(a, b, dim=-1).min().item()
        name = str(dtype).removeprefix("torch.")
        rows.append(
            (name, seconds["theirs"], seconds["ours"], seconds["theirs"] / seconds["ours"], f"{cosine:.5f}")
        )
    print(machine("torch", "transformers") + f"; {tokens:,} tokens\n")
    table(("precision", "transformers s", "ours s", "ratio", "least cosine of a token"), rows)


def main() -> None:
    """Print the table that is asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "what", nargs="?", default="all", choices=("all", "qmsum", "linear", "modernbert", "measure")
    )
    parser.add_argument("--cache", type=Path, help="folder for vectors of QMSum, which take long to make")
    parser.add_argument("--tokens", type=int, default=8192)
    parser.add_argument("--repeat", type=int, default=2)
    parser.add_argument("--kind", default="", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.what == "measure":
        measure(options.kind)
        return
    set_threads(1)
    if options.what in ("all", "linear"):
        linear()
    if options.what in ("all", "modernbert"):
        modernbert(options.tokens, options.repeat)
    if options.what in ("all", "qmsum"):
        qmsum(options.cache)


if __name__ == "__main__":
    main()
