"""Reading block by block against the whole text at once, with small causal models of random weights."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs the extra encoder")

from ragembed.encoder import pooling  # noqa: E402
from ragembed.encoder.config import EncoderConfig, Rope  # noqa: E402
from ragembed.encoder.long import stream as module  # noqa: E402
from ragembed.encoder.long.stream import Stream  # noqa: E402
from ragembed.encoder.model import Encoder  # noqa: E402
from ragembed.encoder.packing import Packing  # noqa: E402
from ragembed.errors import EmbeddingError  # noqa: E402

SIZES: dict[str, Any] = {
    "vocab_size": 60, "hidden_size": 32, "num_layers": 3, "num_heads": 4, "num_kv_heads": 2, "head_dim": 8,
    "intermediate_size": 48, "max_positions": 4096, "norm": "rms", "norm_place": "pre", "embedding_norm": False,
    "final_norm": True, "qkv_bias": False, "attention_bias": False, "up_bias": False, "down_bias": False,
    "activation": "silu", "gated": True, "causal": True, "positions": "rope", "ropes": (Rope(),) * 3,
}  # fmt: skip
QWEN3: dict[str, Any] = {"qk_norm": True}
MISTRAL: dict[str, Any] = {"windows": ((15, 0),) * 3, "num_kv_heads": 1}
MIXED: dict[str, Any] = {"windows": ((7, 0), None, (15, 0)), "num_kv_heads": 4}


def model(**more: Any) -> Encoder:
    torch.manual_seed(0)
    made = Encoder(EncoderConfig(**SIZES | more)).eval().requires_grad_(False)
    for each in made.parameters():
        torch.nn.init.normal_(each, std=0.3)
    return made


def ids_of(length: int) -> Any:
    return torch.randint(60, (length,), generator=torch.Generator().manual_seed(length))


@pytest.mark.parametrize("kind", [QWEN3, MISTRAL, MIXED, {}], ids=["qwen3", "mistral", "mixed", "llama"])
@pytest.mark.parametrize("pool", [pooling.mean, pooling.last_token, pooling.weighted_mean])
@pytest.mark.parametrize("block", [7, 64])
def test_a_text_that_fits_the_cache(
    kind: dict[str, Any], pool: Any, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BLOCK", block)
    encoder = model(**kind)
    for length in (1, 7, 40):
        ids = ids_of(length)
        packing = Packing.of([length])
        whole = pool(encoder(ids, packing), packing)[0]
        torch.testing.assert_close(Stream(encoder, 40).pooled(ids, pool), whole, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("pool", [pooling.mean, pooling.last_token])
@pytest.mark.parametrize("skip", [1, 9, 100])
def test_the_prompt_is_left_out(pool: Any, skip: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where it is longer than a block, or than the text."""
    monkeypatch.setattr(module, "BLOCK", 7)
    encoder, ids, without = model(), ids_of(40), pooling.behind(pool, skip)
    packing = Packing.of([40])
    whole = without(encoder(ids, packing), packing)[0]
    torch.testing.assert_close(Stream(encoder, 40).pooled(ids, without), whole, atol=1e-5, rtol=1e-5)


def test_windows_that_the_cache_holds_are_exact_at_any_length(monkeypatch: pytest.MonkeyPatch) -> None:
    """Mistral's: each layer sees 16 tokens, and so does the cache."""
    monkeypatch.setattr(module, "BLOCK", 33)
    encoder, ids = model(**MISTRAL), ids_of(500)
    packing = Packing.of([500])
    whole = pooling.mean(encoder(ids, packing), packing)[0]
    torch.testing.assert_close(Stream(encoder, 40).pooled(ids, pooling.mean), whole, atol=1e-5, rtol=1e-5)


def test_blocks_change_nothing_beyond_the_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    encoder, ids = model(**QWEN3), ids_of(100)
    found = []
    for block in (1, 30, 1000):
        monkeypatch.setattr(module, "BLOCK", block)
        found.append(Stream(encoder, 40).pooled(ids, pooling.last_token))
    torch.testing.assert_close(found[1], found[0], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(found[2], found[0], atol=1e-5, rtol=1e-5)


def test_what_was_evicted_counts_for_the_mean_alone() -> None:
    """A layer of one sees no more than the cache; the first 4 tokens stay in it."""
    encoder = model(**QWEN3, num_layers=1, ropes=(Rope(),))
    a, b = ids_of(200), ids_of(200)
    b[10:20] = (b[10:20] + 1) % 60
    stream = Stream(encoder, 30)

    def difference(one: Any, other: Any, pool: Any) -> float:
        return float((stream.pooled(one, pool) - stream.pooled(other, pool)).abs().max())

    assert difference(a, b, pooling.last_token) < 1e-6
    assert difference(a, b, pooling.mean) > 1e-4
    c = a.clone()
    c[0] = (c[0] + 1) % 60
    assert difference(a, c, pooling.last_token) > 1e-4


def test_the_model_itself_stays_as_it_was() -> None:
    encoder, ids = model(**QWEN3), ids_of(30)
    packing = Packing.of([30])
    before = encoder(ids, packing)
    Stream(encoder, 10).pooled(ids_of(100), pooling.mean)
    torch.testing.assert_close(encoder(ids, packing), before, atol=0, rtol=0)


def test_refused() -> None:
    with pytest.raises(EmbeddingError, match="looks both ways"):
        Stream(model(causal=False), 40)
    with pytest.raises(EmbeddingError, match="a cache of 4 tokens; give a max_length over 4"):
        Stream(model(), 4)
    with pytest.raises(EmbeddingError, match="pools otherwise; use long=windows"):
        Stream(model(), 40).pooled(ids_of(50), pooling.maximum)
