"""What an encoder does inside with one text: the vectors of its tokens after each layer, and every attention weight.

The fused kernels never hold the weights, so they are computed here once more, by their definition, from what went into
each layer's attention. For looking, not for speed: n x n numbers for each head.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ragembed.encoder.attention.mask import Mask
from ragembed.encoder.model import Attention, Encoder, Rotation
from ragembed.encoder.packing import Packing
from ragembed.errors import EmbeddingError

Look = Callable[[int, Tensor], None]
"""Is shown the number of a layer, from 0, and its weights ``(H, n, n)``: rows are queries and sum up to 1."""


@dataclass(frozen=True, eq=False)
class Observed:
    """The vectors of a text's n tokens."""

    states: Tensor
    """``(layers + 1, n, D)``: first the rows of the table of tokens, which know nothing of the text around them, then
    what each layer gives."""
    vectors: Tensor
    """``(n, D)``: what the encoder gives."""


@torch.inference_mode()  # type: ignore[untyped-decorator]
def observe(encoder: Encoder, ids: Tensor, look: Look | None = None) -> Observed:
    """Run `encoder`, in float32, over one text's ids ``(n,)``. Only one thread may observe an encoder at a time."""
    if encoder.tokens.weight.dtype != torch.float32:
        raise EmbeddingError(
            f"an encoder in {encoder.tokens.weight.dtype} is to be observed", "load it with precision=float32"
        )
    states = [encoder.tokens(ids)]
    hooks = []
    layers: list[Any] = list(encoder.layers)
    for number, layer in enumerate(layers):
        hooks.append(layer.register_forward_hook(lambda _module, _given, x: states.append(x)))
        if look is not None:
            hooks.append(layer.attention.register_forward_pre_hook(_shown(number, look)))
    try:
        vectors = encoder(ids, Packing.of([len(ids)], ids.device))
    finally:
        for hook in hooks:
            hook.remove()
    return Observed(torch.stack(states), vectors)


def attention_weights(
    attention: Attention, x: Tensor, rotation: Rotation | None = None, bias: Tensor | None = None
) -> Tensor:
    """softmax(Q Kᵀ scale + bias) of one text's ``(n, D)`` by a layer's own projections ``(H, n, n)``.

    `bias` is ``(1, H, n, n)`` or None. What a query may not see has a weight of 0.
    """
    q, k, _ = attention.project(x, rotation)
    k = k.repeat_interleave(q.shape[1] // k.shape[1], dim=1)  # query head h goes with key head h // group
    scale = 1 / math.sqrt(q.shape[2]) if attention.scale is None else attention.scale
    logits = torch.einsum("ihd,jhd->hij", q, k) * scale
    if bias is not None:
        logits = logits + bias[0]
    n = len(x)
    allowed = Mask(window=attention.window, causal=attention.causal).allowed(1, n, n, x.device)
    if allowed is not None:
        logits = logits.masked_fill(~allowed, -math.inf)
    return logits.softmax(dim=-1)


def _shown(number: int, look: Look) -> Callable[[Any, tuple[Any, ...]], None]:
    """A hook that shows `look` the weights of a layer's attention before it runs."""

    def hook(attention: Any, given: tuple[Any, ...]) -> None:
        x, packing, rotation, biases = given
        look(number, attention_weights(attention, x, rotation, biases[packing.runs[0].length]))

    return hook
