"""Longformer's global tokens with projections of their own; test_laws.py has the laws of all exact mechanisms."""

from __future__ import annotations

import math
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs the extra encoder")

from ragembed.encoder import attention  # noqa: E402
from ragembed.encoder.attention import Mask  # noqa: E402


def test_padding_of_global_projections_has_no_influence() -> None:
    torch.manual_seed(0)
    q, k, v, *far = (torch.randn(1, 2, 9, 4) for _ in range(6))
    keep = torch.arange(9)[None] < 6
    far[1][:, :, 6:] = far[2][:, :, 6:] = math.nan
    mask = Mask(window=(1, 1), keep=keep, global_tokens=[0])
    found = attention.get("longformer")(q, k, v, mask, global_projections=tuple(far))
    assert torch.isfinite(found).all()


def test_longformer_equals_hugging_face() -> None:
    """With global projections, padding, and a different number of global tokens in each row."""
    pytest.importorskip("transformers")
    from transformers.models.longformer.configuration_longformer import LongformerConfig
    from transformers.models.longformer.modeling_longformer import LongformerSelfAttention

    torch.manual_seed(0)
    config = LongformerConfig(
        hidden_size=32, num_attention_heads=4, num_hidden_layers=1, attention_window=[16],
        attention_probs_dropout_prob=0.0,
    )  # fmt: skip
    layer: Any = LongformerSelfAttention(config, 0).eval()  # type: ignore[no-untyped-call]
    for each in layer.parameters():
        torch.nn.init.normal_(each, std=0.3)
    hidden = torch.randn(2, 80, 32)
    keep = torch.ones(2, 80, dtype=torch.bool)
    keep[1, 61:] = False
    globals_ = torch.zeros(2, 80, dtype=torch.bool)
    globals_[0, [0, 40, 79]] = globals_[1, [0]] = True
    with torch.no_grad():
        theirs = layer(
            hidden,
            attention_mask=globals_.float() * 10000 - (~keep).float() * 10000,
            is_index_masked=~keep,
            is_index_global_attn=globals_,
            is_global_attn=True,
        )[0]

        def heads(linear: Any) -> Any:
            return linear(hidden).unflatten(-1, (4, 8)).transpose(1, 2)

        q, k, v = (heads(each) for each in (layer.query, layer.key, layer.value))
        far = heads(layer.query_global), heads(layer.key_global), heads(layer.value_global)
        mask = Mask(window=(8, 8), keep=keep, global_tokens=globals_)
        ours = attention.get("longformer")(q, k, v, mask, global_projections=far)
    flat = ours.transpose(1, 2).flatten(2)
    torch.testing.assert_close(flat[keep], theirs[keep], atol=1e-5, rtol=0)
    assert (flat - attention.get("longformer")(q, k, v, mask).transpose(1, 2).flatten(2)).abs().max() > 0.1


def test_only_used_global_projections_have_gradients() -> None:
    torch.manual_seed(0)
    q, k, v, *far = (torch.randn(1, 2, 12, 4, requires_grad=True) for _ in range(6))
    mask = Mask(window=(1, 1), global_tokens=[5])
    found = attention.get("longformer")(q, k, v, mask, global_projections=tuple(far))
    found.sum().backward()
    assert far[0].grad is not None
    assert far[0].grad[:, :, 5].abs().min() > 0
    assert (far[0].grad[:, :, 6] == 0).all()
    assert far[2].grad is not None
    assert far[2].grad.abs().min() > 0
    assert q.grad is not None
    assert (q.grad[:, :, 5] == 0).all()
