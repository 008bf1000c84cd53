"""Token vectors against MultiVectorEncoder of sentence-transformers, and PyLate where it is, with random weights."""

from __future__ import annotations

import importlib.util
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ragembed.embed import EMBEDDERS, load_embedder
from ragembed.embed.colbert import ColbertEmbedder
from ragembed.embed.token_vectors import Half
from ragembed.errors import EmbeddingError, SpecError
from ragembed.pipeline import Pipeline
from ragembed.types import Document

pytest.importorskip("sentence_transformers", reason="needs the extra st")

TEXTS = ["the cat sat on the mat", "dog ? cat : red ?", "dog", "", "red blue " * 40, "? ?"]
PYLATE = "pylate.models.Dense.Dense"


def write(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value), encoding="utf-8")


@pytest.fixture(scope="module")
def pylate_folder(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny BERT with two markers, a projection from 8 to 4 and the settings that PyLate 1.2 writes."""
    import torch
    from safetensors.torch import load_file, save_file
    from tokenizers import Tokenizer

    folder = tmp_path_factory.mktemp("late") / "pylate"
    shutil.copytree(tiny_model, folder)
    shutil.rmtree(folder / "1_Pooling")
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.add_tokens(["[Q] ", "[D] "])
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = json.loads((folder / "config.json").read_text())
    before = settings["vocab_size"]
    write(folder / "config.json", {**settings, "vocab_size": before + 2})
    state = load_file(folder / "model.safetensors")
    name = next(name for name in state if name.endswith("word_embeddings.weight"))
    torch.manual_seed(1)
    state[name] = torch.cat([state[name], torch.randn(2, 8)])
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    write(
        folder / "modules.json",
        [
            {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
            {"idx": 1, "name": "1", "path": "1_Dense", "type": PYLATE},
        ],
    )
    (folder / "1_Dense").mkdir()
    shape = {"in_features": 8, "out_features": 4, "bias": False}
    write(
        folder / "1_Dense/config.json",
        {**shape, "activation_function": "torch.nn.modules.linear.Identity"},
    )
    save_file({"linear.weight": torch.randn(4, 8)}, folder / "1_Dense/model.safetensors")
    write(
        folder / "config_sentence_transformers.json",
        {
            "__version__": {"sentence_transformers": "4.0.2"},
            "prompts": {},
            "similarity_fn_name": "MaxSim",
            "query_prefix": "[Q] ",
            "document_prefix": "[D] ",
            "query_length": 9,
            "document_length": 14,
            "attend_to_expansion_tokens": False,
            "skiplist_words": ["?", ":"],
        },
    )
    return folder


@pytest.fixture(scope="module")
def original_folder(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same in the format of ColBERT's authors: ``linear.weight`` in the model's file."""
    import torch
    from safetensors.torch import load_file, save_file

    folder = tmp_path_factory.mktemp("late") / "original"
    shutil.copytree(tiny_model, folder)
    for name in ("modules.json", "sentence_bert_config.json"):
        (folder / name).unlink()
    shutil.rmtree(folder / "1_Pooling")
    state = {f"bert.{name}": each for name, each in load_file(folder / "model.safetensors").items()}
    torch.manual_seed(2)
    state["linear.weight"] = torch.randn(4, 8)
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    settings = json.loads((folder / "config.json").read_text())
    write(folder / "config.json", {**settings, "architectures": ["HF_ColBERT"]})
    told = {"query_token_id": "red", "doc_token_id": "blue", "query_maxlen": 10, "doc_maxlen": 12, "dim": 4}
    write(folder / "artifact.metadata", {**told, "mask_punctuation": True, "attend_to_mask_tokens": False})
    return folder


def changed(folder: Path, target: Path, **settings: Any) -> Path:
    shutil.copytree(folder, target)
    path = target / "config_sentence_transformers.json"
    write(path, {**json.loads(path.read_text()), **settings})
    return target


def make(folder: Path, more: str = "") -> ColbertEmbedder:
    found = EMBEDDERS.create(f'colbert:"{folder}"(precision=float32{more})')
    assert isinstance(found, ColbertEmbedder)
    return found


def assert_same(ours: Any, theirs: Any) -> None:
    assert [one.shape for one in ours] == [one.shape for one in theirs]
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("attend", [False, True])
def test_a_pylate_checkpoint_gives_the_vectors_of_sentence_transformers(
    pylate_folder: Path, tmp_path: Path, attend: bool
) -> None:
    from sentence_transformers import MultiVectorEncoder

    folder = changed(pylate_folder, tmp_path / "model", attend_to_expansion_tokens=attend)
    theirs = MultiVectorEncoder(str(folder), device="cpu", local_files_only=True)
    ours = make(folder)
    options: dict[str, Any] = {"convert_to_numpy": True, "normalize_embeddings": True}
    assert_same(ours.tokens(TEXTS, queries=True), theirs.encode_query(TEXTS, **options))
    assert_same(ours.tokens(TEXTS), theirs.encode_document(TEXTS, **options))
    assert [len(one) for one in ours.tokens(TEXTS, queries=True)] == [9] * 6  # filled up by [MASK]
    assert ours.dimension == 4
    theirs.save(str(tmp_path / "native"))
    native = make(tmp_path / "native")
    assert_same(native.tokens(TEXTS, queries=True), ours.tokens(TEXTS, queries=True))
    assert_same(native.tokens(TEXTS), ours.tokens(TEXTS))


@pytest.mark.filterwarnings("ignore")
def test_a_checkpoint_of_the_authors_gives_the_vectors_of_sentence_transformers(
    original_folder: Path,
) -> None:
    from sentence_transformers import MultiVectorEncoder

    theirs = MultiVectorEncoder(str(original_folder), device="cpu", local_files_only=True)
    ours = make(original_folder)
    options: dict[str, Any] = {"convert_to_numpy": True, "normalize_embeddings": True}
    assert_same(ours.tokens(TEXTS, queries=True), theirs.encode_query(TEXTS, **options))
    assert_same(ours.tokens(TEXTS), theirs.encode_document(TEXTS, **options))


@pytest.mark.skipif(importlib.util.find_spec("pylate") is None, reason="needs pylate")
def test_a_pylate_checkpoint_gives_the_vectors_of_pylate(pylate_folder: Path) -> None:
    models = importlib.import_module("pylate.models")
    theirs = models.ColBERT(str(pylate_folder), device="cpu")
    ours = make(pylate_folder)
    assert_same(ours.tokens(TEXTS, queries=True), theirs.encode(TEXTS, is_query=True))
    assert_same(ours.tokens(TEXTS), theirs.encode(TEXTS, is_query=False))


def test_a_text_has_its_vectors_in_any_company(pylate_folder: Path) -> None:
    ours = make(pylate_folder)
    for queries in (False, True):
        together = ours.tokens(TEXTS, queries=queries)
        for number, text in enumerate(TEXTS):
            [alone] = ours.tokens([text], queries=queries)
            np.testing.assert_allclose(together[number], alone, atol=2e-6)
    assert len(ours.tokens([])) == 0
    assert [one.shape for one in ours.embed(TEXTS[:1])] == [one.shape for one in ours.tokens(TEXTS[:1])]


def test_vectors_have_length_one_and_punctuation_is_left_out(pylate_folder: Path) -> None:
    ours = make(pylate_folder)
    found = ours.tokens(TEXTS)
    np.testing.assert_allclose(np.linalg.norm(found.vectors, axis=1), 1, atol=1e-5)
    # [CLS] [D] and [SEP] beside the words; "dog ? cat : red ?" has three
    assert found.sizes.tolist() == [9, 6, 4, 3, 14, 3]
    assert (ours.truncation.texts, ours.truncation.tokens) == (1, 80 - 11)


def test_any_encoder_gives_its_tokens_in_windows(tiny_model: Path) -> None:
    """No token is cut off, none counted twice, and special ones are not among them."""
    ours = make(tiny_model)
    found = ours.tokens(TEXTS)
    assert found.sizes.tolist() == [6, 6, 1, 0, 80, 2]
    assert ours.truncation.texts == 0
    assert make(tiny_model, ", max_length=8").tokens(TEXTS).sizes.tolist() == [6, 6, 1, 0, 80, 2]


def test_what_makes_no_sense_is_told(pylate_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="bits=3"):
        EMBEDDERS.create("colbert:minilm(bits=3)")
    with pytest.raises(EmbeddingError, match="query_length is 'many'"):
        make(changed(pylate_folder, tmp_path / "a", query_length="many")).dimension  # noqa: B018
    with pytest.raises(EmbeddingError, match="lacks the marker"):
        make(changed(pylate_folder, tmp_path / "b", query_prefix="[X] ")).dimension  # noqa: B018
    with pytest.raises(EmbeddingError, match="skiplist_words"):
        make(changed(pylate_folder, tmp_path / "c", skiplist_words=[1])).dimension  # noqa: B018
    with pytest.raises(EmbeddingError, match="the model takes"):
        make(pylate_folder, ", max_length=400").dimension  # noqa: B018
    strange = changed(pylate_folder, tmp_path / "d")
    listed = json.loads((strange / "modules.json").read_text())
    write(strange / "modules.json", [listed[0], {**listed[1], "type": "somebody.Code"}])
    with pytest.raises(EmbeddingError, match="code of its own"):
        make(strange).dimension  # noqa: B018


def test_identity_knows_how_texts_are_put_to_the_model(pylate_folder: Path, tmp_path: Path) -> None:
    one = make(pylate_folder).identity()
    other = make(changed(pylate_folder, tmp_path / "m", document_length=13)).identity()
    assert one["late"] != other["late"]
    assert one["kind"] == "multi"
    assert json.loads(json.dumps(one)) == one


DOCUMENTS = [
    Document(f"d{n}", text, {}) for n, text in enumerate([*TEXTS[:3], "blue mat far", "ran ran far"])
]


@pytest.mark.parametrize("spec", ["{}", "bm25+{}", "{}(bits=2)", "{}(bits=1)"])
def test_an_index_through_its_life(pylate_folder: Path, tmp_path: Path, spec: str) -> None:
    """Added, changed, deleted, vacuumed, damaged and mended: the same answers as an index made at once."""
    from ragembed.index.verify import verify

    spec = spec.format(f'colbert:"{pylate_folder}"').replace('"(', '"(')
    with Pipeline.create(tmp_path / "life", spec) as life:
        life.add(DOCUMENTS[:4])
        life.upsert([Document("d1", "dog cat red", {})])
        life.add(DOCUMENTS[4:])
        life.delete(["d0"])
        before = answers(life)
        assert "d0" not in dict(before)
        life.vacuum()
        assert answers(life) == before
        assert verify(life.store) == []
        for path in (tmp_path / "life/segments").iterdir():
            path.write_bytes(b"broken")
        assert verify(life.store)
    with Pipeline.open(tmp_path / "life") as life:
        life.repair()
        assert verify(life.store) == []
        assert answers(life) == before
        kinds = {segment["kind"] for segment in life.info()["segments"]}
        assert kinds == ({"tokens", "postings"} if spec.startswith("bm25") else {"tokens"})
    if "bits" not in spec:  # centroids are learnt from the first documents
        with Pipeline.create(tmp_path / "at-once", spec) as once:
            once.add([Document("d1", "dog cat red", {}), *DOCUMENTS[2:]])
            assert [name for name, _ in answers(once)] == [name for name, _ in before]


def answers(pipeline: Pipeline) -> list[tuple[str, float]]:
    hits = pipeline.search("red dog far", 10)
    return [(hit.chunk.document_id, pytest.approx(hit.score, rel=1e-4)) for hit in hits]


def test_an_export_comes_back(pylate_folder: Path, tmp_path: Path) -> None:
    from ragembed.exchange.export import export_index
    from ragembed.exchange.import_ import import_index

    with Pipeline.create(tmp_path / "one", f'colbert:"{pylate_folder}"') as one:
        one.add(DOCUMENTS)
        before = answers(one)
    export_index(tmp_path / "one", tmp_path / "out")
    import_index(tmp_path / "out", tmp_path / "two")
    with Pipeline.open(tmp_path / "two") as two:
        assert answers(two) == before


def test_centroids_are_saved(pylate_folder: Path, tmp_path: Path) -> None:
    ours = make(pylate_folder, ", bits=4")
    with pytest.raises(EmbeddingError, match="no centroids yet"):
        ours.codec  # noqa: B018
    ours.fit(TEXTS)
    ours.save(tmp_path / "saved")
    again = load_embedder(tmp_path / "saved")
    assert isinstance(again, ColbertEmbedder)
    assert again.state_hash() == ours.state_hash()
    vectors = ours.tokens(TEXTS).vectors
    np.testing.assert_array_equal(ours.codec.encode(vectors), again.codec.encode(vectors))
    with pytest.raises(EmbeddingError, match="learns nothing"):
        make(pylate_folder).fit(TEXTS)


def test_half_loses_little() -> None:
    draw = np.random.default_rng(0)
    vectors = draw.standard_normal((100, 16)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    codec = Half(16)
    assert codec.encode(vectors).shape == (100, 32)
    assert np.abs(codec.decode(codec.encode(vectors)) - vectors).max() < 2**-11
