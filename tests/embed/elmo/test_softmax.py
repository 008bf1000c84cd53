from __future__ import annotations

import math

import pytest

from ragembed.embed.elmo.softmax import Sampler, full_loss, summed_loss

torch = pytest.importorskip("torch", reason="needs the extra elmo")

WORDS, SIZE = 50, 4


def model() -> tuple[object, ...]:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2000, SIZE, generator=generator)
    weight, bias = torch.randn(WORDS, SIZE, generator=generator), torch.randn(WORDS, generator=generator)
    return x, weight, bias, torch.randint(0, WORDS, (2000,), generator=generator)


def test_equal_chances() -> None:
    """Weights of zero leave a chance of 1 in 50 to each word."""
    x, weight, bias, targets = model()
    assert float(full_loss(x, weight * 0, bias * 0, targets)) == pytest.approx(math.log(WORDS), rel=1e-6)


def test_the_sum_is_the_mean_times_the_number() -> None:
    x, weight, bias, targets = model()
    assert summed_loss(x, weight, bias, targets) / 2000 == pytest.approx(
        float(full_loss(x, weight, bias, targets)), rel=1e-5
    )


def test_who_draws_everything_has_the_full_loss() -> None:
    x, weight, bias, targets = model()
    sampler = Sampler(WORDS, 100_000)  # each word is drawn with a chance of 1
    drawn = sampler.sample(torch.Generator().manual_seed(0))
    assert drawn.tolist() == list(range(WORDS))
    found = sampler.loss(x, weight, bias, targets, drawn)
    torch.testing.assert_close(found, full_loss(x, weight, bias, targets))


def test_samples_estimate_the_full_loss() -> None:
    x, weight, bias, targets = model()
    full = float(full_loss(x, weight, bias, targets))
    sampler, generator = Sampler(WORDS, 20), torch.Generator().manual_seed(0)
    drawn = [sampler.sample(generator) for _ in range(100)]
    estimates = [float(sampler.loss(x, weight, bias, targets, each)) for each in drawn]
    assert sum(estimates) / 100 == pytest.approx(full, rel=0.1)
    assert all(each.unique().numel() == each.numel() < WORDS for each in drawn)
    often = torch.bincount(torch.cat(drawn), minlength=WORDS)
    assert often[:5].sum() > 3 * often[-5:].sum()  # frequent words, which come first, are drawn more often
