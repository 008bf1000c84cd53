"""The loss of the language model: cross-entropy of the next word, over all words or over a sample of them.

Of a sample, the sum over all words in the softmax is estimated: each word that was drawn stands for as many as its
chance of being drawn says (Horvitz & Thompson 1952), and the right word for itself. After Bengio & Senécal 2008,
"Adaptive importance sampling to accelerate training of a neural probabilistic language model"; words are drawn by
Zipf's law over their rank.

Notation: N predictions, P projection, V words, S words drawn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from torch import Generator, Tensor

_PREDICTIONS = 1024
"""Whose logits are held at once where no gradient is wanted."""


def full_loss(x: Tensor, weight: Tensor, bias: Tensor, targets: Tensor) -> Tensor:
    """Mean of -ln p(target) of `x` ``(N, P)`` over all V words."""
    from torch.nn import functional

    return functional.cross_entropy(functional.linear(x, weight, bias), targets)


def summed_loss(x: Tensor, weight: Tensor, bias: Tensor, targets: Tensor) -> float:
    """Sum of -ln p(target), in slices that take bounded memory; no gradient."""
    from torch.nn import functional

    total = 0.0
    for part, wanted in zip(x.split(_PREDICTIONS), targets.split(_PREDICTIONS), strict=True):
        logits = functional.linear(part, weight, bias)
        total += float(functional.cross_entropy(logits, wanted, reduction="sum"))
    return total


class Sampler:
    """Draws words to compare with."""

    def __init__(self, words: int, draws: int) -> None:
        """`draws` of `words` at a time, most frequent first; what is drawn twice counts once."""
        import torch

        rank = np.arange(words, dtype=np.float64)
        chance = np.log1p(1 / (rank + 1)) / np.log1p(words)
        chance = -np.expm1(draws * np.log1p(-chance))  # of being among those drawn
        self.words, self.draws = words, draws
        self._log_chance: Tensor = torch.from_numpy(np.log(chance).astype(np.float32))  # (V,)

    def sample(self, generator: Generator) -> Tensor:
        """Different words ``(S,)``, S up to ``draws``."""
        import torch

        uniform = torch.rand(self.draws, generator=generator, dtype=torch.float64)
        drawn = ((uniform * float(np.log1p(self.words))).exp() - 1).long()
        return drawn.clamp_(0, self.words - 1).unique()

    def loss(self, x: Tensor, weight: Tensor, bias: Tensor, targets: Tensor, drawn: Tensor) -> Tensor:
        """Estimate of `full_loss` from the words `drawn`."""
        import torch
        from torch.nn import functional

        rows = functional.embedding(torch.cat((targets, drawn)), weight)  # (N + S, P)
        mine, others = rows[: len(targets)], rows[len(targets) :]
        right = (x * mine).sum(dim=1) + bias[targets]  # (N,)
        wrong = torch.addmm(bias[drawn] - self._log_chance[drawn], x, others.t())  # (N, S)
        wrong = wrong.masked_fill(targets[:, None] == drawn, -torch.inf)  # the right word is no wrong one
        every = torch.cat((right[:, None], wrong), dim=1)
        return (every.logsumexp(dim=1) - right).mean()
