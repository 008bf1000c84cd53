from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="needs the extra encoder")

from ragembed.encoder import short_attention  # noqa: E402
from ragembed.encoder.attention.reference import attention as reference  # noqa: E402


@pytest.mark.parametrize("n", [1, 7, 64, 200])
@pytest.mark.parametrize("biased", [False, True])
def test_it_is_attention(n: int, biased: bool) -> None:
    """Within what bfloat16 resolves, for more texts than go through at once."""
    torch.manual_seed(0)
    q, k, v = (torch.randn(30, 4, n, 16).bfloat16() for _ in range(3))
    bias = torch.randn(1, 4, n, n).bfloat16() if biased else None
    found = short_attention.attend(q, k, v, bias, None)
    if bias is None:
        expected, _ = reference(q, k, v)
    else:
        logits = q.double() @ k.double().transpose(-1, -2) / 4 + bias.double()
        expected = torch.softmax(logits, dim=-1) @ v.double()
    assert (found.double() - expected).norm() / expected.norm() < 0.01


@pytest.mark.parametrize("size", [40.0, -40.0])
def test_logits_beyond_the_exponential(size: float) -> None:
    """Large ones overflow, small ones vanish; the softmax is the same as ever."""
    torch.manual_seed(0)
    q = torch.randn(2, 2, 9, 16).abs().bfloat16() * size
    k, v = torch.randn(2, 2, 9, 16).abs().bfloat16() * 40, torch.randn(2, 2, 9, 16).bfloat16()
    found = short_attention.attend(q, k, v, None, None)
    expected, _ = reference(q, k, v)
    assert torch.isfinite(found).all()
    torch.testing.assert_close(found.double(), expected, atol=0.02, rtol=0.02)


def test_a_logit_whose_exponential_is_just_finite() -> None:
    """The weight fits the numbers' range, its product with a value does not."""
    q = torch.full((1, 1, 8, 16), 4.7).bfloat16()
    k = torch.zeros(1, 1, 8, 16).bfloat16()
    k[:, :, 3] = 4.7  # the logit is 88.4, where exp overflows beyond 88.7
    v = torch.full((1, 1, 8, 16), 4.0).bfloat16()
    found = short_attention.attend(q, k, v, None, None)
    torch.testing.assert_close(found, v, atol=0.02, rtol=0.02)
