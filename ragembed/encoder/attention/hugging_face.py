"""Our attention inside any model of Hugging Face's transformers that goes through its attention interface.

    from ragembed.encoder.attention.hugging_face import register

    model = AutoModel.from_pretrained(folder, attn_implementation=register())

Layers with a window then cost what their window costs, on a CPU too, where transformers computes all n x n weights.
Name the implementation when the model is made: some models take no other one afterwards, and say so only in a warning.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ragembed.encoder.attention.band import pays
from ragembed.encoder.attention.dot_product import DotProduct
from ragembed.encoder.attention.kernels import fused
from ragembed.encoder.attention.mask import Mask
from ragembed.encoder.attention.sliding_window import SlidingWindow
from ragembed.errors import SpecError
from ragembed.extras import require

if TYPE_CHECKING:
    from torch import Tensor

_ATTEND, _BANDED = DotProduct(), SlidingWindow()


def register(name: str = "ragembed") -> str:
    """Make our attention known to transformers under `name`, which is returned; to be done once in a process."""
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
    **_: Any,
) -> tuple[Tensor, None]:
    """What a layer calls: ``(batch, heads, m, d)`` -> ``(batch, m, heads, d)``, and no weights.

    `attention_mask` is True for tokens ``(batch, n)``, as `_padding` leaves it, or a mask of transformers' own
    ``(batch, 1, m, n)``, which is taken as it is. `sliding_window` counts the token itself: w sees w - 1 to the left,
    and in a bidirectional layer w - 1 to the right. Raises `SpecError` for a dropout of the weights.
    """
    if dropout:
        raise SpecError(
            f"a dropout of attention weights of {dropout:g}", "set attention_dropout=0, or use sdpa"
        )
    if attention_mask is not None and attention_mask.ndim == 4:
        found = fused(query, key, value, attention_mask, scale=scaling)
        return found.transpose(1, 2).contiguous(), None
    causal = bool(getattr(module, "is_causal", True) if is_causal is None else is_causal)
    window = None
    if sliding_window is not None:
        window = (sliding_window - 1, 0 if causal else sliding_window - 1)
    mask = Mask(window=window, causal=causal, keep=None if attention_mask is None else attention_mask.bool())
    n = key.shape[2]
    banded = window is not None and query.shape[2] == n and pays(window, n)
    found = (_BANDED if banded else _ATTEND)(query, key, value, mask, scale=scaling)
    return found.transpose(1, 2).contiguous(), None


def _padding(
    batch_size: int, q_length: int, kv_length: int, *_: Any, attention_mask: Tensor | None = None, **__: Any
) -> Tensor | None:
    """The tokens that are no padding ``(batch, keys)``: all that is needed of a mask before a layer is called."""
    return None if attention_mask is None else attention_mask[:, -kv_length:]
