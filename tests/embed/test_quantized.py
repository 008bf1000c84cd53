"""Vectors in fewer bits, against what can be worked out by hand and what FAISS makes of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ragembed.embed.quantized import TYPES, quantized
from ragembed.errors import SpecError

VECTORS = np.array([[0.5, -0.25, 0.1], [0, 0, 0], [-2, 1, 0.004]], np.float32)


def test_int8_is_127_for_the_largest_number_of_each_vector() -> None:
    expected = np.array([[127, -64, 25], [0, 0, 0], [-127, 64, 0]], np.int8)  # 63.5 rounds to the even 64
    np.testing.assert_array_equal(quantized(VECTORS, "int8"), expected)


def test_binary_has_the_first_number_in_the_highest_bit() -> None:
    np.testing.assert_array_equal(quantized(VECTORS, "binary"), [[0b10100000], [0], [0b01100000]])
    assert quantized(np.ones((2, 9), np.float32), "binary").tolist() == [[255, 128]] * 2


def test_binary_is_what_faiss_searches() -> None:
    import faiss

    drawn = np.random.default_rng(0).standard_normal((20, 64)).astype(np.float32)
    index = faiss.IndexBinaryFlat(64)
    index.add(quantized(drawn, "binary"))
    distances, rows = index.search(quantized(drawn, "binary"), 1)
    np.testing.assert_array_equal(rows[:, 0], np.arange(20))
    assert not distances.any()


def test_types() -> None:
    made = {kind: quantized(VECTORS, kind) for kind in TYPES}
    assert {kind: (each.dtype.name, each.shape) for kind, each in made.items()} == {
        "float32": ("float32", (3, 3)),
        "float16": ("float16", (3, 3)),
        "int8": ("int8", (3, 3)),
        "binary": ("uint8", (3, 1)),
    }
    assert quantized(VECTORS[:0], "int8").shape == (0, 3)
    with pytest.raises(SpecError, match="unknown type 'int4' of vectors; valid are: float32, float16"):
        quantized(VECTORS, "int4")


@given(arrays(np.float32, (4, 16), elements=st.floats(-(2**60), 2**60, width=32)))
def test_int8_keeps_every_number_to_half_a_step(vectors: np.ndarray) -> None:
    steps = np.abs(vectors).max(axis=1, keepdims=True).astype(float) / 127
    back = quantized(vectors, "int8") * steps
    assert (np.abs(back - vectors) <= steps * 0.5001 + 1e-30).all()
