"""Our attention in any model of Hugging Face's transformers that uses its attention interface.

    from ragembed.encoder.attention.hugging_face import register

    model = AutoModel.from_pretrained(folder, attn_implementation=register())

Layers with a window then take time linear in the length, also on a CPU, where transformers computes all n x n weights.
Name the implementation when the model is created: some models cannot change it later, and say so only in a warning.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ragembed.encoder.attention.kernels import fused
from ragembed.encoder.attention.local.sliding_window import faster
from ragembed.encoder.attention.mask import Mask
from ragembed.errors import SpecError
from ragembed.extras import require

if TYPE_CHECKING:
    from torch import Tensor

_NOT_HONOURED = ("position_bias", "softcap", "s_aux")
"""What layers of some models hand over beside the mask: of T5, Gemma 2, and GPT-OSS."""


def register(name: str = "ragembed") -> str:
    """Register our attention with transformers under `name`, and return `name`. Call it once in each process."""
    transformers = require("transformers", "st", "attention in models of transformers")
    masks = require("transformers.masking_utils", "st", "attention in models of transformers")
    transformers.AttentionInterface.register(name, attend)
    masks.AttentionMaskInterface.register(name, _padding)
    return name


def attend(
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    scaling: float | None = None,
    dropout: float = 0.0,
    sliding_window: int | None = None,
    is_causal: bool | None = None,
    **others: Any,
) -> tuple[Tensor, None]:
    """The function that layers call: ``(batch, heads, m, d)`` -> ``(batch, m, heads, d)``, and None for the weights.

    `attention_mask` is either the padding mask ``(batch, n)`` that `_padding` returns, True for tokens, or a mask
    ``(batch, 1, m, n)`` of transformers' own, used as it is. `sliding_window` includes the token itself: w sees w - 1
    tokens to the left and, in a bidirectional layer, w - 1 to the right. Raises `SpecError` for dropout of the weights,
    and for what else changes them: a bias, a cap on the logits, learned sinks.
    """
    if dropout:
        raise SpecError(
            f"a dropout of attention weights of {dropout:g}", "set attention_dropout=0, or use sdpa"
        )
    if refused := [name for name in _NOT_HONOURED if others.get(name) is not None]:
        raise SpecError(f"a layer attends with {refused[0]}, which is not honoured here", "use eager or sdpa")
    if attention_mask is not None and attention_mask.ndim == 4:
        found = fused(query, key, value, attention_mask, scale=scaling)
        return found.transpose(1, 2).contiguous(), None
    causal = bool(getattr(module, "is_causal", True) if is_causal is None else is_causal)
    window = None
    if sliding_window is not None:
        window = (sliding_window - 1, 0 if causal else sliding_window - 1)
    mask = Mask(window=window, causal=causal, keep=None if attention_mask is None else attention_mask.bool())
    found = faster(mask, query.shape[2], key.shape[2])(query, key, value, mask, scale=scaling)
    return found.transpose(1, 2).contiguous(), None


def _padding(
    batch_size: int, q_length: int, kv_length: int, *, attention_mask: Tensor | None = None, **how: Any
) -> Tensor | None:
    """The padding mask ``(batch, keys)``, True for tokens, in place of the mask that transformers would build.

    It builds its own ``(batch, 1, m, n)`` where more than padding, causality and a window matters: packed texts and
    masks of the model's own (which may not be skipped), chunks (a local size that is no window), and caches with free
    slots behind the newest token.
    """
    causal, local = how.get("allow_is_causal_skip", True), how.get("local_size")
    plain = causal or how.get("allow_is_bidirectional_skip", False)
    chunked = local is not None and local != getattr(how.get("config"), "sliding_window", None)
    aligned = how.get("q_offset", 0) + q_length == how.get("kv_offset", 0) + kv_length
    if plain and not chunked and (aligned or (not causal and local is None)):
        return None if attention_mask is None else attention_mask[:, -kv_length:]
    from transformers.masking_utils import sdpa_mask

    how |= {"allow_is_causal_skip": False, "allow_is_bidirectional_skip": False}
    found: Tensor | None = sdpa_mask(batch_size, q_length, kv_length, attention_mask=attention_mask, **how)
    return found
