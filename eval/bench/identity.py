"""How far probe vectors of MiniLM move: by what must not be refused, and by what must; and what the checks cost.

The model runs in sentence-transformers, where it can be changed at will, and in the built-in encoder by its precisions.

python -m ragembed.eval.bench.identity
"""

from __future__ import annotations

import statistics
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ragembed.config import EmbedderRecord
from ragembed.embed import EMBEDDERS, Embedder, identity, probes
from ragembed.embed.minilm import find_minilm
from ragembed.eval.bench.harness import machine, table


def exact(options: str = "") -> Any:
    """The model in float32, in sentence-transformers."""
    return EMBEDDERS.create(f'st:"{find_minilm()}"{options}')


def vectors(embedder: Embedder) -> Any:
    """Probe vectors, documents before queries."""
    documents, queries = embedder.embed_documents(probes.DOCUMENTS), embedder.embed_queries(probes.QUERIES)
    return np.vstack([np.asarray(documents), np.asarray(queries)])


def apart(found: Any, base: Any) -> float:
    """Largest ``|found - base| / |base|`` of a text."""
    return float((np.linalg.norm(found - base, axis=1) / np.linalg.norm(base, axis=1)).max())


def changed(change: Callable[[Any], None]) -> Any:
    """Probe vectors of a fresh model after `change` has had its way with it."""
    embedder = exact()
    embedder.embed(["load"])
    change(embedder._model._model)
    return vectors(embedder)


def harmless(base: Any) -> dict[str, float]:
    """What the same model does on another day."""
    import torch

    found = {f"batch of {batch}": apart(vectors(exact(f"(batch={batch})")), base) for batch in (1, 2, 32)}
    embedder = exact()
    texts = [*probes.DOCUMENTS, *probes.QUERIES]
    found["among texts of 250 words"] = apart(embedder.embed([*texts, *["word " * 250] * 3])[:5], base)
    for threads in (1, 2):
        torch.set_num_threads(threads)
        found[f"{threads} threads"] = apart(vectors(embedder), base)
    found["attention without a fused kernel"] = apart(
        changed(lambda model: model[0].auto_model.set_attn_implementation("eager")), base
    )
    torch.backends.mkldnn.enabled = False
    found["without oneDNN"] = apart(vectors(embedder), base)
    torch.backends.mkldnn.enabled = True
    found["float64"] = apart(changed(lambda model: model.double()), base)
    return found


def harmful(base: Any) -> dict[str, float]:
    """What another model does, however near."""
    import torch

    def noisy(model: Any, size: float) -> None:
        torch.manual_seed(0)
        with torch.no_grad():
            for weight in model.parameters():
                weight.mul_(1 + size * torch.randn_like(weight))

    def int8(model: Any) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.ao.quantization.quantize_dynamic(
                model[0].auto_model, {torch.nn.Linear}, dtype=torch.qint8, inplace=True
            )

    changes: dict[str, Callable[[Any], Any]] = {
        "weights x (1 + 1e-5 noise)": lambda model: noisy(model, 1e-5),
        "weights x (1 + 1e-4 noise)": lambda model: noisy(model, 1e-4),
        "weights rounded to float16": lambda model: model.half().float(),
        "float16": lambda model: model.half(),
        "weights rounded to bfloat16": lambda model: model.bfloat16().float(),
        "bfloat16": lambda model: model.bfloat16(),
        "int8 (torch's dynamic quantisation)": int8,
        "first token instead of the mean": lambda model: setattr(model[1], "pooling_mode", "cls"),
    }
    found = {name: apart(changed(change), base) for name, change in changes.items()}
    found["a prompt before queries"] = apart(vectors(exact('(query_prompt="query: ")')), base)
    for name in ("float32", "bfloat16", "float16"):
        found[f"built-in encoder, {name}"] = apart(
            vectors(EMBEDDERS.create(f"minilm(precision={name})")), base
        )
    return found


def milliseconds(call: Callable[[], object], repeat: int = 15) -> str:
    """The first, the fastest and the median time of `call`; a busy machine shows in the last."""
    took = []
    for _ in range(repeat + 1):
        started = time.perf_counter()
        call()
        took.append(1000 * (time.perf_counter() - started))
    return f"{took[0]:.2f} / {min(took[1:]):.2f} / {statistics.median(took[1:]):.2f}"


def costs(spec: str) -> dict[str, str]:
    """What the checks of an embedder of `spec` take, once it is loaded, and how large its record is."""
    record = identity.record(EMBEDDERS.create(spec))
    known = EmbedderRecord(spec, "", None, None, record)
    here = Path("here.index")
    embedder = EMBEDDERS.create(spec)
    recorded = milliseconds(lambda: identity.check_recorded(known, embedder, here))
    if embedder.kind == "dense":
        embedder.embed_documents(["load"])
    quick = milliseconds(lambda: identity.check_behaviour(known, embedder, here, thorough=False))
    thorough = milliseconds(lambda: identity.check_behaviour(known, embedder, here))
    return {"recorded": recorded, "behaviour": quick, "thorough": thorough}


def main() -> None:
    """Measure, and print the tables."""
    rows = {spec: costs(spec) for spec in ("bm25(language=english)", "random-projection", "minilm")}
    base = vectors(exact())
    print(machine("torch", "sentence_transformers"), "\n")
    table(("the same model", "apart"), [(name, f"{far:.1e}") for name, far in harmless(base).items()])
    print(f"\ntolerance: {probes.TOLERANCE:g}, or {probes.ROUNDED:g} of what is not float32\n")
    table(("another", "apart"), [(name, f"{far:.1e}") for name, far in harmful(base).items()])
    print("\nmilliseconds: the first time / the fastest / the median\n")
    table(("check of", *rows["minilm"]), [(spec, *times.values()) for spec, times in rows.items()])


if __name__ == "__main__":
    main()
