"""Positions that are scaled beyond the length of training: the same vectors as transformers', text by text."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs the extra encoder")
transformers: Any = pytest.importorskip("transformers")

from ragembed.encoder.checkpoints import load  # noqa: E402
from ragembed.encoder.config import Rope  # noqa: E402
from ragembed.encoder.packing import Packing  # noqa: E402
from ragembed.encoder.rope_scaling import Dynamic, MixedNtk  # noqa: E402
from ragembed.errors import EmbeddingError  # noqa: E402

SMALL: dict[str, Any] = {
    "vocab_size": 50, "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48,
    "max_position_embeddings": 32,
}  # fmt: skip
KINDS: dict[str, dict[str, Any]] = {
    "linear": {"factor": 4.0},
    "dynamic": {"factor": 2.0},
    "yarn": {"factor": 4.0, "original_max_position_embeddings": 8},
    "yarn with its own numbers": {
        "factor": 3.0, "original_max_position_embeddings": 16, "beta_fast": 4, "beta_slow": 2, "truncate": False,
        "attention_factor": 1.3,
    },
    "yarn of DeepSeek": {"factor": 4.0, "original_max_position_embeddings": 8, "mscale": 0.7, "mscale_all_dim": 1.0},
    "llama3": {
        "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 16,
    },
}  # fmt: skip
FAMILIES: dict[str, dict[str, Any]] = {
    "Llama": {"num_key_value_heads": 2},
    "Qwen3": {"num_key_value_heads": 2, "head_dim": 16},
    "NomicBert": {},
    "Gte": {},
    "ModernBert": {"local_attention": 8, "pad_token_id": 0},
    "Gemma3Text": {
        "num_key_value_heads": 2, "head_dim": 16, "query_pre_attn_scalar": 24, "sliding_window": 8,
        "layer_types": ["sliding_attention", "full_attention"], "use_bidirectional_attention": True,
    },
}  # fmt: skip


def model(family: str, rope: dict[str, Any]) -> Any:
    """Of transformers, with random weights."""
    torch.manual_seed(0)
    config = getattr(transformers, f"{family}Config")(**SMALL, **FAMILIES[family], **rope)
    found = getattr(transformers, f"{family}Model")(config).eval()
    for each in found.parameters():
        torch.nn.init.normal_(each, std=0.3)
    return found


def same(family: str, rope: dict[str, Any], folder: Path, *, fresh: bool = False) -> None:
    """Texts below and above all lengths of training, packed by us, each alone by them.

    Fresh: with a new model for each text, as theirs remembers the angles of the longest text so far.
    """
    theirs = model(family, rope)
    theirs.save_pretrained(folder)
    lengths = [1, 8, 9, 31, 32, 33, 33, 70]
    texts = [torch.randint(2, 50, (length,)) for length in lengths]
    with torch.inference_mode():
        found = load(folder)(torch.cat(texts), Packing.of(lengths)).split(lengths)
        for text, vectors in zip(texts, found, strict=True):
            expected = (model(family, rope) if fresh else theirs)(text[None]).last_hidden_state[0]
            torch.testing.assert_close(vectors, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("family", "kind"), [*(("Llama", kind) for kind in KINDS), ("NomicBert", "dynamic"), ("Gte", "yarn")]
)
def test_vectors_are_those_of_transformers(family: str, kind: str, tmp_path: Path) -> None:
    told = {"rope_type": kind.split()[0], "rope_theta": 100.0, **KINDS[kind]}
    same(family, {"rope_parameters": told}, tmp_path, fresh=kind == "dynamic")


def test_two_kinds_of_layers(tmp_path: Path) -> None:
    same("ModernBert", {"rope_scaling": {"rope_type": "linear", "factor": 4.0}}, tmp_path)


def test_files_before_version_5(tmp_path: Path) -> None:
    """These call it rope_scaling, and its kind type."""
    same("Qwen3", {"rope_scaling": {"type": "linear", "factor": 4.0}}, tmp_path)
    path = tmp_path / "config.json"
    settings = json.loads(path.read_text())
    before, now = load(tmp_path).config.ropes, settings.pop("rope_parameters")
    settings.update(rope_scaling={"type": "linear", "factor": 4.0}, rope_theta=now["rope_theta"])
    path.write_text(json.dumps(settings))
    assert load(tmp_path).config.ropes == before


def test_gemma_scales_the_layers_that_see_everything(tmp_path: Path) -> None:
    same("Gemma3Text", {"rope_scaling": {"rope_type": "linear", "factor": 8.0}}, tmp_path)
    ropes = load(tmp_path).config.ropes
    assert [rope.scaling is None for rope in ropes] == [True, False]


def test_neighbours_rotated_in_pairs(tmp_path: Path) -> None:
    """What NomicBERT's files call interleaved: the same model, the numbers of each head written in another order."""
    from safetensors.torch import load_file, save_file

    model("NomicBert", {}).save_pretrained(tmp_path)
    expected = load(tmp_path)
    state = load_file(tmp_path / "model.safetensors")
    for name, weight in state.items():
        if "Wqkv" in name:
            heads = weight[:128].unflatten(0, (8, 2, 8)).transpose(1, 2).flatten(0, 2)  # half, half -> pairs
            state[name] = torch.cat([heads, weight[128:]]).contiguous()
    save_file(state, tmp_path / "model.safetensors")
    path = tmp_path / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "rotary_emb_interleaved": True}))
    ids, packing = torch.randint(2, 50, (20,)), Packing.of([20])
    with torch.inference_mode():
        torch.testing.assert_close(load(tmp_path)(ids, packing), expected(ids, packing))


