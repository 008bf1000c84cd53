"""Triton's kernels against the reference: on a GPU if there is one, and in Triton's interpreter, which needs none.

The interpreter has to be enabled before Triton is imported, so these tests run again in a process of their own.
"""

from __future__ import annotations

import math
import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="needs the extra encoder")
triton = pytest.importorskip("triton", reason="needs triton")

from ragembed.encoder import attention  # noqa: E402
from ragembed.encoder.attention import Mask  # noqa: E402
from ragembed.encoder.attention.gpu import triton_flash  # noqa: E402
from ragembed.encoder.attention.gpu.triton_tiles import Tile, Tiles  # noqa: E402
from ragembed.encoder.attention.reference import attention as reference  # noqa: E402
from ragembed.errors import SpecError  # noqa: E402

INTERPRETED = triton.knobs.runtime.interpret
GPU = not INTERPRETED and torch.cuda.is_available()
DEVICE = "cuda" if GPU else "cpu"
runs = pytest.mark.skipif(not (INTERPRETED or GPU), reason="runs in the interpreter, in a process of its own")
outside = pytest.mark.skipif(INTERPRETED, reason="needs Triton as it is")
on_gpu = pytest.mark.skipif(not GPU, reason="needs a GPU")

SMALL = Tiles(*[Tile(16, 16, 4, 1)] * 3)
UNEVEN = Tiles(Tile(32, 16, 4, 1), Tile(16, 32, 4, 1), Tile(16, 32, 4, 1))


