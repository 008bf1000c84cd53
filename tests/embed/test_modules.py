"""What sentence-transformers lists behind a transformer, in the built-in encoder: the same vectors."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ragembed.embed import EMBEDDERS
from ragembed.errors import EmbeddingError

pytest.importorskip("sentence_transformers", reason="needs the extra st")

MakeModel = Callable[..., Path]
TEXTS = ["cat", "the dog sat on the mat", "red", "the blue cat ran far on the red mat ?", "dog " * 40]


def both(folder: Path) -> tuple[Any, Any]:
    """Ours and theirs, with what a model itself gives."""
    exact = "normalize=false, precision=float32, long=truncate"
    return EMBEDDERS.create(f'hf:"{folder}"({exact})'), EMBEDDERS.create(f'st:"{folder}"(normalize=false)')


@pytest.mark.parametrize("layers", [
    [("Identity", 5, True)], [("Tanh", 5, True)], [("ReLU", 8, False)], [("GELU", 3, False), ("Sigmoid", 6, True)],
    [("Tanh", 8, True), ("Identity", 4, False), ("SiLU", 2, True)],
])  # fmt: skip
@pytest.mark.parametrize("residual", [False, True])
def test_dense_layers_behind_the_pooling(
    layers: list[tuple[str, int, bool]], residual: bool, tiny_model: Path, tmp_path: Path
) -> None:
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Dense

    model = SentenceTransformer(str(tiny_model), device="cpu")
    torch.manual_seed(1)
    before = 8
    for named, after, bias in layers:
        activation = getattr(torch.nn, named)()
        model.append(Dense(before, after, bias=bias, activation_function=activation, use_residual=residual))
        before = after
    model.save(str(tmp_path / "model"))
    ours, theirs = both(tmp_path / "model")
    assert ours.dimension == before
    np.testing.assert_allclose(ours.embed(TEXTS), theirs.embed(TEXTS), atol=1e-5)


@pytest.mark.parametrize(
    "mode", ["cls_token", "max_tokens", "mean_tokens", "mean_sqrt_len_tokens", "lasttoken"]
)
def test_tokens_of_the_prompt_are_left_out_of_the_pooling(mode: str, make_model: MakeModel) -> None:
    folder = make_model(query="query : ", document="passage : red ")
    settings = {
        "word_embedding_dimension": 8,
        "pooling_mode_mean_tokens": False,
        f"pooling_mode_{mode}": True,
        "include_prompt": False,
    }
    (folder / "1_Pooling/config.json").write_text(json.dumps(settings))
    ours, theirs = both(folder)
    np.testing.assert_allclose(ours.embed_queries(TEXTS), theirs.embed_queries(TEXTS), atol=1e-5)
    np.testing.assert_allclose(ours.embed_documents(TEXTS), theirs.embed_documents(TEXTS), atol=1e-5)


def test_without_a_prompt_all_tokens_count(make_model: MakeModel) -> None:
    folder = make_model()
    settings = {"word_embedding_dimension": 8, "pooling_mode_mean_tokens": True, "include_prompt": False}
    (folder / "1_Pooling/config.json").write_text(json.dumps(settings))
    ours, theirs = both(folder)
    np.testing.assert_allclose(ours.embed(TEXTS), theirs.embed(TEXTS), atol=1e-5)


def dense(folder: Path, settings: dict[str, Any]) -> Path:
    """The model in `folder` with a dense layer of 8 to 5 behind it."""
    import torch
    from safetensors.torch import save_file

    listed = json.loads((folder / "modules.json").read_text())
    listed.append({"idx": 2, "name": "2", "path": "2_Dense", "type": "sentence_transformers.models.Dense"})
    (folder / "modules.json").write_text(json.dumps(listed))
    (folder / "2_Dense").mkdir()
    (folder / "2_Dense/config.json").write_text(json.dumps(settings))
    save_file(
        {"linear.weight": torch.ones(5, 8), "linear.bias": torch.zeros(5)},
        folder / "2_Dense/model.safetensors",
    )
    return folder


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        (
            {"activation_function": "os.system"},
            "has the activation os.system, which is not known here; use it",
        ),
        ({"activation_function": "torch.nn.Hardtanh"}, "has the activation torch.nn.Hardtanh, which is not"),
        ({"in_features": 9}, "2_Dense is damaged .*; fetch the model again"),
        ({"out_features": "many"}, "2_Dense is damaged .*; fetch the model again"),
        ({"out_features": None}, "2_Dense is damaged .*; fetch the model again"),
        (
            {"module_input_name": "token_embeddings"},
            "has a module_input_name, token_embeddings; use it through st:",
        ),
    ],
)
def test_dense_layers_that_are_refused(changed: dict[str, Any], told: str, make_model: MakeModel) -> None:
    settings = {
        "in_features": 8,
        "out_features": 5,
        "activation_function": "torch.nn.modules.activation.Tanh",
    }
    folder = dense(make_model(), {**settings, **changed})
    with pytest.raises(EmbeddingError, match=told):
        EMBEDDERS.create(f'hf:"{folder}"').embed(["cat"])


def test_a_layer_behind_the_division_by_the_length_is_refused(make_model: MakeModel) -> None:
    """Here that division comes last; in another place the vectors would be others."""
    folder = dense(make_model(), {"in_features": 8, "out_features": 5})
    listed = json.loads((folder / "modules.json").read_text())
    kind = "sentence_transformers.models.Normalize"
    listed.insert(2, {"idx": 9, "name": "9", "path": "9_Normalize", "type": kind})
    (folder / "modules.json").write_text(json.dumps(listed))
    with pytest.raises(EmbeddingError, match="has Dense behind Normalize; use it through st:"):
        EMBEDDERS.create(f'hf:"{folder}"').embed(["cat"])
