"""Shared fixtures. The repository root is taken off the path, so that the tests see the installed package."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from ragembed import Document, Pipeline

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"
sys.path[:] = [entry for entry in sys.path if Path(entry or ".").resolve() != ROOT]

settings.register_profile("ragembed", deadline=None)  # a busy machine is no failure
settings.load_profile("ragembed")


def _shared(kind: str) -> Path:
    folder = SHARED / kind
    if not folder.is_dir():
        if os.environ.get("CI"):
            pytest.fail(f"CI must have ../shared/{kind}")
        pytest.skip(f"needs the test collections in ../shared/{kind}")
    return folder


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real test collections; skips where it is absent, fails in CI."""
    return _shared("data")


@pytest.fixture(scope="session")
def shared_fixtures() -> Path:
    """Expected values that others published; skips where they are absent, fails in CI."""
    return _shared("fixtures")


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """What the tests convert is kept with them, not in the user's cache."""
    os.environ["RAGEMBED_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Callable[[Sequence[str | Document], str, str], Pipeline]]:
    """Makes an index of texts, as documents d0, d1 ..., or of the documents that are given."""
    from ragembed import Document, Pipeline

    with ExitStack() as stack:

        def make(texts: Sequence[str | Document], embedder: str, chunker: str) -> Pipeline:
            folder = tmp_path / f"{len(list(tmp_path.iterdir()))}.index"
            pipeline = stack.enter_context(Pipeline.create(folder, embedder=embedder, chunker=chunker))
            pipeline.add(
                [t if isinstance(t, Document) else Document(f"d{i}", t) for i, t in enumerate(texts)]
            )
            return pipeline

        yield make
