"""Queries, keys and values to estimate attention over: drawn, and those of a trained model over real texts."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ragembed.embed.minilm import find_minilm

if TYPE_CHECKING:
    import torch
    from torch import Tensor

Problem = tuple["Tensor", "Tensor", "Tensor"]
"""Query, key and value ``(1, heads, n, d)``."""


def _normal(*shape: int, random: torch.Generator) -> Tensor:
    import torch

    return torch.randn(1, *shape, generator=random)


def flat(n: int, heads: int, d: int) -> Problem:
    """Independent normal numbers: every weight is small, and no key stands out."""
    import torch

    random = torch.Generator().manual_seed(0)
    q, k, v = (_normal(heads, n, d, random=random) for _ in range(3))
    return q, k, v


def clustered(n: int, heads: int, d: int) -> Problem:
    """Queries and keys about 32 centres that they share."""
    import torch

    random = torch.Generator().manual_seed(0)
    centres = 1.2 * _normal(heads, 32, d, random=random)
    q, k = (
        centres[:, :, torch.randint(32, (n,), generator=random)] + 0.5 * _normal(heads, n, d, random=random)
        for _ in range(2)
    )
    return q, k, _normal(heads, n, d, random=random)


def sharp(n: int, heads: int, d: int) -> Problem:
    """Each query is twice some key, with a little noise: one weight is most of the sum."""
    import torch

    random = torch.Generator().manual_seed(0)
    k = _normal(heads, n, d, random=random)
    q = 2 * k[:, :, torch.randperm(n, generator=random)] + 0.2 * _normal(heads, n, d, random=random)
    return q, k, _normal(heads, n, d, random=random)


DRAWS: dict[str, Callable[[int, int, int], Problem]] = {"flat": flat, "clustered": clustered, "sharp": sharp}
"""By length, heads and head dimension."""


def minilm(n: int, collection: Path) -> list[Problem]:
    """Of each layer of all-MiniLM-L6-v2, 12 heads of 32, over the first n tokens of a collection's documents.

    The model knows 512 positions, so that it reads windows of 512, [CLS] and [SEP] included, each from position 0 on.
    Its queries, keys and values of all windows, one after the other, are what its layers would attend over if they saw
    all of the text at once.
    """
    import torch
    from transformers import AutoModel, AutoTokenizer

    folder = find_minilm()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModel.from_pretrained(folder).eval()
    layers = [each.attention.self for each in model.encoder.layer]
    found: dict[Any, list[Tensor]] = {}

    def note(module: Any, _: Any, result: Tensor) -> None:
        found.setdefault(module, []).append(result)

    for layer in layers:
        for module in (layer.query, layer.key, layer.value):
            module.register_forward_hook(note)
    inside = _tokens(tokenizer, collection)
    with torch.no_grad():
        for _ in range(-(-n // 512)):
            window = [tokenizer.cls_token_id, *(next(inside) for _ in range(510)), tokenizer.sep_token_id]
            model(input_ids=torch.tensor([window]))

    def heads(module: Any) -> Tensor:
        whole = torch.cat(found[module], dim=1)[:, :n]
        return whole.unflatten(2, (model.config.num_attention_heads, -1)).transpose(1, 2).contiguous()

    return [(heads(layer.query), heads(layer.key), heads(layer.value)) for layer in layers]


def _tokens(tokenizer: Any, collection: Path) -> Iterator[int]:
    with (collection / "corpus.jsonl").open(encoding="utf-8") as lines:
        for line in lines:
            document = json.loads(line)
            text = f"{document['title']} {document['text']}"
            yield from tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
