"""Centroids and residuals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ragembed.embed.residual import Residual, learn, sampled
from ragembed.errors import EmbeddingError


def vectors(count: int = 600, dimension: int = 10) -> np.ndarray:
    """Around a few directions."""
    draw = np.random.default_rng(0)
    middle = draw.standard_normal((4, dimension))
    found = middle[draw.integers(4, size=count)] + 0.2 * draw.standard_normal((count, dimension))
    return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)


def test_more_bits_lose_less() -> None:
    held = vectors()
    lost = []
    for bits in (1, 2, 4):
        codec = learn(held, 10, bits)
        codes = codec.encode(held)
        assert codes.shape == (600, 2 + -(-10 * bits // 8))
        assert codes.dtype == np.uint8
        back = codec.decode(codes)
        np.testing.assert_allclose(np.linalg.norm(back, axis=1), 1, atol=1e-6)
        lost.append(1 - float((back * held).sum(axis=1).mean()))
    assert lost == sorted(lost, reverse=True)
    assert lost[0] < 0.02
    assert lost[2] < 0.001


def test_a_vector_by_hand() -> None:
    """Two bits: borders -0.1, 0, 0.1, values -0.2, -0.05, 0.05, 0.2; the first centroid is the nearer."""
    codec = Residual(
        np.eye(2, 4, dtype=np.float32),
        np.array([-0.1, 0, 0.1], np.float32),
        np.array([-0.2, -0.05, 0.05, 0.2], np.float32),
        2,
    )
    codes = codec.encode(np.array([[0.85, 0.3, -0.02, 0.05]], np.float32))
    # left over: -0.15, 0.3, -0.02, 0.05 -> buckets 0, 3, 1, 2 -> 0b00110110
    assert codes.tolist() == [[0, 0, 0b00110110]]
    wanted = np.array([0.8, 0.2, -0.05, 0.05])
    np.testing.assert_allclose(codec.decode(codes)[0], wanted / np.linalg.norm(wanted), atol=1e-6)


def test_it_is_saved_and_damage_is_told(tmp_path: Path) -> None:
    codec = learn(vectors(), 10, 2)
    codec.save(tmp_path)
    assert Residual.load(tmp_path, 2).digest == codec.digest
    with pytest.raises(EmbeddingError, match="does not fit 4 bits"):
        Residual.load(tmp_path, 4)
    (tmp_path / "residual.safetensors").write_bytes(b"x" * 40)
    with pytest.raises(EmbeddingError, match="damaged"):
        Residual.load(tmp_path, 2)
    with pytest.raises(EmbeddingError, match="missing"):
        Residual.load(tmp_path / "nowhere", 2)


def test_a_code_of_no_centroid_is_told() -> None:
    codec = learn(vectors(), 10, 2)
    with pytest.raises(EmbeddingError, match="names centroid 65535"):
        codec.decode(np.full((1, codec.width), 255, np.uint8))


@pytest.mark.parametrize("count", [0, 1, 3])
def test_few_vectors_are_enough(count: int) -> None:
    codec = learn(vectors()[:count], 10, 1)
    assert codec.decode(codec.encode(vectors())).shape == (600, 10)
    assert codec.encode(vectors()[:0]).shape == (0, codec.width)


def test_a_sample_of_texts_is_spread_over_all() -> None:
    assert [text for part in sampled(map(str, range(100))) for text in part] == list(map(str, range(100)))
    many = [int(text) for part in sampled(map(str, range(20_000))) for text in part]
    assert len(many) == len(set(many)) == 2048
    assert 8_000 < np.mean(many) < 12_000
