"""Sliding windows: dilation, and long texts; test_laws.py has the laws of all exact mechanisms."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="needs the extra encoder")

from ragembed.encoder import attention  # noqa: E402
from ragembed.errors import SpecError  # noqa: E402

banded = attention.get("sliding_window")


@given(
    n=st.integers(0, 40), dilation=st.integers(1, 9), window=st.tuples(st.integers(0, 6), st.integers(0, 6)),
    causal=st.booleans(), cuts=st.none() | st.lists(st.integers(0, 40), max_size=3), block=st.sampled_from([None, 3]),
    padded=st.booleans(),
)  # fmt: skip
@settings(max_examples=80, deadline=None)
def test_a_dilated_window_equals_its_definition(
    n: int, dilation: int, window: tuple[int, int], causal: bool, cuts: Any, block: int | None, padded: bool
) -> None:
    """It sees the near keys whose distance is a multiple of the dilation; results and gradients in float64."""
    random = torch.Generator().manual_seed(n)
    q, k, v = (
        torch.randn(2, heads, n, 4, generator=random, dtype=torch.float64).requires_grad_()
        for heads in (4, 2, 2)
    )
    ends = None if cuts is None else [0, *sorted(min(cut, n) for cut in cuts), n]
    lengths = None if ends is None else [b - a for a, b in pairwise(ends)]
    keep = torch.rand(2, n, generator=random) < 0.8 if padded else None
    mask = attention.Mask(window, causal, keep, lengths)
    found = banded(q, k, v, mask, dilation=dilation, block=block)
    apart = torch.arange(n)[None, :] - torch.arange(n)[:, None]
    seen = (apart % dilation == 0) & (apart >= -window[0] * dilation) & (apart <= window[1] * dilation)
    rest = attention.Mask(None, causal, keep, lengths).allowed(2, n, n, torch.device("cpu"))
    seen = seen[None] if rest is None else seen & rest
    scores = (q @ k.repeat_interleave(2, 1).transpose(2, 3)) / 2
    weights = torch.exp(scores - scores.detach().amax(-1, keepdim=True)) if n else scores
    weights = weights.masked_fill(~seen[:, None], 0)
    expected = (weights / weights.sum(-1, keepdim=True).clamp(min=1e-300)) @ v.repeat_interleave(2, 1)
    torch.testing.assert_close(found, expected, atol=1e-9, rtol=0)
    ours, theirs = (torch.autograd.grad(each.square().sum(), [q, k, v]) for each in (found, expected))
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, atol=1e-8, rtol=0)


def test_an_invalid_dilation_is_refused() -> None:
    q = torch.zeros(1, 1, 4, 2)
    with pytest.raises(SpecError, match="dilation is 0; give 1 or more"):
        banded(q, q, q, attention.Mask(window=(1, 1)), dilation=0)


def test_long_texts_are_split_without_a_seam() -> None:
    """With more queries than one call of the kernel takes, each gets what it gets in a short text."""
    torch.manual_seed(0)
    q, k, v = (torch.randn(1, 1, 9000, 4) for _ in range(3))
    found = banded(q, k, v, attention.Mask(window=(5, 3)))
    for start in (0, 4000, 4090, 8180, 8900):
        near = slice(max(0, start - 5), min(9000, start + 103))
        part = banded(*(each[:, :, near] for each in (q, k, v)), attention.Mask(window=(5, 3)))
        stop = min(start + 100, 9000)
        torch.testing.assert_close(
            part[:, :, start - near.start : stop - near.start], found[:, :, start:stop], atol=1e-6, rtol=0
        )
