from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ragembed.embed.elmo.options import Options
from ragembed.errors import EmbeddingError

PUBLISHED: dict[str, Any] = {
    "lstm": {
        "use_skip_connections": True,
        "projection_dim": 512,
        "cell_clip": 3,
        "proj_clip": 3,
        "dim": 4096,
        "n_layers": 2,
    },
    "char_cnn": {
        "activation": "relu",
        "filters": [[1, 32], [2, 32], [3, 64], [4, 128], [5, 256], [6, 512], [7, 1024]],
        "n_highway": 2,
        "embedding": {"dim": 16},
        "n_characters": 262,
        "max_characters_per_token": 50,
    },
}
"""The sizes of the model of Peters et al. 2018, 93.6 million weights."""


def changed(where: str, value: object) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(json.dumps(PUBLISHED))
    part, _, key = where.partition(".")
    content[part][key] = value
    return content


def test_the_published_sizes() -> None:
    options = Options.from_json(PUBLISHED)
    assert (options.features, options.dimension, options.skip) == (2048, 1024, True)
    assert options.to_json() == PUBLISHED


def test_bounds_may_be_absent() -> None:
    content = changed("lstm.cell_clip", None)
    del content["lstm"]["proj_clip"]
    options = Options.from_json(content)
    assert (options.cell_clip, options.proj_clip) == (None, None)


@pytest.mark.parametrize(
    ("where", "value", "told"),
    [
        ("char_cnn.activation", "gelu", "activation is 'gelu'; known are relu and tanh"),
        ("char_cnn.n_characters", 128, "n_characters is 128"),
        ("char_cnn.filters", [], "0 convolutions"),
        ("char_cnn.filters", [[51, 8]], "width of a filter is 51, 1 to 50"),
        ("char_cnn.filters", [["1", 8]], "filters is '1', no whole number"),
        ("char_cnn.filters", "many", "cannot be read"),
        ("char_cnn.embedding", {}, "lack 'dim'"),
        ("char_cnn.max_characters_per_token", 2, "longest_word is 2"),
        ("lstm.dim", 10**12, "cells is 1000000000000, 1 to 65536"),
        ("lstm.dim", -1, "cells is -1"),
        ("lstm.n_layers", True, "no whole number"),
        ("lstm.cell_clip", 0, "cell_clip is 0"),
        ("lstm.cell_clip", "3", "no number"),
        ("lstm.cell_clip", 10**400, "too large"),
        ("lstm.use_skip_connections", "yes", "neither true nor false"),
    ],
)
def test_what_makes_no_sense_is_told(where: str, value: object, told: str) -> None:
    with pytest.raises(EmbeddingError, match=told):
        Options.from_json(changed(where, value))


@pytest.mark.parametrize("content", ["", "[1]", "{", '{"lstm": {}}', '"x"', "[" * 100_000])
def test_a_file_that_is_none(tmp_path: Path, content: str) -> None:
    path = tmp_path / "options.json"
    path.write_text(content)
    with pytest.raises(EmbeddingError) as raised:
        Options.read(path)
    assert "\n" not in str(raised.value)
