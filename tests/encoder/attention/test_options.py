"""Options, masks and tensors of the wrong kind: one clear error each, before anything is computed."""

from __future__ import annotations

import math
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs the extra encoder")

from ragembed.encoder import attention  # noqa: E402
from ragembed.encoder.attention import Mask  # noqa: E402
from ragembed.errors import SpecError  # noqa: E402

Q = torch.randn(2, 2, 6, 4, generator=torch.Generator().manual_seed(0))
KEEP: Any = [[True] * 6] * 2


def call(name: str, **options: Any) -> Any:
    one = attention.get(name)
    return one(Q, Q, Q, Mask(window=(2, 2)) if "window" in one.honours else None, **options)


@pytest.mark.parametrize("name", sorted({*attention.names()} - {"additive", "linear"}))
@pytest.mark.parametrize("scale", [0, -1.0, math.nan, math.inf, 10**400, "1", True, torch.tensor(0.5)])
def test_scales(name: str, scale: Any) -> None:
    """Above 0: PyTorch's causal kernel makes NaN of any other."""
    with pytest.raises(SpecError, match=r"scale is .*; give a (finite number|number above 0)"):
        call(name, scale=scale)


@pytest.mark.parametrize(
    ("name", "options", "told"),
    [
        ("sliding_window", {"block": 2.5}, "block is 2.5; give an integer"),
        ("sliding_window", {"block": True}, "block is True; give an integer"),
        ("sliding_window", {"dilation": "2"}, "dilation is '2'; give an integer"),
        ("sinks", {"count": None}, "count is None; give an integer"),
        ("bigbird", {"ends": 1}, "ends is 1; give two integers"),
        ("bigbird", {"ends": (1, 1, 1)}, "give two integers"),
        ("bigbird", {"seed": 2**64}, "give an integer of 64 bits at most"),
        ("bigbird", {"table": [[0]]}, "give a tensor"),
        ("bp", {"weigh": "no"}, "weigh is 'no'; give True or False"),
        ("flash1", {"tile": (3,)}, "give two integers"),
        ("flash2", {"tile": (0, 3)}, "give 1 or more queries and keys"),
        ("additive", {"w": 3}, "w is 3; give a tensor"),
        ("longformer", {"global_projections": 3}, "give query, key and value"),
        ("ring", {"per_node": 0}, "per_node"),
        ("ring", {"per_node": 1.0}, "per_node is 1.0; give an integer"),
        ("ring", {"timeout": -1}, "timeout is -1; give a number above 0"),
        ("ulysses", {"timeout": math.nan}, "timeout is nan; give a finite number"),
        ("burst", {"sent": 3}, "sent is 3; give a list"),
        ("burst", {"group": 3}, "is not in the group|not in the group"),
    ],
)
def test_options(name: str, options: dict[str, Any], told: str) -> None:
    with pytest.raises(SpecError, match=told):
        call(name, **options)


@pytest.mark.parametrize(
    ("name", "option"),
    [
        ("bigbird", "block"),
        ("strided", "block"),
        ("sliding_window", "dilation"),
        ("bp", "k"),
        ("sinks", "count"),
    ],
)
def test_huge_ones_take_no_memory(name: str, option: str) -> None:
    torch.testing.assert_close(call(name, **{option: 2**62}), call(name, **{option: 10}), atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    "name", [name for name in attention.names() if "window" in attention.get(name).honours]
)
@pytest.mark.parametrize("huge", [2**63 - 1, 2**70])
def test_huge_windows_are_all(name: str, huge: int) -> None:
    one = attention.get(name)
    for window in ((huge, 1), (1, huge), (huge, huge)):
        small: Any = tuple(min(side, 6) for side in window)
        torch.testing.assert_close(one(Q, Q, Q, Mask(window=window)), one(Q, Q, Q, Mask(window=small)))


@pytest.mark.parametrize(
    ("mask", "told"),
    [
        ({"window": 5}, "window is 5; give two numbers"),
        ({"window": (True, 1)}, "give two numbers"),
        ({"causal": "no"}, "causal is 'no'; give True or False"),
        ({"keep": KEEP}, "keep is a list; give a tensor"),
        ({"keep": torch.ones(1, 6, dtype=torch.bool)}, r"keep has the shape \(1, 6\), the keys are 2 x 6"),
        ({"lengths": 6}, "lengths are 6; give whole numbers"),
        ({"lengths": [2.5, 3.5]}, "give whole numbers"),
        ({"lengths": torch.tensor([2.5, 3.5])}, "give whole numbers"),
        ({"lengths": [[6], 6]}, "give whole numbers"),
        ({"global_tokens": [1.5]}, "give positions from 0"),
        ({"global_tokens": True}, "give one value for each key"),
        ({"global_tokens": [2**70]}, "global tokens are"),
        ({"global_tokens": [[1], [2, 3]]}, "global tokens are"),
    ],
)
def test_masks(mask: dict[str, Any], told: str) -> None:
    with pytest.raises(SpecError, match=told):
        attention.get("dot_product")(Q, Q, Q, Mask(**mask))


def test_lengths_of_any_integers() -> None:
    """A list of tensors, one for each row, and a list of numbers of numpy or torch."""
    one = attention.get("flash2")
    expected = one(Q, Q, Q, Mask(lengths=[[2, 4], [5, 1]]))
    rows: Any = [torch.tensor([2, 4]), torch.tensor([5, 1])]
    assert torch.equal(one(Q, Q, Q, Mask(lengths=rows)), expected)
    assert torch.equal(one(Q, Q, Q, Mask(lengths=torch.stack(rows).numpy())), expected)


def test_what_is_no_mask_and_no_tensor() -> None:
    one: Any = attention.get("dot_product")
    with pytest.raises(SpecError, match=r"the mask is a Tensor; give attention\.Mask"):
        one(Q, Q, Q, torch.ones(6, 6, dtype=torch.bool))
    with pytest.raises(SpecError, match="one is a ndarray; give tensors"):
        one(Q, Q.numpy(), Q)
    with pytest.raises(SpecError, match="the head dimension is 0"):
        one(Q[..., :0], Q[..., :0], Q)


@pytest.mark.parametrize(
    ("name", "options"), [("linformer", {"k": 2}), ("bigbird", {"block": 1, "random": 1})]
)
def test_what_is_drawn_does_not_depend_on_the_default_type(name: str, options: dict[str, Any]) -> None:
    long = torch.randn(1, 2, 40, 4, generator=torch.Generator().manual_seed(0))
    one = attention.get(name)
    expected = one(long, long, long, **options)
    torch.set_default_dtype(torch.float64)
    try:
        found = one(long, long, long, **options)
    finally:
        torch.set_default_dtype(torch.float32)
    assert torch.equal(found, expected)


def test_an_empty_batch_has_lengths_of_no_rows() -> None:
    mask = Mask(window=(1, 1), lengths=torch.zeros(0, 3, dtype=torch.int64))
    assert attention.get("sliding_window")(Q[:0], Q[:0], Q[:0], mask).shape == (0, 2, 6, 4)
