"""Performer: its random directions, and the bias and error of its estimate."""

from __future__ import annotations

import math
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs the extra encoder")

from ragembed.encoder import attention  # noqa: E402
from ragembed.encoder.attention.approximate.performer import directions, log_features  # noqa: E402
from ragembed.encoder.attention.reference import attention as reference  # noqa: E402
from ragembed.errors import SpecError  # noqa: E402

ATTEND = attention.get("performer")
D = 8
SCALE = 1 / math.sqrt(D)


def estimates(count: int, seeds: int) -> tuple[Any, Any, Any]:
    """Estimates of the kernel of 20 pairs by `count` features ``(seeds, 20)``, its true values, and |x + y|²."""
    torch.manual_seed(0)
    x, y = (torch.randn(20, D, dtype=torch.float64) / 2 for _ in range(2))
    found = []
    for seed in range(seeds):
        drawn = directions(count, D, seed) * math.sqrt(SCALE)
        found.append(torch.logsumexp(log_features(x, drawn, SCALE) + log_features(y, drawn, SCALE), -1).exp())
    return torch.stack(found), (SCALE * (x * y).sum(-1)).exp(), (x + y).square().sum(-1)


def test_the_estimate_is_unbiased() -> None:
    """The mean of many draws is within four standard errors of the true value, for all pairs."""
    found, true, _ = estimates(16, 2000)
    error = found.std(0) / math.sqrt(len(found))
    assert ((found.mean(0) - true).abs() < 4 * error).all()
    assert (error < 0.05 * true).all()


def test_its_error_falls_with_the_square_root_of_the_features() -> None:
    """The relative variance times the number of features is that of the paper's Lemma 2, or less by orthogonality.

    The lemma: the variance of one feature is exp(scale |x + y|²) - 1, relative to the square of the kernel.
    """
    for count in (16, 128, 1024):
        found, true, apart = estimates(count, 300)
        square = (found / true - 1).square().mean(0) * count
        assert 0.65 < float((square / ((SCALE * apart).exp() - 1)).mean()) < 1.05, count


def test_directions_are_orthogonal_in_blocks_with_norms_of_normal_vectors() -> None:
    drawn = directions(3 * D + 2, D, 5)
    assert drawn.shape == (3 * D + 2, D)
    for first in range(0, len(drawn), D):
        block = drawn[first : first + D]
        inner = block @ block.T
        torch.testing.assert_close(inner, torch.diag(inner.diagonal()), atol=1e-10, rtol=0)
    many = directions(8000, D, 0)
    assert float(many.square().sum(1).mean()) == pytest.approx(D, rel=0.03)
    torch.testing.assert_close(many.mean(0), torch.zeros(D, dtype=torch.float64), atol=0.05, rtol=0)
    torch.testing.assert_close(
        many.T @ many / len(many), torch.eye(D, dtype=torch.float64), atol=0.06, rtol=0
    )


@pytest.mark.parametrize("causal", [False, True])
def test_more_features_come_closer_to_softmax_attention(causal: bool) -> None:
    torch.manual_seed(0)
    q, k, v = (torch.randn(1, 2, 100, D) / 2 for _ in range(3))
    mask = attention.Mask(causal=causal)
    for scale in (None, 0.2):
        expected, _ = reference(q, k, v, mask, scale=scale)
        errors = []
        for count in (16, 256, 4096):
            found = torch.stack(
                [ATTEND(q, k, v, mask, features=count, scale=scale, seed=seed) for seed in range(8)]
            )
            errors.append(float((found - expected).square().mean().sqrt() / expected.square().mean().sqrt()))
        assert errors[1] < errors[0] / 2
        assert errors[2] < min(errors[1] / 3, 0.06)


def test_the_seed_determines_the_features() -> None:
    torch.manual_seed(0)
    q, k, v = (torch.randn(1, 2, 10, D) for _ in range(3))
    state = torch.random.get_rng_state()
    assert torch.equal(ATTEND(q, k, v, seed=3), ATTEND(q, k, v, seed=3))
    assert not torch.allclose(ATTEND(q, k, v, seed=3), ATTEND(q, k, v, seed=4))
    assert torch.equal(torch.random.get_rng_state(), state), "the global random state is untouched"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"features": 0}, "features is 0; give 1"),
        ({"chunk": 0}, "chunk is 0"),
        ({"scale": -1.0}, r"scale is -1\.0"),
    ],
)
def test_invalid_options_are_refused(options: dict[str, Any], message: str) -> None:
    q = torch.zeros(1, 1, 2, 2)
    with pytest.raises(SpecError, match=message):
        ATTEND(q, q, q, **options)
