"""All layers of a token -> one vector: their sum, weighted by a softmax of learnt scalars, times a factor.

Source: Peters et al. 2018, equation 1, and section 3.2 for the normalisation of layers before the sum.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ragembed.embed.base import Dense, normalized
from ragembed.errors import EmbeddingError, SpecError

Layers = NDArray[np.float32]
"""``(layers, tokens, dimension)``"""

_TEMPERATURE = 0.05
"""Of the contrast in `fit_mixing`; the usual one of sentence encoders."""
_MOST_PAIRS = 2000
_TINY = 1e-12
"""Under the root of a variance, as published."""


@dataclass(frozen=True)
class Mixing:
    """What each layer counts."""

    shares: tuple[float, ...]
    """s_j of the paper: 0 or more each, 1 together."""
    gamma: float = 1.0
    """Factor of all; vectors of length 1 do not depend on it."""
    normalize: bool = False
    """Bring each layer to mean 0 and variance 1, over all tokens and dimensions, before the sum."""

    @classmethod
    def of_scalars(
        cls, scalars: NDArray[np.float64], gamma: float = 1.0, *, normalize: bool = False
    ) -> Mixing:
        """From scalars ``(layers,)`` as they are learnt: their softmax."""
        raised = np.exp(scalars - scalars.max())
        return cls(tuple((raised / raised.sum()).tolist()), gamma, normalize)

    @classmethod
    def parse(cls, text: str, layers: int) -> Mixing:
        """From a spec: ``mean``, ``top``, the number of a layer (0: no context), or a share of each (``1 2 1``)."""
        shares = np.zeros(layers)
        parts = text.split()
        if text == "mean":
            shares[:] = 1
        elif text == "top":
            shares[-1] = 1
        elif len(parts) == 1 and text.isascii() and text.isdecimal() and int(text) < layers:
            shares[int(text)] = 1
        else:
            try:
                shares = np.array([float(part) for part in parts])
            except ValueError:
                shares = np.zeros(0)
        if len(shares) != layers or not np.isfinite(shares).all() or shares.min() < 0 or not shares.any():
            raise SpecError(
                f"layers is {text!r}, the model has {layers}",
                f"give mean, top, a number from 0 to {layers - 1}, or {layers} shares such as "
                f"{' '.join(['1'] * layers)!r}",
            )
        return cls(tuple((shares / shares.sum()).tolist()))

    @property
    def depth(self) -> int:
        """The last layer that counts at all."""
        return max(number for number, share in enumerate(self.shares) if share)

    def mix(self, layers: Layers, real: NDArray[np.bool_] | None = None) -> Dense:
        """Vectors ``(tokens, dimension)``; only `real` tokens ``(tokens,)`` count in the normalisation.

        Layers above `depth` may be left out.
        """
        if not self.depth < len(layers) <= len(self.shares):
            raise EmbeddingError(
                f"there are {len(layers)} layers and {len(self.shares)} shares", "give a share for each"
            )
        if self.normalize:
            layers = _normalized_layers(layers, real)
        shares = np.asarray(self.shares[: len(layers)], np.float32) * np.float32(self.gamma)
        mixed: Dense = np.einsum("l,lnd->nd", shares, layers, optimize=False)
        return mixed


def fit_mixing(left: Layers, right: Layers) -> Mixing:
    """The mixing that best tells which texts belong together.

    `left` and `right` are pooled vectors of each layer ``(layers, pairs, dimension)`` of texts that belong together by
    their place (queries and their passages, sentences and their paraphrases). Each of up to 2,000 left ones has to
    find its own among all right ones: softmax of the cosines over a temperature of 0.05.
    """
    from scipy.optimize import minimize

    if left.shape != right.shape or left.shape[1] < 2:
        raise EmbeddingError(
            f"pairs of shapes {left.shape} and {right.shape} teach nothing", "give two or more pairs of texts"
        )
    left, right = left[:, :_MOST_PAIRS], right[:, :_MOST_PAIRS]

    def loss(scalars: NDArray[np.float64]) -> float:
        mixing = Mixing.of_scalars(scalars)
        cosines = normalized(mixing.mix(left)) @ normalized(mixing.mix(right)).T / _TEMPERATURE
        highest = cosines.max(axis=1, keepdims=True)
        every = np.log(np.exp(cosines - highest).sum(axis=1)) + highest[:, 0]
        # a little pull to equal shares, for one that goes to 0 has a scalar that goes to minus infinity
        return float((every - np.diagonal(cosines)).mean() + 1e-4 * np.square(scalars).mean())

    found = minimize(loss, np.zeros(len(left)), method="Nelder-Mead", options={"xatol": 1e-2, "fatol": 1e-5})
    return Mixing.of_scalars(found.x)


def _normalized_layers(layers: Layers, real: NDArray[np.bool_] | None) -> Layers:
    counted = layers if real is None else layers[:, real]
    mean = counted.mean(axis=(1, 2), keepdims=True)
    variance = counted.var(axis=(1, 2), keepdims=True)
    scaled: Layers = (layers - mean) / np.sqrt(variance + _TINY)
    return scaled
