from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="needs the extra encoder")

from ragembed.encoder import tiled_attention  # noqa: E402
from ragembed.encoder.attention.kernels import fused  # noqa: E402
from ragembed.encoder.attention.mask import Mask  # noqa: E402


@pytest.mark.parametrize("n", [513, 600, 1100])
@pytest.mark.parametrize("kv_heads", [1, 2, 4])
@pytest.mark.parametrize(
    ("window", "causal"),
    [
        (None, False), ((64, 64), False), ((3, 200), False), ((700, 1), False), ((0, 0), False), (None, True),
        ((100, 0), True),
    ],
)  # fmt: skip
def test_the_exact_kernel_in_float32(
    n: int, kv_heads: int, window: tuple[int, int] | None, causal: bool
) -> None:
    torch.manual_seed(n)
    q, k, v = (torch.randn(2, heads, n, 16).bfloat16() for heads in (4, kv_heads, kv_heads))
    allowed = Mask(window=window, causal=causal).allowed(2, n, n, torch.device("cpu"))
    exact = fused(q.float(), k.float(), v.float(), None if allowed is None else allowed[:, None])
    with torch.inference_mode():
        found = tiled_attention.attend(q, k, v, window, causal, None)
    assert found is not None
    assert found.dtype == torch.bfloat16
    error = (found.float() - exact).norm() / exact.norm()
    assert error < 0.01  # that of bfloat16


@pytest.mark.parametrize("size", [1e3, -1e3])
def test_logits_that_overflow_or_vanish_are_left_to_others(size: float) -> None:
    q, k = torch.full((1, 1, 600, 16), 10.0).bfloat16(), torch.full((1, 1, 600, 16), size / 10).bfloat16()
    with torch.inference_mode():
        assert tiled_attention.attend(q, k, k, None, False, None) is None


def test_a_key_outside_the_window_has_no_weight_even_where_it_overflows_others() -> None:
    """Position 300 is seen from 290 to 310 with a window of 10, to the last key."""
    torch.manual_seed(0)
    q, k, v = (torch.randn(1, 1, 600, 16).bfloat16() for _ in range(3))
    with torch.inference_mode():
        before = tiled_attention.attend(q, k, v, (10, 10), False, None)
        v[:, :, 300] += 100
        after = tiled_attention.attend(q, k, v, (10, 10), False, None)
    assert before is not None
    assert after is not None
    changed = (before != after).any(dim=-1)[0, 0].nonzero()[:, 0]
    assert changed.tolist() == list(range(290, 311))


def test_what_suits() -> None:
    def query(n: int, dtype: torch.dtype) -> torch.Tensor:
        return torch.zeros(1, 1, n, 8, dtype=dtype)

    with torch.inference_mode():
        assert tiled_attention.suits(query(513, torch.bfloat16))
        assert not tiled_attention.suits(query(512, torch.bfloat16))
        assert not tiled_attention.suits(query(513, torch.float32))
    assert not tiled_attention.suits(query(513, torch.bfloat16))
