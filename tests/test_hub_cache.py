from __future__ import annotations

import sys
from pathlib import Path

import pytest

from ragembed.embed.model_files import find_model
from ragembed.errors import EmbeddingError, MissingExtraError
from ragembed.hub_cache import cached_snapshot

REVISION = "c9745ed1d9f207416be6d2e6f8de32d1f16199bf"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and no library to read it."""
    for name in (
        "HF_HUB_CACHE",
        "HUGGINGFACE_HUB_CACHE",
        "HF_HOME",
        "XDG_CACHE_HOME",
        "SENTENCE_TRANSFORMERS_HOME",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    return tmp_path / "hub"


def put(cache: Path, name: str, revision: str = REVISION) -> Path:
    model = cache / f"models--{name.replace('/', '--')}"
    folder = model / "snapshots" / revision
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(b"")
    (model / "refs").mkdir()
    (model / "refs/main").write_text(revision + "\n")
    return folder


def test_a_model_is_found_by_its_name(cache: Path) -> None:
    folder = put(cache, "acme/small-v1.5")
    assert find_model("acme/small-v1.5") == folder
    assert find_model("acme/small-v1.5", download=True) == folder  # what is there is not fetched
    bare = put(cache, "sentence-transformers/other")
    assert find_model("other") == bare


@pytest.mark.parametrize("variable", ["HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"])
def test_other_places(variable: str, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, str(tmp_path / "elsewhere"))
    assert find_model("acme/a" if put(tmp_path / "elsewhere", "acme/a") else "") is not None
    monkeypatch.delenv(variable)
    monkeypatch.delenv("HF_HOME")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cached_snapshot("acme/b") is None
    assert put(tmp_path / "xdg/huggingface/hub", "acme/b") == cached_snapshot("acme/b")


def test_what_is_not_there(cache: Path) -> None:
    with pytest.raises(
        EmbeddingError, match=r"is not on this machine .*; add download=true to let it be fetched"
    ):
        find_model("acme/other")
    with pytest.raises(MissingExtraError, match=r"downloading a model needs huggingface_hub.*pip install"):
        find_model("acme/other", download=True)


@pytest.mark.parametrize("name", ["../../etc", "a/../b", "", "a/b/c", ".", ".."])
def test_names_that_are_none(name: str, cache: Path) -> None:
    assert cached_snapshot(name) is None


def test_a_damaged_cache(cache: Path) -> None:
    put(cache, "acme/a")
    reference = cache / "models--acme--a/refs/main"
    for content in (b"", b"../../x", b"\xff\xfe", b"0" * 40):
        reference.write_bytes(content)
        assert cached_snapshot("acme/a") is None
