"""An index with a past: documents added, replaced and deleted; its rows have gaps, its segments dead rows."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ragembed import Document, Pipeline
from ragembed.exchange import export_index

QUERIES = ["red apple", "river flood", "quick fox", "lake ice", "fig"]
TOPICS = ["red apple tree", "river flood spring", "quick fox jumps", "lake ice winter", "fig date palm"]


def text_of(number: int, version: int = 0) -> str:
    """Three paragraphs, each a chunk; another version changes the middle one."""
    middle = f"{TOPICS[(number + version) % 5]} {number} version {version}"
    return f"{TOPICS[number % 5]} begins {number}\n\n{middle}\n\n{TOPICS[(number * 3) % 5]} ends {number}"


def build(folder: Path, embedder: str) -> Path:
    """An index of 17 documents that once were 20, four of them changed, and one that has no chunk."""
    with Pipeline.create(folder, embedder, "recursive(tokens=8, overlap=0)") as pipeline:
        pipeline.add(
            [
                Document(f"d{number}", text_of(number), {"year": 2000 + number, "tags": ["a", "é"]})
                for number in range(20)
            ]
        )
        pipeline.upsert(
            [Document(f"d{number}", text_of(number, 1), {"year": 1900}) for number in (3, 4, 11, 19)]
        )
        pipeline.delete(["d0", "d7", "d12"])
        pipeline.add([Document("empty", "", {"note": "no chunk"})])
    return folder


@pytest.fixture(scope="session")
def answers() -> Callable[[Path], Any]:
    """Hits of some queries in the index in a folder, filtered and not, to the last bit of their scores."""

    def answers(folder: Path) -> Any:
        with Pipeline.open(folder) as pipeline:
            return [
                [
                    [
                        (hit.chunk, hit.score, hit.rank, dict(hit.parts))
                        for hit in pipeline.search(query, 20, where)
                    ]
                    for query in QUERIES
                ]
                for where in (None, "year > 2005", "tags = 'é'")
            ]

    return answers


@pytest.fixture(scope="session", params=["bm25", "lsa(dimension=6)", "bm25+lsa(dimension=6)", "onehot+tfidf"])
def index(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index by each kind of embedder; not to be written."""
    return build(tmp_path_factory.mktemp("index") / "index", request.param)


@pytest.fixture(scope="session")
def hybrid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index by bm25 and lsa; not to be written."""
    return build(tmp_path_factory.mktemp("hybrid") / "index", "bm25+lsa(dimension=6)")


@pytest.fixture(scope="session")
def exported_once(hybrid: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exported") / "export"
    export_index(hybrid, folder)
    return folder


@pytest.fixture
def exported(exported_once: Path, tmp_path: Path) -> Path:
    """An export of `hybrid`, of one's own."""
    return Path(shutil.copytree(exported_once, tmp_path / "export"))
