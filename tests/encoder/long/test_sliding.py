from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs the extra encoder")

from ragembed.encoder import pooling  # noqa: E402
from ragembed.encoder.config import EncoderConfig, Rope  # noqa: E402
from ragembed.encoder.long.sliding import Sliding  # noqa: E402
from ragembed.encoder.model import Encoder  # noqa: E402
from ragembed.encoder.packing import Packing  # noqa: E402
from ragembed.errors import EmbeddingError  # noqa: E402

SIZES: dict[str, Any] = {
    "vocab_size": 60, "hidden_size": 32, "num_layers": 2, "num_heads": 4, "num_kv_heads": 4, "head_dim": 8,
    "intermediate_size": 48, "max_positions": 16, "token_types": 2,
}  # fmt: skip
BERT: dict[str, Any] = {}
ROBERTA: dict[str, Any] = {"position_offset": 2, "token_types": 1}
MODERN: dict[str, Any] = {
    "positions": "rope", "ropes": (Rope(),) * 2, "windows": (None, (3, 3)), "norm_place": "pre", "gated": True,
}  # fmt: skip


def model(**more: Any) -> Encoder:
    torch.manual_seed(0)
    made = Encoder(EncoderConfig(**SIZES | more)).eval().requires_grad_(False)
    for each in made.parameters():
        torch.nn.init.normal_(each, std=0.3)
    return made


def ids_of(length: int) -> Any:
    return torch.randint(60, (length,), generator=torch.Generator().manual_seed(length))


@pytest.mark.parametrize("kind", [BERT, ROBERTA, MODERN])
def test_the_plain_model_while_all_see_all(kind: dict[str, Any]) -> None:
    """Up to half of the window to each side, every token sees every other one, and no position is repeated."""
    encoder = model(**kind)
    sliding = Sliding(encoder, 16)
    for length in (1, 5, 9):
        packing = Packing.of([length])
        ids = ids_of(length)
        torch.testing.assert_close(sliding.tokens(ids, packing), encoder(ids, packing), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("kind", [BERT, ROBERTA])
def test_a_text_as_long_as_the_model_takes_differs_by_the_window_alone(kind: dict[str, Any]) -> None:
    encoder = model(**kind)
    wide = Sliding(encoder, 16)
    for layer in wide.encoder.layers:
        layer.attention.window = (15, 15)
    packing, ids = Packing.of([16]), ids_of(16)
    torch.testing.assert_close(wide.tokens(ids, packing), encoder(ids, packing), atol=1e-5, rtol=1e-5)


def test_long_texts_against_a_mask_and_a_table_written_out() -> None:
    """One layer by hand: positions modulo 16, a band of 8 to each side, and the first token seen and seeing."""
    encoder = model(**BERT, num_layers=1)
    n = 100
    ids, at = ids_of(n), torch.arange(n)
    x = encoder.tokens(ids) + encoder.positions(at % 16) + encoder.types.weight[0]
    x = encoder.embedding_norm(x)
    layer = encoder.layers[0]
    q, k, v = layer.attention.qkv(x).unflatten(-1, (3, 4, 8)).permute(1, 2, 0, 3)
    seen = (at[:, None] - at).abs() <= 8
    seen[0], seen[:, 0] = True, True
    found = torch.nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=seen)
    x = layer.attention_norm(x + layer.attention.out(found.transpose(0, 1).flatten(1)))
    x = layer.mlp_norm(x + layer.mlp(x))
    sliding = Sliding(encoder, 16)
    torch.testing.assert_close(sliding.tokens(ids, Packing.of([n])), x, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(sliding.pooled(ids, pooling.mean), x.mean(dim=0), atol=1e-5, rtol=1e-5)
    without_prompt = pooling.behind(pooling.mean, 5)
    torch.testing.assert_close(sliding.pooled(ids, without_prompt), x[5:].mean(dim=0), atol=1e-5, rtol=1e-5)


def test_layers_that_have_a_narrower_window_keep_it() -> None:
    encoder = model(**MODERN)
    windows = [layer.attention.window for layer in Sliding(encoder, 16).encoder.layers]
    assert windows == [(8, 8), (3, 3)]
    assert [layer.attention.window for layer in encoder.layers] == [None, (3, 3)]


@pytest.mark.parametrize(
    ("more", "match"),
    [
        ({"causal": True}, "looks? both ways; use long=stream"),
        ({"relative_buckets": 32}, "biases that depend on distance.*use long=windows"),
    ],
)
def test_refused(more: dict[str, Any], match: str) -> None:
    with pytest.raises(EmbeddingError, match=match):
        Sliding(model(**more), 16)
