"""Models of transformers with random weights give the same vectors with our attention as with their own."""

from __future__ import annotations

import functools
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs the extra encoder")
transformers = pytest.importorskip("transformers", reason="needs the extra st")

from ragembed.encoder.attention import hugging_face  # noqa: E402
from ragembed.encoder.attention.hugging_face import register  # noqa: E402
from ragembed.encoder.attention.local.sliding_window import SlidingWindow  # noqa: E402
from ragembed.errors import SpecError  # noqa: E402

SIZES: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "vocab_size": 50,
    "max_position_embeddings": 512,
}
LENGTH = 200


def pair(kind: str, **settings: Any) -> list[Any]:
    """The same random model twice: with sdpa and with ours."""
    models = []
    for implementation in ("sdpa", register()):
        config = getattr(transformers, f"{kind}Config")(
            **SIZES, **settings
        )  # a shared one keeps the last name
        torch.manual_seed(0)
        model = getattr(transformers, f"{kind}Model")._from_config(config, attn_implementation=implementation)
        models.append(model.eval())
    assert [model.config._attn_implementation for model in models] == ["sdpa", "ragembed"]
    return models


def compare(models: list[Any], padded: slice | None) -> None:
    tokens = torch.randint(0, 50, (2, LENGTH), generator=torch.Generator().manual_seed(1))
    keep = torch.ones(2, LENGTH, dtype=torch.int64)
    if padded is not None:
        keep[1, padded] = 0
    with torch.no_grad():
        theirs, ours = (model(tokens, attention_mask=keep).last_hidden_state for model in models)
    torch.testing.assert_close(ours[keep.bool()], theirs[keep.bool()], atol=1e-5, rtol=0)


@pytest.mark.parametrize("padded", [None, slice(150, None)])
def test_modernbert(padded: slice | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two of three layers have a window of 8 to each side, small enough to show an error by one."""
    models = pair("ModernBert", local_attention=16, global_attn_every_n_layers=3, pad_token_id=0)
    banded: list[Any] = []
    attend = SlidingWindow.attend

    @functools.wraps(attend)
    def seen(self: Any, *tensors: Any, **options: Any) -> Any:
        banded.append(tensors[3])
        return attend(self, *tensors, **options)

    monkeypatch.setattr(SlidingWindow, "attend", seen)
    compare(models, padded)
    assert [mask.window for mask in banded] == [(8, 8), (8, 8)]


@pytest.mark.parametrize("padded", [None, slice(150, None), slice(0, 40)])
def test_mistral(padded: slice | None) -> None:
    """Causal, a window of 16 including the token itself, GQA, and padding on either side."""
    compare(pair("Mistral", sliding_window=16, num_key_value_heads=2), padded)


def test_bert() -> None:
    compare(pair("Bert"), slice(150, None))


def test_dropout_of_weights_is_refused() -> None:
    model = pair("Bert", attention_probs_dropout_prob=0.1)[1].train()
    with pytest.raises(SpecError, match=r"a dropout of attention weights of 0\.1; set"):
        model(torch.zeros(1, 8, dtype=torch.int64))


@pytest.mark.parametrize("step", [1, 5])
@pytest.mark.parametrize("kind", ["Llama", "Mistral"])
def test_a_cache_with_free_slots_behind_the_newest_token(kind: str, step: int) -> None:
    """A static one: its keys do not end where the queries do."""
    window = {"sliding_window": 9} if kind == "Mistral" else {}
    found = []
    tokens = torch.randint(0, 50, (2, 30), generator=torch.Generator().manual_seed(1))
    for model in pair(kind, num_key_value_heads=2, **window):
        cache = transformers.StaticCache(config=model.config, max_cache_len=64)
        with torch.no_grad():
            pieces = [
                model(part, past_key_values=cache).last_hidden_state for part in tokens.split(step, dim=1)
            ]
        found.append(torch.cat(pieces, dim=1))
    torch.testing.assert_close(found[1], found[0], atol=1e-5, rtol=0)


def test_chunks_are_no_window() -> None:
    """Each token of Llama 4 sees those of its own chunk of 16, which is a mask of transformers' own."""
    from transformers.masking_utils import create_chunked_causal_mask

    config = pair("Llama")[1].config
    config.attention_chunk_size = 16
    embedded = torch.zeros(1, 40, 8)
    mask: Any = create_chunked_causal_mask(config, embedded, attention_mask=None, past_key_values=None)
    assert mask.shape == (1, 1, 40, 40)
    assert mask[0, 0, 20].nonzero().flatten().tolist() == [16, 17, 18, 19, 20]


@pytest.mark.parametrize("name", ["position_bias", "softcap", "s_aux"])
def test_what_else_changes_weights_is_refused(name: str) -> None:
    """A bias of T5, a cap of Gemma 2, sinks of GPT-OSS: leaving them out would be another model."""
    q = torch.zeros(1, 2, 4, 8)
    with pytest.raises(
        SpecError, match=f"attends with {name}, which is not honoured here; use eager or sdpa"
    ):
        hugging_face.attend(None, q, q, q, None, is_causal=False, **{name: torch.ones(1)})
