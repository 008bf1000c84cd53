"""A model of a few thousand weights, drawn at random; bounds so low that they act."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ragembed.embed.elmo.files import ElmoFiles
from ragembed.embed.elmo.options import Options
from ragembed.embed.elmo.weights import Weights, shapes

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


def random_weights(options: Options) -> Weights:
    generator = np.random.default_rng(0)
    return {
        name: generator.normal(0, 0.4, shape).astype(np.float32) for name, shape in shapes(options).items()
    }


@pytest.fixture(scope="session")
def draw() -> Draw:
    """A function that gives random weights for options."""
    return random_weights


@pytest.fixture(scope="session")
def tiny() -> ElmoFiles:
    """The model."""
    return ElmoFiles(OPTIONS, random_weights(OPTIONS), {"tokenizer": {"kind": "cased"}})


@pytest.fixture(scope="session")
def tiny_folder(tiny: ElmoFiles, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where it lies."""
    folder = tmp_path_factory.mktemp("elmo") / "tiny"
    tiny.save(folder)
    return folder
