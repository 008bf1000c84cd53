"""Each family with random weights against transformers: the same vectors of all tokens."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs the extra encoder")
transformers: Any = pytest.importorskip("transformers")

from ragembed.encoder.checkpoints import load  # noqa: E402
from ragembed.encoder.packing import Packing  # noqa: E402

SMALL: dict[str, Any] = {
    "vocab_size": 50, "hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 48,
}  # fmt: skip
FAMILIES: dict[str, dict[str, Any]] = {
    "Bert": {},
    "Roberta": {"pad_token_id": 1},
    "XLMRoberta": {"pad_token_id": 1, "type_vocab_size": 1},
    "MPNet": {"pad_token_id": 1},
    "ModernBert": {"local_attention": 8, "pad_token_id": 0},
    "NomicBert": {},
    "Qwen3": {"num_key_value_heads": 2, "head_dim": 16},
    "Qwen2": {"num_key_value_heads": 2},
    "Qwen2BothWays": {"num_key_value_heads": 1, "is_causal": False},
    "Mistral": {"num_key_value_heads": 2, "sliding_window": 5},
    "Llama": {"num_key_value_heads": 1},
    "Gte": {},
    "Longformer": {"attention_window": [8, 4, 8], "pad_token_id": 1, "max_position_embeddings": 128},
    "Gemma3Text": {
        "num_key_value_heads": 2,
        "head_dim": 16,
        "query_pre_attn_scalar": 24,
        "sliding_window": 8,
        "layer_types": ["sliding_attention", "full_attention", "sliding_attention"],
        "use_bidirectional_attention": True,
    },
    "Gemma3TextCausal": {
        "num_key_value_heads": 1,
        "head_dim": 16,
        "sliding_window": 5,
        "layer_types": ["sliding_attention", "full_attention", "sliding_attention"],
    },
}


def saved(kind: str, folder: Path, **more: Any) -> Any:
    """A model of transformers with random weights, written to `folder`."""
    torch.manual_seed(0)
    name = kind.removesuffix("Causal").removesuffix("BothWays")
    config = getattr(transformers, f"{name}Config")(**SMALL | FAMILIES[kind] | more)
    model = getattr(transformers, f"{name}Model")(config).eval()
    for each in model.parameters():
        torch.nn.init.normal_(each, std=0.3)
    model.save_pretrained(folder)
    return model


@pytest.mark.parametrize("kind", FAMILIES)
def test_vectors_are_those_of_transformers(kind: str, tmp_path: Path) -> None:
    """Of texts of many lengths, packed, within 1e-5 of each text alone."""
    theirs = saved(kind, tmp_path)
    ours = load(tmp_path)
    lengths = [1, 2, 7, 7, 7, 30, 90]
    texts = [torch.randint(2, 50, (length,)) for length in lengths]
    with torch.inference_mode():
        found = ours(torch.cat(texts), Packing.of(lengths)).split(lengths)
        for text, vectors in zip(texts, found, strict=True):
            expected = theirs(text[None]).last_hidden_state[0]
            torch.testing.assert_close(vectors, expected, atol=1e-5, rtol=1e-5)
