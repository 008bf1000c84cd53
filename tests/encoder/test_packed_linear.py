from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs the extra encoder")

from ragembed.encoder.config import EncoderConfig  # noqa: E402
from ragembed.encoder.model import ACTIVATIONS, Encoder  # noqa: E402
from ragembed.encoder.packed_linear import PackedLinear, prepare  # noqa: E402
from ragembed.encoder.packing import Packing  # noqa: E402

LENGTHS = [1, 5, 5, 30]


def small(**settings: Any) -> Encoder:
    torch.manual_seed(0)
    model = Encoder(
        EncoderConfig(
            vocab_size=50,
            hidden_size=32,
            num_layers=2,
            num_heads=4,
            num_kv_heads=4,
            head_dim=8,
            intermediate_size=48,
            max_positions=64,
            **settings,
        )
    )
    return model.requires_grad_(False).eval()


@pytest.mark.parametrize("biased", [True, False])
@pytest.mark.parametrize("gated", [True, False])
@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
def test_a_prepared_model_gives_the_same_vectors(activation: str, gated: bool, biased: bool) -> None:
    model = small(activation=activation, gated=gated, up_bias=biased, down_bias=biased, qkv_bias=biased)
    ids, packing = torch.arange(sum(LENGTHS)), Packing.of(LENGTHS)
    with torch.inference_mode():
        plain = model(ids, packing)
        prepare(model)
        torch.testing.assert_close(model(ids, packing), plain, atol=1e-6, rtol=1e-5)
    assert isinstance(model.layers[0].mlp.down, PackedLinear)


def test_in_bfloat16_it_is_as_near_as_that_resolves() -> None:
    model = small()
    ids, packing = torch.arange(sum(LENGTHS)), Packing.of(LENGTHS)
    with torch.inference_mode():
        exact = model(ids, packing)
        model.bfloat16()
        prepare(model)
        found = model(ids, packing).float()
    assert torch.nn.functional.cosine_similarity(found, exact).min() > 0.999


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_what_onednn_does_not_multiply_here_stays_as_it_is(
    dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    """bfloat16 on a processor without AVX-512, for which oneDNN refuses it."""
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: False)
    model = small().to(dtype)
    prepare(model)
    assert isinstance(model.layers[0].mlp.down, torch.nn.Linear)
