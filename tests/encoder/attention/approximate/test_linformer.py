"""Linformer against its definition, in its exact limits, and with padding."""

from __future__ import annotations

import math
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs the extra encoder")

from ragembed.encoder import attention  # noqa: E402
from ragembed.encoder.attention.reference import attention as reference  # noqa: E402
from ragembed.errors import SpecError  # noqa: E402

ATTEND = attention.get("linformer")


def made(n: int = 20, m: int | None = None) -> list[Any]:
    torch.manual_seed(0)
    sizes = ((4, n if m is None else m), (2, n), (2, n))
    return [torch.randn(2, heads, length, 8, requires_grad=True) for heads, length in sizes]


@pytest.mark.parametrize("options", [{}, {"k": 20}, {"k": 3, "e": torch.eye(20)}, {"e": torch.eye(20, 50)}])
@pytest.mark.parametrize("masked", [False, True])
def test_an_identity_projection_is_exact(options: dict[str, Any], masked: bool) -> None:
    """Padding may lie anywhere."""
    q, k, v = made()
    keep = torch.rand(2, 20) < 0.5
    keep[1] = False
    mask = attention.Mask(keep=keep if masked else None)
    found, (expected, _) = ATTEND(q, k, v, mask, **options), reference(q, k, v, mask)
    torch.testing.assert_close(found.double(), expected, atol=1e-5, rtol=0)
    ours = torch.autograd.grad(found.square().sum(), (q, k, v))
    theirs = torch.autograd.grad(expected.square().sum(), (q, k, v))
    for our, their in zip(ours, theirs, strict=True):
        torch.testing.assert_close(our, their, atol=1e-4, rtol=0)


def test_projections_equal_the_definition() -> None:
    q, k, v = made(n=20, m=7)
    e, f = torch.randn(5, 20, requires_grad=True), torch.randn(5, 20)
    expected, _ = reference(q, e @ k, f @ v)
    found = ATTEND(q, k, v, e=e, f=f)
    torch.testing.assert_close(found.double(), expected, atol=1e-5, rtol=0)
    assert torch.autograd.grad(found.sum(), e)[0].abs().sum() > 0, "a projection is learnt"
    torch.testing.assert_close(ATTEND(q, k, v, e=e), ATTEND(q, k, v, e=e, f=e), atol=0, rtol=0)


def test_a_lossless_projection_is_exact() -> None:
    """Means of four neighbouring keys that are equal."""
    q, k, v = made(n=5, m=20)
    means = torch.eye(5).repeat_interleave(4, dim=1) / 4
    expected, _ = reference(q, k, v)
    repeated = [each.repeat_interleave(4, dim=2) for each in (k, v)]
    torch.testing.assert_close(ATTEND(q, *repeated, e=means).double(), expected, atol=1e-5, rtol=0)


def test_padding_adds_nothing_to_projected_keys() -> None:
    q, k, v = (each.detach() for each in made(n=20, m=7))
    keep = torch.ones(2, 20, dtype=torch.bool)
    keep[:, 12:] = False
    means = torch.eye(5).repeat_interleave(4, dim=1) / 4
    short = ATTEND(q, k[:, :, :12], v[:, :, :12], e=means[:3])
    found = ATTEND(q, k, v, attention.Mask(keep=keep), e=means)
    torch.testing.assert_close(found, short, atol=1e-6, rtol=0)


def test_the_random_projection_follows_the_seed() -> None:
    q, k, v = made(n=300)
    state = torch.random.get_rng_state()
    found = ATTEND(q, k, v)
    e = torch.randn(256, 300, generator=torch.Generator().manual_seed(0)) / math.sqrt(256)
    torch.testing.assert_close(found, ATTEND(q, k, v, e=e), atol=0, rtol=0)
    assert not torch.allclose(found, ATTEND(q, k, v, seed=1))
    assert torch.equal(torch.random.get_rng_state(), state), "the global random state is untouched"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"k": 0}, "k is 0; give 1 or more"),
        ({"f": torch.zeros(3, 6)}, "f without e"),
        ({"e": torch.zeros(3, 5)}, r"e has the shape \(3, 5\); give \(rows, 6\)"),
        ({"e": torch.zeros(3, 6), "f": torch.zeros(4, 6)}, "e has 3 rows, f has 4"),
    ],
)
def test_mismatched_projections_are_refused(options: dict[str, Any], message: str) -> None:
    q = torch.zeros(1, 2, 6, 4)
    with pytest.raises(SpecError, match=message):
        ATTEND(q, q, q, **options)
