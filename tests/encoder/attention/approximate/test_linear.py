"""Linear attention: its features, and a causal one as the recurrent network that it is."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="needs the extra encoder")

from ragembed.encoder import attention  # noqa: E402
from ragembed.encoder.attention.approximate.linear import log_features  # noqa: E402
from ragembed.errors import SpecError  # noqa: E402

ATTEND = attention.get("linear")


def test_features_are_elu_plus_one() -> None:
    x = torch.linspace(-20, 20, 81, dtype=torch.float64, requires_grad=True)
    ours, theirs = log_features(x).exp(), torch.nn.functional.elu(x) + 1
    torch.testing.assert_close(ours, theirs)
    for our, their in zip(
        torch.autograd.grad(ours.sum(), x), torch.autograd.grad(theirs.sum(), x), strict=True
    ):
        torch.testing.assert_close(our, their)


def test_causal_equals_a_recurrent_network() -> None:
    """Equations 16 to 20 of the paper: two sums, and a token at a time."""
    torch.manual_seed(0)
    q, k, v = (torch.randn(1, 1, 150, 8) for _ in range(3))
    s, z = torch.zeros(8, 8), torch.zeros(8)
    rows = []
    for at in range(150):
        asked, given = (torch.nn.functional.elu(each[0, 0, at]) + 1 for each in (q, k))
        s, z = s + torch.outer(given, v[0, 0, at]), z + given
        rows.append(asked @ s / (asked @ z))
    found = ATTEND(q, k, v, attention.Mask(causal=True))[0, 0]
    torch.testing.assert_close(found, torch.stack(rows), atol=1e-5, rtol=0)


def test_keys_far_below_zero_still_count() -> None:
    """elu + 1 of minus 200 is 0 in float32; of weights that small the proportions are kept."""
    k = torch.tensor([-200.0, -200.0]).reshape(1, 1, 2, 1)
    v = torch.tensor([1.0, 3.0]).reshape(1, 1, 2, 1)
    assert ATTEND(k, k, v).flatten().tolist() == [2.0, 2.0]


def test_an_empty_chunk_is_refused() -> None:
    q = torch.zeros(1, 1, 2, 2)
    with pytest.raises(SpecError, match="chunk is 0; give 1 or more"):
        ATTEND(q, q, q, chunk=0)