@outside
def test_by_the_interpreter() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", __file__],
        env={**os.environ, "TRITON_INTERPRET": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def tensors(
    m: int, n: int, *, batch: int = 1, heads: tuple[int, int] = (2, 1), d: int = 16, e: int | None = None,
    strided: bool = False, dtype: Any = None,
) -> list[Any]:  # fmt: skip
    """Query, key and value; `strided`: in the layout of a projection, (batch, length, heads, d) in memory."""
    random = torch.Generator().manual_seed(m + 100 * n)
    made = []
    for count, length, width in ((heads[0], m, d), (heads[1], n, d), (heads[1], n, e or d)):
        one = torch.randn(batch, length, count, width, generator=random).to(DEVICE, dtype or torch.float32)
        one = one.transpose(1, 2)
        made.append((one if strided else one.contiguous()).requires_grad_())
    return made


def check(
    given: list[Any],
    mask: Mask | None,
    sizes: Tiles | None = SMALL,
    *,
    scale: float | None = None,
    within: float = 1e-5,
) -> None:
    """Results and lse equal the reference within `within`, gradients through both within ten times that."""
    q, k, v = given
    expected, lse = reference(q, k, v, mask, scale=scale)
    found, ours = triton_flash.attention(q, k, v, mask, scale=scale, sizes=sizes)
    dead = torch.isneginf(lse)
    assert found.dtype == given[0].dtype
    assert ours.dtype == torch.float32
    assert (found[dead] == 0).all()
    torch.testing.assert_close(found.double(), expected, atol=within, rtol=0)
    torch.testing.assert_close(ours.double(), lse, atol=within, rtol=1e-6)
    random = torch.Generator().manual_seed(0)
    up, also = (
        torch.randn(each.shape, generator=random, dtype=torch.float64).to(DEVICE) for each in (expected, lse)
    )

    def gradients(result: Any, sums: Any) -> Any:
        return torch.autograd.grad((result * up).sum() + (sums.masked_fill(dead, 0) * also).sum(), given)

    for one, other in zip(gradients(found, ours), gradients(expected, lse), strict=True):
        torch.testing.assert_close(one, other, atol=10 * within, rtol=0)


CASES: dict[str, tuple[tuple[int, int], dict[str, Any], dict[str, Any]]] = {
    "all": ((40, 40), {}, {}),
    "whole tiles": ((32, 32), {"heads": (2, 2)}, {}),
    "causal": ((40, 40), {"batch": 2, "heads": (4, 2), "strided": True}, {"causal": True}),
    "window": ((70, 70), {"d": 20, "e": 33}, {"window": (20, 3)}),
    "window to the left": ((70, 70), {}, {"window": (37, 40), "causal": True}),
    "window of one": ((20, 20), {}, {"window": (0, 0)}),
    "newest queries": ((20, 50), {}, {"causal": True}),
    "newest queries, window": ((20, 50), {}, {"window": (9, 2)}),
    "more queries than keys": ((50, 20), {}, {"window": (5, 2)}),
    "dead queries": ((50, 20), {}, {"causal": True}),
    "documents": ((66, 66), {}, {"lengths": [20, 0, 30, 16]}),
    "documents by row, causal": ((40, 40), {"batch": 2}, {"lengths": [[20, 20], [0, 40]], "causal": True}),
    "no keys": ((5, 0), {}, {}),
    "no queries": ((0, 5), {}, {}),
    "one number": ((18, 18), {"d": 1}, {}),
}


@runs
@pytest.mark.parametrize("name", CASES)
def test_it_equals_the_reference(name: str) -> None:
    (m, n), shape, mask = CASES[name]
    check(tensors(m, n, **shape), Mask(**mask))


@runs
@pytest.mark.parametrize("more", [{}, {"lengths": [30, 0, 26]}, {"window": (4, 30), "causal": True}])
def test_padding(more: dict[str, Any]) -> None:
    """Padding in between in one row, around the middle in another; its NaN reaches neither results nor gradients."""
    given = tensors(56, 56, batch=2, d=8)
    keep = torch.ones(2, 56, dtype=torch.bool, device=DEVICE)
    keep[0, 3:50:4] = False
    keep[1, :20] = keep[1, 37:] = False
    with torch.no_grad():
        for each in given[1:]:
            each.masked_fill_(~keep[:, None, :, None], math.nan)
    check(given, Mask(keep=keep, **more), UNEVEN)


@runs
def test_a_text_of_padding_only() -> None:
    check(tensors(20, 20), Mask(keep=torch.zeros(1, 20, dtype=torch.bool, device=DEVICE)))


@st.composite
def masks(draw: st.DrawFn) -> tuple[int, int, dict[str, Any]]:
    """Queries, keys and conditions."""
    n, side = draw(st.integers(1, 50)), st.integers(0, 40)
    lengths = None
    if draw(st.booleans()):
        cuts = [0, *sorted(draw(st.lists(st.integers(0, n), max_size=3))), n]
        lengths = [b - a for a, b in pairwise(cuts)]
    m = draw(st.integers(1, 50)) if lengths is None else n
    keep = draw(st.none() | st.lists(st.booleans(), min_size=n, max_size=n))
    return m, n, {
        "window": draw(st.none() | st.tuples(side, side)), "causal": draw(st.booleans()), "lengths": lengths,
        "keep": None if keep is None else torch.tensor([keep], device=DEVICE),
    }  # fmt: skip


@runs
@given(problem=masks())
@settings(max_examples=10, deadline=None, derandomize=True)
def test_combined_conditions(problem: tuple[int, int, dict[str, Any]]) -> None:
    m, n, mask = problem
    check(tensors(m, n, d=4), Mask(**mask), UNEVEN)


@runs
@pytest.mark.parametrize("scale", [-0.5, 0.0, 3.0])
def test_scales(scale: float) -> None:
    check(tensors(20, 20), Mask(window=(6, 4)), scale=scale)


@runs
@pytest.mark.parametrize("dtype", [torch.float16, *([torch.bfloat16] if GPU else [])])
def test_half_precision(dtype: Any) -> None:
    check(
        tensors(40, 40, dtype=dtype, d=32),
        Mask(causal=True),
        within=1e-2 if dtype == torch.float16 else 4e-2,
    )
    large = [200 * each for each in tensors(40, 40, dtype=dtype)]
    assert torch.isfinite(triton_flash.attention(*large, sizes=SMALL)[0]).all()


@runs
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("mask", [{"window": (3, 2)}, {"lengths": [32, 96, 32]}])
def test_fully_masked_tiles_are_skipped(mask: dict[str, Any]) -> None:
    """0 times NaN is NaN, so a masked tile of NaN would show; a skipped one does not."""
    q, k, v = tensors(160, 160, heads=(1, 1))
    lost = torch.zeros(160, dtype=torch.bool, device=DEVICE)
    lost[:32] = lost[128:] = True
    with torch.no_grad():
        for each in (q, k, v):
            each.masked_fill_(lost[:, None], math.nan)
    found, _ = triton_flash.attention(q, k, v, Mask(**mask), sizes=SMALL)
    assert torch.isfinite(found[:, :, 64:96]).all()
    for gradient in torch.autograd.grad(found[:, :, 64:96].sum(), (q, k, v)):
        assert torch.isfinite(gradient[:, :, 64:96]).all()


@runs
def test_a_query_that_sees_nothing_has_no_gradient() -> None:
    """Not even if the gradient of its lse is NaN, as from the logarithm of 0 in a merge of results."""
    given = tensors(30, 20)
    q, k, v = given
    found, lse = triton_flash.attention(q, k, v, Mask(causal=True), sizes=SMALL)
    up = torch.ones_like(lse).masked_fill(torch.isneginf(lse), math.nan)
    for gradient in torch.autograd.grad((found, lse), given, (torch.ones_like(found), up)):
        assert torch.isfinite(gradient).all()


@runs
def test_subsets_of_gradients() -> None:
    """The gradient of each tensor alone, also expanded from a single number, and that of the lse alone."""
    given = tensors(20, 20)
    expected = torch.autograd.grad(reference(*given)[0].sum(), given)
    for place, wanted in enumerate(given):
        alone = [each if each is wanted else each.detach() for each in given]
        (found,) = torch.autograd.grad(triton_flash.attention(*alone, sizes=SMALL)[0].sum(), wanted)
        torch.testing.assert_close(found, expected[place], atol=1e-4, rtol=0)
    (found,) = torch.autograd.grad(triton_flash.attention(*given, sizes=SMALL)[1].sum(), given[:1])
    (expected_of_lse,) = torch.autograd.grad(reference(*given)[1].sum(), given[:1])
    torch.testing.assert_close(found, expected_of_lse, atol=1e-4, rtol=0)


def test_unsupported_input_is_refused() -> None:
    q = torch.zeros(1, 2, 6, 4, device=DEVICE)
    with pytest.raises(SpecError, match="know no global tokens; use flash2 or longformer"):
        triton_flash.attention(q, q, q, Mask(global_tokens=[0]))
    wide = torch.zeros(1, 1, 2, 257, device=DEVICE)
    for each in (q.double(), wide):
        assert not triton_flash.available(each)
        with pytest.raises(SpecError, match="give 16 or 32 bits and at most 256 numbers on a GPU"):
            triton_flash.attention(each, each, each)
    with pytest.raises(SpecError, match="2 query heads cannot share 0 key heads"):
        triton_flash.attention(q, q[:, :0], q[:, :0])


@outside
def test_without_a_gpu_none_is_available() -> None:
    assert not triton_flash.available(torch.zeros(1, 1, 2, 16))


@on_gpu
@pytest.mark.parametrize("d", [16, 64, 80, 128, 256])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_default_tile_sizes(d: int, dtype: Any) -> None:
    within = {torch.float32: 1e-5, torch.float16: 1e-2, torch.bfloat16: 4e-2}[dtype]
    for mask in (Mask(causal=True), Mask(window=(100, 30), lengths=[300, 217])):
        check(tensors(517, 517, d=d, dtype=dtype, batch=2, heads=(4, 2)), mask, None, within=within)


@on_gpu
def test_results_are_deterministic() -> None:
    given = tensors(1000, 1000, dtype=torch.bfloat16, d=64, heads=(4, 2))
    q, k, v = given
    out = [triton_flash.attention(q, k, v, Mask(causal=True))[0] for _ in range(2)]
    gradients = [torch.autograd.grad(each.sum(), given) for each in out]
    assert torch.equal(*out)
    assert all(torch.equal(one, other) for one, other in zip(*gradients, strict=True))


@on_gpu
@pytest.mark.parametrize("name", ["flash2", "sliding_window"])
def test_mechanisms_use_the_kernels(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    through = triton_flash.attention

    def counted(*given: Any, **options: Any) -> Any:
        calls.append(options)
        return through(*given, **options)

    monkeypatch.setattr(triton_flash, "attention", counted)
    (q, k, v), mask = tensors(200, 200), Mask(window=(20, 10))
    found = attention.get(name)(q, k, v, mask, scale=0.3)
    torch.testing.assert_close(found.double(), reference(q, k, v, mask, scale=0.3)[0], atol=1e-5, rtol=0)
    assert calls == [{"scale": 0.3}]


class Absent:
    """The part of a driver that compiling needs, for a GPU that is not there."""

    def __init__(self, capability: tuple[int, int]) -> None:
        self.number = 10 * capability[0] + capability[1]

    def get_current_target(self) -> Any:
        from triton.backends.compiler import GPUTarget

        return GPUTarget("cuda", self.number, 32)

    def get_current_device(self) -> int:
        return 1000 + self.number  # kernels are remembered by device

    def get_current_stream(self, device: int) -> int:
        return 0


@outside
@pytest.mark.parametrize(
    ("capability", "d", "dtype", "most"),
    [((8, 0), 64, torch.bfloat16, 99), ((9, 0), 128, torch.float16, 227), ((8, 6), 16, torch.float32, 99)],
)
def test_it_compiles(
    capability: tuple[int, int],
    d: int,
    dtype: Any,
    most: int,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """To machine code for GPUs that need not be there, within their shared memory (`most` in KiB)."""
    from triton.runtime.driver import driver
    from triton.runtime.jit import JITFunction

    compiled = []
    run = JITFunction.run

    def compile_only(self: Any, *arguments: Any, grid: Any, warmup: bool, **options: Any) -> None:
        compiled.append(run(self, *arguments, grid=grid, warmup=True, **options))

    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(JITFunction, "run", compile_only)
    monkeypatch.setattr(driver, "_active", Absent(capability))
    monkeypatch.setattr(triton_flash, "_runs_on", lambda each: True)
    monkeypatch.setattr(triton_flash, "_capability", lambda each: capability)
    q, k, v = (torch.empty(2, heads, 100, d, dtype=dtype, requires_grad=True) for heads in (4, 2, 2))
    mask = (
        Mask(lengths=[60, 40], keep=torch.ones(2, 100, dtype=torch.bool)) if capability == (8, 0) else Mask()
    )
    triton_flash.attention(q, k, v, mask)[0].sum().backward()
    names = ["forward", "prepare", "backward_key_value", "backward_query"]
    assert [each.metadata.name for each in compiled] == names
    assert all("cubin" in each.asm and each.metadata.shared <= most * 1024 for each in compiled)