def test_nomic_beyond_its_training(tmp_path: Path) -> None:
    """Its authors' files name the factor of dynamic scaling, and the length it starts from, in their own words."""
    model("NomicBert", {}).save_pretrained(tmp_path)
    path = tmp_path / "config.json"
    settings = {**json.loads(path.read_text()), "rotary_scaling_factor": 2, "max_trained_positions": 16}
    path.write_text(json.dumps(settings))
    config = load(tmp_path).config
    assert config.ropes[0].scaling == Dynamic(2.0, 16)
    assert config.max_positions == 32


def test_gte_scales_all_lengths(tmp_path: Path) -> None:
    """theta times the factor, and all angles divided by factor^(2 / r), as its authors have it."""
    model("Gte", {}).save_pretrained(tmp_path)
    path = tmp_path / "config.json"
    settings = json.loads(path.read_text())
    del settings["rope_parameters"]
    settings.update(rope_theta=500.0, rope_scaling={"type": "ntk", "factor": 2.0})
    path.write_text(json.dumps(settings))
    rope = load(tmp_path).config.ropes[0]
    assert rope == Rope(theta=500.0, scaling=MixedNtk(2.0))
    expected = [(500.0 * 2) ** (-2 * i / 16) / 2 ** (2 / 16) for i in range(8)]
    assert rope.frequencies(16, 5).tolist() == pytest.approx(expected)
    mixed = MixedNtk(4.0, 0.625)
    a = math.log(4) / 8**0.625
    expected = [500.0 ** (-2 * i / 16) / math.exp(a * (i + 1) ** 0.625) for i in range(8)]
    assert mixed.frequencies(16, 500.0, 5).tolist() == pytest.approx(expected)


def test_a_kind_that_is_not_known(tmp_path: Path) -> None:
    model("Llama", {}).save_pretrained(tmp_path)
    path = tmp_path / "config.json"
    settings = {**json.loads(path.read_text()), "rope_scaling": {"rope_type": "longrope"}}
    path.write_text(json.dumps(settings))
    with pytest.raises(EmbeddingError, match="scales its rotary positions by longrope; use it through st:"):
        load(tmp_path)
