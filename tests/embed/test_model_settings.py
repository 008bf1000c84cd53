"""What is read from a model's files against what sentence-transformers makes of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ragembed.embed.model_settings import (
    max_sequence,
    model_prompts,
    module_names,
    role_prompts,
    settings_hashes,
)
from ragembed.embed.sentence_transformers import SentenceTransformersEmbedder
from ragembed.errors import EmbeddingError

pytest.importorskip("sentence_transformers", reason="needs the extra st")

MakeModel = Callable[..., Path]
POOLING = "1_Pooling/config.json"
TRANSFORMER = {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"}
NORMALIZE = {"idx": 2, "name": "2", "path": "2_Normalize", "type": "sentence_transformers.models.Normalize"}
MEAN = {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"}
CASES: dict[str, tuple[str, object]] = {
    "pooling by the first token": (POOLING, {"pooling_mode_cls_token": True, "embedding_dimension": 8}),
    "two poolings": (
        POOLING,
        {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": True, "embedding_dimension": 8},
    ),
    "pooling as it is written now": (POOLING, {"embedding_dimension": 8, "pooling_mode": "lasttoken"}),
    "normalised": ("modules.json", [TRANSFORMER, MEAN, NORMALIZE]),
    "short": ("sentence_bert_config.json", {"max_seq_length": 8}),
    "no length": ("sentence_bert_config.json", {}),
    "no module list": ("modules.json", None),
    "prompts": ("config_sentence_transformers.json", {"prompts": {"query": "red ", "corpus": "blue "}}),
    "an empty prompt": ("config_sentence_transformers.json", {"prompts": {"document": "", "passage": "a "}}),
}


@pytest.mark.parametrize("case", CASES)
def test_files_tell_what_the_loaded_model_does(make_model: MakeModel, case: str) -> None:
    folder = make_model(query="query : ")
    name, content = CASES[case]
    (folder / name).unlink()
    if content is not None:
        (folder / name).write_text(json.dumps(content))
    embedder = SentenceTransformersEmbedder(str(folder))
    loaded: Any = embedder._model._model
    modes = [getattr(module, "pooling_mode", None) for module in loaded]
    assert module_names(folder) == [
        type(module).__name__ + (f"({mode})" if mode else "")
        for module, mode in zip(loaded, modes, strict=True)
    ]
    assert role_prompts(model_prompts(folder), None, None) == embedder._model.prompts
    assert max_sequence(folder) in (None, embedder._model.max_sequence)
    precision = embedder.recorded_identity()["precision"]
    assert {str(weight.dtype) for weight in loaded.parameters()} == {f"torch.{precision}"}
    assert embedder.identity()["dimension"] == loaded.get_embedding_dimension()


def test_prompts_that_are_given_come_first() -> None:
    prompts = {"query": "q ", "document": "", "passage": "p ", "corpus": "c "}
    assert role_prompts(prompts, None, None) == {"query": "q ", "document": "p "}
    assert role_prompts(prompts, "", "x ") == {"query": "", "document": "x "}
    assert role_prompts({}, None, None) == {"query": "", "document": ""}


def test_hashes_are_of_what_decides(make_model: MakeModel) -> None:
    folder = make_model()
    before = settings_hashes(folder)
    assert set(before) == {"config.json", "sentence_bert_config.json", "tokenizer_config.json", POOLING}
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "transformers_version": "9"}, indent=8))
    (folder / "data_config.json").write_text("[]")
    assert settings_hashes(folder) == before
    (folder / "config.json").write_text(json.dumps({**config, "hidden_act": "relu"}))
    (folder / "adapter_config.json").write_text('{"r": 8}')
    now = settings_hashes(folder)
    assert {name for name in now if now[name] != before.get(name)} == {"config.json", "adapter_config.json"}


@pytest.mark.parametrize("damage", ["[1, 2", '"text"', "[]"])
def test_damaged_settings_are_told(make_model: MakeModel, damage: str) -> None:
    folder = make_model()
    (folder / "1_Pooling/config.json").write_text(damage)
    with pytest.raises(EmbeddingError, match=r"1_Pooling.config\.json .*; fetch the model again"):
        SentenceTransformersEmbedder(str(folder)).recorded_identity()


@pytest.mark.parametrize("place", ["../other", "/other"])
def test_modules_lie_within_their_model(make_model: MakeModel, place: str) -> None:
    folder = make_model()
    modules = json.loads((folder / "modules.json").read_text())
    modules[1]["path"] = place
    (folder / "modules.json").write_text(json.dumps(modules))
    with pytest.raises(EmbeddingError, match="names a folder outside the model"):
        SentenceTransformersEmbedder(str(folder)).recorded_identity()
