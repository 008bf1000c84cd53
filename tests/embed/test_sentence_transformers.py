"""`st:` against sentence-transformers itself, on a tiny model whose tokens a reader can count."""

from __future__ import annotations

import json
import logging
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ragembed.embed import EMBEDDERS, Truncation
from ragembed.embed.sentence_transformers import SentenceTransformersEmbedder
from ragembed.embed.st_model import _lost_tokens
from ragembed.errors import EmbeddingError

pytest.importorskip("sentence_transformers", reason="needs the extra st")

MakeModel = Callable[..., Path]
TEXTS = ["cat", "the dog sat on the mat", "red", "the blue cat ran far on the red mat ?", ""]


def theirs(folder: Path, texts: list[str], prompt: str = "", *, normalize: bool = True) -> Any:
    """What the library gives by itself for texts that begin with `prompt`."""
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(folder), device="cpu", local_files_only=True)
    return model.encode([prompt + text for text in texts], normalize_embeddings=normalize)


def test_vectors_are_the_librarys(tiny_model: Path) -> None:
    embedder = SentenceTransformersEmbedder(str(tiny_model))
    vectors = embedder.embed_documents(TEXTS)
    assert (vectors.shape, vectors.dtype, embedder.dimension) == ((5, 8), np.float32, 8)
    np.testing.assert_allclose(vectors, theirs(tiny_model, TEXTS), atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-6)


def test_normalize_false_leaves_the_lengths(tiny_model: Path) -> None:
    vectors = SentenceTransformersEmbedder(str(tiny_model), normalize=False).embed(TEXTS)
    np.testing.assert_allclose(vectors, theirs(tiny_model, TEXTS, normalize=False), atol=1e-6)
    assert np.linalg.norm(vectors, axis=1).max() > 2


def test_each_role_gets_its_prompt(make_model: MakeModel) -> None:
    folder = make_model(query="query : ", document="passage : ")
    embedder = SentenceTransformersEmbedder(str(folder))
    np.testing.assert_allclose(embedder.embed_queries(TEXTS), theirs(folder, TEXTS, "query : "), atol=1e-6)
    np.testing.assert_allclose(
        embedder.embed_documents(TEXTS), theirs(folder, TEXTS, "passage : "), atol=1e-6
    )
    assert embedder.identity()["prompts"] == {"query": "query : ", "document": "passage : "}


def test_a_passage_prompt_is_for_documents(make_model: MakeModel) -> None:
    folder = make_model(query="query : ", passage="passage : ")
    vectors = SentenceTransformersEmbedder(str(folder)).embed_documents(TEXTS)
    np.testing.assert_allclose(vectors, theirs(folder, TEXTS, "passage : "), atol=1e-6)


def test_prompts_of_the_spec_come_first(make_model: MakeModel) -> None:
    folder = make_model(query="query : ", document="passage : ")
    spec = f'st:"{folder}"(query_prompt="red ", document_prompt="")'
    embedder = EMBEDDERS.create(spec)
    np.testing.assert_allclose(embedder.embed_queries(TEXTS), theirs(folder, TEXTS, "red "), atol=1e-6)
    np.testing.assert_allclose(embedder.embed_documents(TEXTS), theirs(folder, TEXTS), atol=1e-6)


def test_what_is_cut_is_counted(tiny_model: Path) -> None:
    embedder = SentenceTransformersEmbedder(str(tiny_model), batch=2)
    embedder.embed(TEXTS)
    assert embedder.truncation == Truncation(0, 0)
    # 16 tokens with [CLS] and [SEP] leave 14 words: 14 fit, of 15 one is lost, of 40 (in several pieces) 26
    assert embedder.max_tokens == 14
    embedder.embed([" ".join(["cat"] * words) for words in (14, 15, 40)])
    assert embedder.truncation == Truncation(texts=2, tokens=1 + 26)


def test_a_prompt_takes_room(make_model: MakeModel) -> None:
    embedder = SentenceTransformersEmbedder(str(make_model(document="passage : ")))
    assert embedder.max_tokens == 14 - 2
    embedder.embed_documents([" ".join(["cat"] * 14)])
    assert embedder.truncation == Truncation(texts=1, tokens=2)
    embedder.embed_queries([" ".join(["cat"] * 14)])  # no prompt there, all of it fits
    assert embedder.truncation == Truncation(texts=1, tokens=2)


