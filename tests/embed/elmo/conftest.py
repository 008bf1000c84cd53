"""A model of a few thousand weights, drawn at random; bounds so low that they act."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ragembed.embed.elmo.files import ElmoFiles
from ragembed.embed.elmo.options import Options
from ragembed.embed.elmo.weights import Weights

OPTIONS = Options(
    char_dimension=3,
    filters=((1, 4), (2, 3), (5, 6)),
    highways=2,
    longest_word=12,
    cells=7,
    projection=5,
    layers=2,
    cell_clip=0.5,
    proj_clip=0.25,
)


Draw = Callable[[Options], Weights]


@pytest.fixture(scope="session")
def tiny(draw: Draw) -> ElmoFiles:
    """The model."""
    return ElmoFiles(OPTIONS, draw(OPTIONS), {"tokenizer": {"kind": "cased"}})


@pytest.fixture(scope="session")
def tiny_folder(tiny: ElmoFiles, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where it lies."""
    folder = tmp_path_factory.mktemp("elmo") / "tiny"
    tiny.save(folder)
    return folder
