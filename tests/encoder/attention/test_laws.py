"""Laws that every registered attention mechanism keeps, over all masks that it honours."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="needs the extra encoder")

from ragembed.encoder import attention  # noqa: E402
from ragembed.encoder.attention.reference import attention as reference  # noqa: E402
from ragembed.errors import SpecError  # noqa: E402

NAMES = attention.names()
NEEDS_WINDOW = {"longformer", "sinks", "sliding_window"}
OPTIONS: dict[str, list[dict[str, Any]]] = {
    "flash1": [{}, {"tile": (3, 5)}, {"tile": (16, 8)}],
    "flash2": [{}, {"tile": (3, 5)}, {"tile": (16, 8)}],
    "longformer": [{}, {"block": 1}, {"block": 5}, {"block": 64}],
    "sliding_window": [{}, {"block": 1}, {"block": 5}, {"block": 64}],
}
"""Options that divide the work differently, none of which may change the result."""


@st.composite
def problems(draw: st.DrawFn) -> dict[str, Any]:
    """Sizes and conditions; the tensors are drawn from the seed."""
    batch, n = draw(st.integers(1, 3)), draw(st.integers(0, 40))
    sides = st.integers(0, 45)
    found: dict[str, Any] = {
        "batch": batch,
        "n": n,
        "groups": draw(st.sampled_from([(1, 1), (4, 4), (4, 2), (6, 1)])),
        "d": draw(st.sampled_from([1, 4, 8])),
        "seed": draw(st.integers(0, 1000)),
        "strided": draw(st.booleans()),
        "causal": draw(st.booleans()),
        "window": draw(st.none() | st.tuples(sides, sides)),
        "keep": draw(st.none() | st.sampled_from([0.0, 0.5, 0.9])),
        "lengths": None,
        "global_tokens": draw(st.none() | st.lists(st.integers(0, max(0, n - 1)), max_size=3)) if n else None,
    }
    if draw(st.booleans()):
        cuts = sorted(draw(st.lists(st.integers(0, n), max_size=3)))
        found["lengths"] = [b - a for a, b in zip([0, *cuts], [*cuts, n], strict=True)]
    return found


def tensors_and_mask(
    problem: dict[str, Any], honours: frozenset[str], dtype: Any = None
) -> tuple[list[Any], Any]:
    """Query, key and value, and the mask with the conditions that are honoured."""
    random = torch.Generator().manual_seed(problem["seed"])
    (heads, kv_heads), batch, n, d = problem["groups"], problem["batch"], problem["n"], problem["d"]
    tensors = []
    for count in (heads, kv_heads, kv_heads):
        shape = (batch, count, d, n) if problem["strided"] else (batch, count, n, d)
        one = torch.randn(shape, generator=random, dtype=dtype or torch.float32)
        tensors.append((one.transpose(2, 3) if problem["strided"] else one).requires_grad_())
    keep = None if problem["keep"] is None else torch.rand(batch, n, generator=random) < problem["keep"]
    asked = {name: problem[name] for name in ("window", "causal", "lengths", "global_tokens")} | {
        "keep": keep
    }
    return tensors, attention.Mask(**{name: value for name, value in asked.items() if name in honours})


def call(name: str, tensors: list[Any], mask: Any, **options: Any) -> Any:
    return attention.get(name)(*tensors, mask, **options)


@pytest.mark.parametrize("name", [name for name in NAMES if attention.get(name).exact])
@given(problem=problems())
@settings(max_examples=60, deadline=None)
def test_exact_mechanisms_equal_the_reference(name: str, problem: dict[str, Any]) -> None:
    """Results within 1e-5 and gradients within 1e-4, however the work is divided."""
    if name in NEEDS_WINDOW and problem["window"] is None:
        problem["window"] = (3, 2)
    tensors, mask = tensors_and_mask(problem, attention.get(name).honours)
    expected, lse = reference(*tensors, mask)
    up = torch.randn(expected.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    gradients = torch.autograd.grad((expected * up).sum(), tensors)
    for options in OPTIONS.get(name, [{}]):
        found = call(name, tensors, mask, **options)
        assert found.shape == tensors[0].shape
        assert found.dtype == torch.float32
        torch.testing.assert_close(found.double(), expected, atol=1e-5, rtol=0)
        assert (found[torch.isneginf(lse)] == 0).all()
        again = torch.autograd.grad((found.double() * up).sum(), tensors)
        for ours, theirs in zip(again, gradients, strict=True):
            torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=0)


@pytest.mark.parametrize("name", NAMES)
@given(problem=problems())
@settings(max_examples=20, deadline=None)
def test_batched_equals_one_by_one(name: str, problem: dict[str, Any]) -> None:
    if name in NEEDS_WINDOW and problem["window"] is None:
        problem["window"] = (3, 2)
    tensors, mask = tensors_and_mask(problem, attention.get(name).honours)
    together = call(name, tensors, mask)
    for row in range(problem["batch"]):
        keep = None if mask.keep is None else mask.keep[row : row + 1]
        alone = attention.Mask(mask.window, mask.causal, keep, mask.lengths, mask.global_tokens)
        single = call(name, [each[row : row + 1] for each in tensors], alone)
        torch.testing.assert_close(single[0], together[row], atol=1e-6, rtol=0)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("batch", "n"), [(0, 5), (2, 0), (0, 0)])
@pytest.mark.parametrize("masked", [False, True])
def test_empty_batches_and_empty_texts(name: str, batch: int, n: int, *, masked: bool) -> None:
    """They have a result and gradients of the right shapes."""
    honours = attention.get(name).honours
    window = (3, 2) if masked or name in NEEDS_WINDOW else None
    problem: dict[str, Any] = {
        "batch": batch, "n": n, "groups": (4, 2), "d": 4, "seed": 0, "strided": False, "window": window,
        "causal": masked, "keep": 0.5 if masked else None, "lengths": [n] if masked else None,
        "global_tokens": [0] if masked and n else None,
    }  # fmt: skip
    tensors, mask = tensors_and_mask(problem, honours)
    found = call(name, tensors, mask)
    assert found.shape == tensors[0].shape
    for gradient, each in zip(torch.autograd.grad(found.sum(), tensors), tensors, strict=True):
        assert gradient.shape == each.shape


@pytest.mark.parametrize("name", [name for name in NAMES if "window" in attention.get(name).honours])
@pytest.mark.parametrize(("left", "right"), [(0, 0), (3, 0), (0, 4), (7, 2)])
def test_a_window_ends_where_it_says(name: str, left: int, right: int) -> None:
    """The last key inside matters, the first outside does not."""
    torch.manual_seed(0)
    q, k, v = (torch.randn(1, 2, 30, 8) for _ in range(3))
    mask = attention.Mask(window=(left, right))
    place = 15
    before = call(name, [q, k, v], mask)[:, :, place]
    for key, matters in (
        (place - left, True), (place - left - 1, False), (place + right, True), (place + right + 1, False),
    ):  # fmt: skip
        moved = v.clone()
        moved[:, :, key] += 1
        after = call(name, [q, k, moved], mask)[:, :, place]
        assert torch.equal(before, after) is not matters, key


@pytest.mark.parametrize("name", [name for name in NAMES if "keep" in attention.get(name).honours])
def test_padding_has_no_influence_even_if_nan(name: str) -> None:
    torch.manual_seed(0)
    q, k, v = (torch.randn(2, 2, 9, 4) for _ in range(3))
    keep = torch.ones(2, 9, dtype=torch.bool)
    keep[0, 5:] = keep[1] = False
    k[~keep[:, None].expand(2, 2, 9)] = math.nan
    v[~keep[:, None].expand(2, 2, 9)] = math.inf
    window = (3, 3) if "window" in attention.get(name).honours else None
    found = call(name, [q, k, v], attention.Mask(window=window, keep=keep))
    assert torch.isfinite(found).all()
    assert (found[1] == 0).all()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_neither_overflows_nor_drifts(name: str, dtype: Any) -> None:
    torch.manual_seed(0)
    q, k, v = (torch.randn(1, 2, 33, 8) for _ in range(3))
    mask = attention.Mask(window=(5, 5)) if "window" in attention.get(name).honours else None
    halves = [each.to(dtype) for each in (q, k, v)]
    expected, _ = reference(*halves, mask)
    if attention.get(name).exact:
        torch.testing.assert_close(call(name, halves, mask).double(), expected, atol=2e-2, rtol=0)
    assert torch.isfinite(call(name, [200 * halves[0], 200 * halves[1], halves[2]], mask)).all()


@pytest.mark.parametrize("name", NAMES)
def test_each_mechanism_describes_itself(name: str) -> None:
    one = attention.get(name)
    assert one.name == name
    for text in (one.definition, one.paper, one.time, one.memory, one.advice):
        assert text
    assert one.honours <= attention.ALL


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        (((2, 4, 8), (2, 4, 8), (2, 4, 8)), r"give \(batch, heads, length, head dimension\)"),
        (((1, 4, 5, 8), (1, 3, 5, 8), (1, 3, 5, 8)), "4 query heads cannot share 3 key heads evenly"),
        (((1, 0, 5, 8), (1, 2, 5, 8), (1, 2, 5, 8)), "0 query heads cannot share 2 key heads evenly"),
        (((1, 4, 5, 8), (1, 4, 5, 6), (1, 4, 5, 8)), "do not fit a query"),
        (((1, 4, 5, 8), (1, 4, 5, 8), (1, 4, 6, 8)), "do not fit a query"),
    ],
)
def test_mismatched_shapes_are_refused(name: str, shapes: Any, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        call(name, [torch.zeros(shape) for shape in shapes], None)


@pytest.mark.parametrize("name", NAMES)
def test_mismatched_types_options_and_masks_are_refused(name: str) -> None:
    q = torch.zeros(1, 2, 6, 4)
    one = attention.get(name)
    with pytest.raises(SpecError, match=r"of torch\.float32, torch\.float64"):
        one(q, q.double(), q)
    with pytest.raises(SpecError, match=f"{name} has no option 'blocks'; valid are: "):
        one(q, q, q, blocks=3)
    for mask, message in (
        (attention.Mask(lengths=[2, 3]), "have 5 tokens, a row has 6"),
        (attention.Mask(lengths=[7, -1]), "lengths from 0"),
        (attention.Mask(keep=torch.ones(1, 5, dtype=torch.bool)), r"keep has the shape \(1, 5\)"),
        (attention.Mask(keep=torch.ones(1, 6)), "give booleans"),
        (attention.Mask(window=(1, 1), global_tokens=[6]), "of 6; give positions from 0"),
    ):
        if set(mask.asks) <= one.honours:
            with pytest.raises(SpecError, match=message):
                one(q, q, q, mask)


def test_conditions_that_are_not_honoured_are_refused() -> None:
    q = torch.zeros(1, 2, 6, 4)
    with pytest.raises(
        SpecError, match="sliding_window cannot honour global_tokens of a mask; it can honour: "
    ):
        call("sliding_window", [q, q, q], attention.Mask(window=(1, 1), global_tokens=[0]))
    with pytest.raises(SpecError, match="sliding_window got no window"):
        call("sliding_window", [q, q, q], attention.Mask())


@pytest.mark.parametrize("window", [(-1, 2), (1,), (1.5, 2)])
def test_invalid_windows_are_refused(window: Any) -> None:
    with pytest.raises(SpecError, match="give two numbers from 0"):
        attention.Mask(window=window)


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(SpecError, match="unknown attention 'flash3'; did you mean flash"):
        attention.get("flash3")


def test_fewer_queries_than_keys_are_aligned_at_the_end() -> None:
    """As for the newest tokens of a cache."""
    torch.manual_seed(0)
    q, k, v = torch.randn(1, 2, 3, 4), *(torch.randn(1, 2, 10, 4) for _ in range(2))
    whole = torch.cat([torch.zeros(1, 2, 7, 4), q], dim=2)
    for mask in (attention.Mask(causal=True), attention.Mask(window=(2, 0)), attention.Mask(window=(4, 1))):
        expected = call("dot_product", [whole, k, v], mask)[:, :, 7:]
        for name in ("dot_product", "flash1", "flash2"):
            torch.testing.assert_close(call(name, [q, k, v], mask), expected, atol=1e-6, rtol=0)


def test_listing_the_names_imports_no_torch() -> None:
    import subprocess
    import sys

    program = (
        "import sys; from ragembed.encoder import attention; attention.names(); attention.Mask(window=(1, 1));"
        " assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