@pytest.mark.parametrize("prompt", ["", "passage : "])
def test_both_ways_of_counting_agree(tiny_model: Path, prompt: str) -> None:
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(tiny_model), device="cpu", local_files_only=True)
    texts = [" ".join(["cat"] * words) for words in (3, 13, 14, 15, 40)]
    features = model.preprocess(texts, prompt=prompt)
    fast = list(_lost_tokens(model, texts, features, prompt))
    slow = list(
        _lost_tokens(model, texts, dict(features), prompt)
    )  # without the encodings of a fast tokenizer
    assert fast == slow == ([1, 26] if not prompt else [1, 2, 3, 28])


def test_max_length_cuts_earlier(tiny_model: Path) -> None:
    embedder = SentenceTransformersEmbedder(str(tiny_model), max_length=5)
    np.testing.assert_allclose(
        embedder.embed(["cat dog red blue mat"]), embedder.embed(["cat dog red"]), atol=1e-6
    )
    assert embedder.truncation == Truncation(1, 2)


@pytest.mark.parametrize("length", [2, 33])
def test_max_length_out_of_range(tiny_model: Path, length: int) -> None:
    with pytest.raises(EmbeddingError, match=f"max_length is {length}, the model takes 3 to 32 tokens"):
        SentenceTransformersEmbedder(str(tiny_model), max_length=length).embed(["cat"])


def test_half_characters_do_not_fail(tiny_model: Path) -> None:
    embedder = SentenceTransformersEmbedder(str(tiny_model))
    np.testing.assert_array_equal(embedder.embed(["cat \ud800"]), embedder.embed(["cat ?"]))


def test_half_precision_checkpoints_run_in_float32(make_model: MakeModel) -> None:
    from safetensors.torch import load_file, save_file

    folder = make_model()
    weights = {name: tensor.half() for name, tensor in load_file(folder / "model.safetensors").items()}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "dtype": "float16"}))
    embedder = SentenceTransformersEmbedder(str(folder), batch=1)
    together = SentenceTransformersEmbedder(str(folder), batch=5).embed(TEXTS)
    np.testing.assert_allclose(embedder.embed(TEXTS), together, atol=1e-6)


def test_identity_says_what_decides_and_not_where_it_lies(make_model: MakeModel) -> None:
    here, there = make_model("here"), make_model("there")
    identity = SentenceTransformersEmbedder(str(here)).identity()
    assert identity == SentenceTransformersEmbedder(str(there), batch=7, device="cpu").identity()
    assert str(here.parent) not in json.dumps(identity)
    assert identity["modules"] == ["Transformer", "Pooling(mean)"]
    assert (identity["dimension"], identity["max_sequence"], identity["normalized"]) == (8, 16, True)


def test_identity_changes_with_what_decides(make_model: MakeModel) -> None:
    folder = make_model("plain")
    options = ["", "(normalize=false)", "(max_length=8)", '(query_prompt="red ")', '(document_prompt="red ")']
    identities = [EMBEDDERS.create(f'st:"{folder}"{option}').identity() for option in options]
    identities.append(SentenceTransformersEmbedder(str(make_model("prompt", query="red "))).identity())
    pooled = make_model("pooling")
    pooling = {"word_embedding_dimension": 8, "pooling_mode_cls_token": True}
    (pooled / "1_Pooling/config.json").write_text(json.dumps(pooling))
    identities.append(SentenceTransformersEmbedder(str(pooled)).identity())
    weights = make_model("weights")
    damaged = bytearray((weights / "model.safetensors").read_bytes())
    damaged[-1] ^= 1
    (weights / "model.safetensors").write_bytes(damaged)
    identities.append(SentenceTransformersEmbedder(str(weights)).identity())
    words = make_model("words")
    tokenizer = (words / "tokenizer.json").read_text().replace('"lowercase":true', '"lowercase":false')
    (words / "tokenizer.json").write_text(tokenizer.replace('"lowercase": true', '"lowercase": false'))
    identities.append(SentenceTransformersEmbedder(str(words)).identity())
    assert len({json.dumps(identity) for identity in identities}) == len(identities) == 9


