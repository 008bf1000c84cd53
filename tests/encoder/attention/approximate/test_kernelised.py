"""Sums over positive features against explicit weights, for inputs of any size."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs the extra encoder")

from ragembed.encoder import attention  # noqa: E402
from ragembed.encoder.attention.approximate import kernelised, linear, performer  # noqa: E402

DIRECTIONS = performer.directions(12, 4, 0)
FEATURES = {
    "linear": linear.log_features,
    "performer": lambda x: performer.log_features(x, DIRECTIONS),
}
MASKS = [
    {},
    {"causal": True},
    {"keep": 0.5},
    {"lengths": [7, 0, 16]},
    {"causal": True, "lengths": [[23, 0], [1, 22]], "keep": 0.8},
    {"causal": True, "keep": 0.2},
]


def plain(q: Any, k: Any, v: Any, mask: Any, log_features: Any) -> Any:
    """Explicit weights, in logarithms and float64."""
    q, k, v = (each.double() for each in (q, k, v))
    k, v = (each.repeat_interleave(q.shape[1] // k.shape[1], 1) for each in (k, v))
    logs = torch.logsumexp(log_features(q)[:, :, :, None] + log_features(k)[:, :, None], dim=-1)
    allowed = mask.allowed(len(q), q.shape[2], k.shape[2], q.device)
    if allowed is not None:
        hidden = ~allowed[:, None]
        dead = hidden.all(-1, keepdim=True)
        return logs.masked_fill(hidden & ~dead, -torch.inf).softmax(-1).masked_fill(dead, 0) @ v
    return logs.softmax(-1) @ v


def made(asked: dict[str, Any], size: float, m: int = 23, n: int = 23) -> tuple[Any, Any, Any, Any]:
    torch.manual_seed(0)
    q, k, v = (
        (scale * torch.randn(2, heads, length, 4)).requires_grad_()
        for heads, length, scale in ((4, m, size), (2, n, size), (2, n, 1.0))
    )
    if "keep" in asked:
        asked = asked | {"keep": torch.rand(2, n) < asked["keep"]}
    return q, k, v, attention.Mask(**asked)


@pytest.mark.parametrize("features", FEATURES)
@pytest.mark.parametrize("asked", MASKS)
@pytest.mark.parametrize("chunk", [1, 5, 64])
@pytest.mark.parametrize("size", [1.0, 20.0])
def test_sums_equal_explicit_weights(features: str, asked: dict[str, Any], chunk: int, size: float) -> None:
    """Inputs of size 20 have features beyond the range of float32 within the same chunk."""
    q, k, v, mask = made(asked, size)
    found = kernelised.attend(q, k, v, mask, FEATURES[features], chunk)
    expected = plain(q, k, v, mask, FEATURES[features])
    loose = 1 if size == 1 else 100  # a logarithm of 1,000 has an error of 1e-4 in float32
    torch.testing.assert_close(found.double(), expected, atol=1e-5 * loose, rtol=0)
    if size > 1:
        return
    up = torch.randn(expected.shape, dtype=torch.float64)
    ours = torch.autograd.grad((found.double() * up).sum(), (q, k, v))
    theirs = torch.autograd.grad((expected * up).sum(), (q, k, v))
    for our, their in zip(ours, theirs, strict=True):
        torch.testing.assert_close(our, their, atol=1e-4, rtol=0)


@pytest.mark.parametrize("features", FEATURES)
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize(("m", "n"), [(3, 23), (1, 23), (23, 3), (0, 5), (5, 0), (0, 0), (9, 9)])
def test_queries_and_keys_are_aligned_at_the_end(features: str, causal: bool, m: int, n: int) -> None:
    q, k, v, mask = made({"causal": causal}, 1.0, m, n)
    found = kernelised.attend(q, k, v, mask, FEATURES[features], 4)
    if n:
        torch.testing.assert_close(
            found.double(), plain(q, k, v, mask, FEATURES[features]), atol=1e-5, rtol=0
        )
    else:
        assert found.shape == (2, 4, m, 4)
        assert (found == 0).all()


@pytest.mark.parametrize("up", [-500.0, 500.0])
def test_features_that_overflow_float32(up: float) -> None:
    """A common factor of all features cancels; queries that see only padding stay 0."""
    torch.manual_seed(0)
    q, k, v = (torch.randn(1, 2, 12, 4, requires_grad=True) for _ in range(3))
    keep = torch.ones(1, 12, dtype=torch.bool)
    keep[:, :5] = False
    for causal in (False, True):
        mask = attention.Mask(causal=causal, keep=keep)
        found = kernelised.attend(q, k, v, mask, lambda x: x + up, 64)
        expected = kernelised.attend(q, k, v, mask, lambda x: x, 64)
        torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)
        assert (found[:, :, :5] == 0).all() == causal
        assert all(torch.isfinite(each).all() for each in torch.autograd.grad(found.sum(), (q, k, v)))


def test_a_large_later_key_does_not_disturb_earlier_queries() -> None:
    """If features were divided by their maximum over all keys, or over the chunk, earlier ones would underflow."""
    torch.manual_seed(0)
    q, k, v = (torch.randn(1, 1, 40, 4) for _ in range(3))
    later = k.clone()
    later[:, :, 30] = 300
    mask = attention.Mask(causal=True)
    for chunk in (8, 64):
        before = kernelised.attend(q, k, v, mask, lambda x: x, chunk)
        after = kernelised.attend(q, later, v, mask, lambda x: x, chunk)
        torch.testing.assert_close(before[:, :, :30], after[:, :, :30], atol=2e-6, rtol=0)
        torch.testing.assert_close(after[:, :, 30:], v[:, :, 30:31].expand(1, 1, 10, 4), atol=1e-6, rtol=0)
