"""A long text goes through projections and MLP in parts, which changes nothing."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs the extra encoder")

from ragembed.encoder import model as module  # noqa: E402
from ragembed.encoder.config import EncoderConfig, Rope  # noqa: E402
from ragembed.encoder.model import Encoder  # noqa: E402
from ragembed.encoder.packing import Packing  # noqa: E402

SIZES: dict[str, Any] = {
    "vocab_size": 60, "hidden_size": 32, "num_layers": 2, "num_heads": 4, "num_kv_heads": 2, "head_dim": 8,
    "intermediate_size": 48, "max_positions": 64,
}  # fmt: skip


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"norm_place": "pre", "gated": True, "positions": "rope", "ropes": (Rope(),) * 2, "qk_norm": True},
        {"norm_place": "sandwich", "positions": "rope", "ropes": (Rope(theta=100), Rope(fraction=0.5))},
    ],
)
def test_parts(more: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    encoder = Encoder(EncoderConfig(**SIZES | more)).eval().requires_grad_(False)
    for each in encoder.parameters():
        torch.nn.init.normal_(each, std=0.3)
    ids, packing = torch.randint(60, (47,)), Packing.of([7, 7, 33])
    whole = encoder(ids, packing)
    monkeypatch.setattr(module, "_ROWS", 5)
    torch.testing.assert_close(encoder(ids, packing), whole, atol=1e-5, rtol=1e-5)