def test_models_of_the_hub_are_found_in_the_cache(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SENTENCE_TRANSFORMERS_HOME", str(tmp_path))
    commit = "0123456789abcdef0123456789abcdef01234567"
    for name in ("models--acme--tiny", "models--sentence-transformers--tiny"):
        shutil.copytree(tiny_model, tmp_path / name / "snapshots" / commit)
        (tmp_path / name / "refs").mkdir()
        (tmp_path / name / "refs/main").write_text(commit)
    expected = SentenceTransformersEmbedder(str(tiny_model)).embed(TEXTS)
    for target in ("acme/tiny", "tiny"):
        np.testing.assert_array_equal(EMBEDDERS.create(f"st:{target}").embed(TEXTS), expected)
    with pytest.raises(EmbeddingError, match=r"acme/other is not on this machine.*download=true"):
        EMBEDDERS.create("st:acme/other").dimension  # noqa: B018


def test_the_network_is_never_used(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("opened a connection")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setenv("SENTENCE_TRANSFORMERS_HOME", str(tmp_path))
    assert SentenceTransformersEmbedder(str(tiny_model)).embed(TEXTS).shape == (5, 8)
    with pytest.raises(EmbeddingError, match="not on this machine"):
        SentenceTransformersEmbedder("acme/nothing").embed(["cat"])


def test_the_libraries_are_quiet_and_left_as_they_were(
    tiny_model: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    from transformers.utils import logging as transformers_logging

    logger = logging.getLogger("transformers")
    before = (logger.level, transformers_logging.is_progress_bar_enabled(), logging.getLogger().handlers[:])
    SentenceTransformersEmbedder(str(tiny_model)).embed([*TEXTS, "cat " * 100])
    assert capfd.readouterr() == ("", "")
    after = (logger.level, transformers_logging.is_progress_bar_enabled(), logging.getLogger().handlers[:])
    assert after == before


def test_threads_may_share_it(tiny_model: Path) -> None:
    embedder = SentenceTransformersEmbedder(str(tiny_model))
    level = logging.getLogger("transformers").level
    many = [[" ".join(["cat", "dog"] * (size % 20 + 1))] for size in range(200)]
    alone = SentenceTransformersEmbedder(str(tiny_model))
    expected = [alone.embed(texts) for texts in many[:20]]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(embedder.embed, many))
    for number, vectors in enumerate(found):
        np.testing.assert_allclose(vectors, expected[number % 20], atol=1e-6)
    assert logging.getLogger("transformers").level == level


def test_nothing_is_loaded_before_it_is_needed(tiny_model: Path) -> None:
    code = (
        "import sys; from ragembed.embed import EMBEDDERS; e = EMBEDDERS.create(sys.argv[1]);"
        "e.truncation, e.tokenizer_name, e.spec, e.state_hash(), e.learns;"
        "print({'torch', 'transformers', 'sentence_transformers', 'scipy', 'faiss'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, f"st:{tiny_model}"], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "set()"


def test_without_the_extra_the_error_says_how_to_get_it(tiny_model: Path) -> None:
    code = (
        "import sys; sys.modules['sentence_transformers'] = None; from ragembed.embed import EMBEDDERS\n"
        "from ragembed.errors import MissingExtraError\n"
        "try: EMBEDDERS.create(sys.argv[1]).embed(['cat'])\n"
        "except MissingExtraError as error: print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, f"st:{tiny_model}"], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip().endswith("run: pip install 'ragembed[st]'")


def _no_weights(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def _broken_weights(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"\x08\0\0\0\0\0\0\0nonsense")


def _pickle_beside(folder: Path) -> None:
    (folder / "1_Pooling/pytorch_model.bin").write_bytes(b"")


def _own_code(folder: Path) -> None:
    (folder / "modules.json").write_text(
        '[{"idx": 0, "name": "0", "path": "", "type": "mycode.Transformer"}]'
    )


def _broken_list(folder: Path) -> None:
    (folder / "modules.json").write_text("[{]")


def _no_model(folder: Path) -> None:
    (folder / "modules.json").unlink()
    (folder / "config.json").unlink()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_no_weights, "holds no safetensors weights; convert"),
        (_broken_weights, "does not load .*; fetch"),
        (_pickle_beside, "is a pickle, which can run code; convert"),
        (_own_code, "does not load .*mycode"),
        (_broken_list, "modules.json is damaged .*; fetch"),
        (_no_model, "holds no model .*; name"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_damaged_models(make_model: MakeModel, damage: Callable[[Path], None], message: str) -> None:
    folder = make_model()
    damage(folder)
    with pytest.raises(EmbeddingError, match=message) as caught:
        SentenceTransformersEmbedder(str(folder)).embed(["cat"])
    assert "\n" not in str(caught.value)


def test_wrong_options(tiny_model: Path) -> None:
    with pytest.raises(EmbeddingError, match="batch is 0; give"):
        SentenceTransformersEmbedder(str(tiny_model), batch=0).embed(["cat"])
    with pytest.raises(EmbeddingError, match=r"does not load \(.*device"):
        SentenceTransformersEmbedder(str(tiny_model), device="abacus").embed(["cat"])
    with pytest.raises(EmbeddingError, match="is no folder; name"):
        SentenceTransformersEmbedder("./nowhere/at/all").embed(["cat"])
