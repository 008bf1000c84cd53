from __future__ import annotations

import numpy as np
import pytest

from ragembed.embed.elmo.mixing import Mixing, fit_mixing
from ragembed.errors import EmbeddingError, SpecError

LAYERS = np.array([[[1, 1], [3, 3]], [[2, 0], [0, 2]]], np.float32)
"""Two layers of two tokens."""


def test_softmax_of_the_scalars_times_gamma() -> None:
    # e^0 and e^ln3 are 1 and 3: shares of a quarter and three quarters
    mixing = Mixing.of_scalars(np.array([0, np.log(3)]), gamma=4)
    np.testing.assert_allclose(mixing.shares, [0.25, 0.75])
    np.testing.assert_allclose(mixing.mix(LAYERS), [[1 + 6, 1], [3, 3 + 6]], rtol=1e-6)


def test_large_scalars_do_not_overflow() -> None:
    assert Mixing.of_scalars(np.array([1000.0, 0, 0])).shares == (1, 0, 0)


def test_normalised_layers_have_mean_0_and_variance_1() -> None:
    # the first layer has mean 2 and variance 1
    mixing = Mixing((1.0, 0.0), normalize=True)
    np.testing.assert_allclose(mixing.mix(LAYERS), [[-1, -1], [1, 1]], atol=1e-6)


def test_padding_does_not_count_in_the_normalisation() -> None:
    padded = np.concatenate([LAYERS, np.full((2, 3, 2), 1e6, np.float32)], axis=1)
    mixing = Mixing((0.5, 0.5), normalize=True)
    real = np.array([True, True, False, False, False])
    np.testing.assert_allclose(mixing.mix(padded, real)[:2], mixing.mix(LAYERS), rtol=1e-6)


@pytest.mark.parametrize(
    ("text", "shares"),
    [
        ("mean", (1 / 3, 1 / 3, 1 / 3)),
        ("top", (0, 0, 1)),
        ("0", (1, 0, 0)),
        ("2", (0, 0, 1)),
        ("1 2 1", (0.25, 0.5, 0.25)),
    ],
)
def test_specs(text: str, shares: tuple[float, ...]) -> None:
    np.testing.assert_allclose(Mixing.parse(text, 3).shares, shares)


@pytest.mark.parametrize("text", ["", "3", "-1", "first", "1 1", "0 0 0", "1 -1 1", "nan 1 1", "²"])
def test_specs_that_mean_nothing(text: str) -> None:
    with pytest.raises(SpecError, match="the model has 3; give mean, top, a number from 0 to 2, or 3 shares"):
        Mixing.parse(text, 3)


def test_layers_that_do_not_count_may_be_left_out() -> None:
    mixing = Mixing.parse("0", 2)
    assert mixing.depth == 0
    np.testing.assert_array_equal(mixing.mix(LAYERS[:1]), mixing.mix(LAYERS))
    with pytest.raises(EmbeddingError, match="1 layers and 2 shares"):
        Mixing.parse("top", 2).mix(LAYERS[:1])


def test_as_many_shares_as_layers() -> None:
    with pytest.raises(EmbeddingError, match="2 layers and 3 shares"):
        Mixing.parse("mean", 3).mix(LAYERS)


def test_fitting_finds_the_layer_that_tells_pairs_apart() -> None:
    random = np.random.default_rng(0)
    meaning = random.normal(size=(30, 8)).astype(np.float32)
    left = np.stack([random.normal(size=(30, 8)), meaning, random.normal(size=(30, 8))]).astype(np.float32)
    right = np.stack([random.normal(size=(30, 8)), meaning, random.normal(size=(30, 8))]).astype(np.float32)
    assert fit_mixing(left, right).shares[1] > 0.9
    with pytest.raises(EmbeddingError, match="two or more pairs"):
        fit_mixing(left[:, :1], right[:, :1])
