"""A cross-encoder with random weights, saved and used as a reranker."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from ragembed.errors import EmbeddingError, SpecError
from ragembed.pipeline import Pipeline
from ragembed.retrieve.cross_encoder import CrossScorer
from ragembed.retrieve.steps import STEPS
from ragembed.types import Document

pytest.importorskip("sentence_transformers", reason="needs the extra st")

WORDS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
WORDS += ("the", "cat", "dog", "sat", "mat", "red", "blue", "ran", "far", "key")
TEXTS = [
    "the cat sat",
    "the dog ran far",
    "red key",
    "blue mat the cat",
    "the dog the dog",
    "cat red far mat",
]
QUERY = "the dog cat"


def save(folder: Path, labels: int = 1) -> Path:
    import torch
    from transformers import BertConfig, BertForSequenceClassification, BertTokenizerFast

    torch.manual_seed(3)
    config = BertConfig(
        vocab_size=len(WORDS), hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=64, num_labels=labels, initializer_range=0.5,
    )  # fmt: skip
    BertForSequenceClassification(config).save_pretrained(folder)
    numbers = {word: number for number, word in enumerate(WORDS)}
    BertTokenizerFast(vocab=numbers, model_max_length=64).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(tmp_path_factory.mktemp("cross") / "tiny")


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    with Pipeline.create(tmp_path_factory.mktemp("rerank") / "index", "bm25") as pipeline:
        pipeline.add([Document(f"d{n}", text, {}) for n, text in enumerate(TEXTS)])
        yield pipeline


def test_scores_are_those_of_the_library(model: Path) -> None:
    from sentence_transformers import CrossEncoder

    theirs = CrossEncoder(str(model), device="cpu", local_files_only=True)
    wanted = theirs.predict([(QUERY, text) for text in TEXTS], show_progress_bar=False)
    ours = CrossScorer(model, batch=2, device="cpu")
    np.testing.assert_allclose(ours.scores(QUERY, TEXTS), wanted, atol=1e-6)
    assert len(set(np.round(wanted, 5))) > 1
    assert ours.scores(QUERY, []).shape == (0,)


def test_hits_come_in_its_order(model: Path, index: Pipeline) -> None:
    scorer = CrossScorer(model, device="cpu")
    spec = f'rerank:"{model}"(device=cpu)'
    plain = index.search(QUERY, 10)
    hits = index.search(QUERY, 10, steps=spec)
    wanted = dict(
        zip((hit.chunk.id for hit in plain), scorer.scores(QUERY, [h.chunk.text for h in plain]), strict=True)
    )
    assert [hit.chunk.id for hit in hits] == sorted(wanted, key=lambda name: -wanted[name])
    for hit in hits:
        assert hit.score == pytest.approx(wanted[hit.chunk.id], abs=1e-6)
        assert [rank for rank, _ in hit.steps.values()] == [hit.rank]
    shallow = index.search(QUERY, 10, steps=f'rerank:"{model}"(device=cpu, depth=2)')
    assert {hit.chunk.id for hit in shallow[:2]} == {hit.chunk.id for hit in plain[:2]}
    assert [hit.chunk.id for hit in shallow[2:]] == [hit.chunk.id for hit in plain[2:]]
    scores = [hit.score for hit in shallow]
    assert scores == sorted(scores, reverse=True)
    assert index.search("unheard", 3, steps=spec) == []


def test_what_is_cut_off_is_told(model: Path) -> None:
    ours = CrossScorer(model, device="cpu", max_length=8)
    with pytest.warns(UserWarning, match="reads 8 tokens"):
        ours.scores(QUERY, ["the cat " * 10, "cat"])
    assert (ours.truncation.texts, ours.truncation.tokens) == (1, 3 + 3 + 20 - 8)


def test_a_model_that_cannot_be_used_is_refused(model: Path, tmp_path: Path, index: Pipeline) -> None:
    with pytest.raises(EmbeddingError, match="gives 3 scores"):
        CrossScorer(save(tmp_path / "three", labels=3), device="cpu")
    with pytest.raises(EmbeddingError, match="max_length is 3"):
        CrossScorer(model, device="cpu", max_length=3)
    pickled = tmp_path / "pickled"
    pickled.mkdir()
    (pickled / "config.json").write_text(json.dumps({"model_type": "bert"}))
    (pickled / "pytorch_model.bin").write_bytes(b"\x80\x04.")
    with pytest.raises(EmbeddingError, match="no safetensors weights"):
        index.search(QUERY, 3, steps=f'rerank:"{pickled}"')
    with pytest.raises(EmbeddingError, match=r'not on this machine.*rerank:"nobody/nothing"'):
        index.search(QUERY, 3, steps="rerank:nobody/nothing")


def test_parameters_are_checked() -> None:
    for spec in ("rerank:x(depth=0)", "rerank:x(batch=0)", "rerank"):
        with pytest.raises(SpecError):
            STEPS.create(spec)
