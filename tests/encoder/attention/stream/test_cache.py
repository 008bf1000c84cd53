"""Caches and streams: each step equals a recompute over the visible tokens, in constant memory."""

from __future__ import annotations

import gc
import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="needs the extra encoder")

from ragembed.encoder import attention  # noqa: E402
from ragembed.encoder.attention.reference import attention as reference  # noqa: E402
from ragembed.encoder.attention.stream.cache import FullCache, RollingCache, SinkCache  # noqa: E402
from ragembed.encoder.attention.stream.streaming import attend  # noqa: E402
from ragembed.encoder.positions import rope, rope_frequencies  # noqa: E402
from ragembed.errors import SpecError  # noqa: E402

D = 8
rotate = partial(rope, frequencies=rope_frequencies(D, theta=100.0))
CACHES: dict[str, Any] = {
    "full": FullCache,
    "rolling 1": partial(RollingCache, 1),
    "rolling 4": partial(RollingCache, 4),
    "rolling 17": partial(RollingCache, 17),
    "rolling 29": partial(RollingCache, 29),
    "sinks 0 + 5": partial(SinkCache, 0, 5),
    "sinks 3 + 1": partial(SinkCache, 3, 1),
    "sinks 2 + 4": partial(SinkCache, 2, 4),
    "sinks 5 + 24": partial(SinkCache, 5, 24),
}


def stream(n: int, batch: int = 2, seed: int = 0) -> list[Any]:
    """Queries of four heads, keys and values of two."""
    random = torch.Generator().manual_seed(seed)
    return [torch.randn(batch, heads, n, D, generator=random) for heads in (4, 2, 2)]


def visible(cache: Any, t: int) -> list[int]:
    """The tokens that token t sees, by the definitions."""
    if isinstance(cache, FullCache):
        return list(range(t + 1))
    return [j for j in range(t + 1) if j < cache.sinks or t - j < cache.recent]


def recomputed(cache: Any, q: Any, k: Any, v: Any, *, rotated: bool) -> Any:
    """Attention of each token over all that it sees, from the whole text, in float64."""
    rows = [q[:, :, :0].double()]
    for t in range(q.shape[2]):
        seen = visible(cache, t)
        query, key = q[:, :, t : t + 1].double(), k[:, :, seen].double()
        if rotated:
            places = list(range(len(seen))) if isinstance(cache, SinkCache) else seen
            query = rotate(query, torch.tensor(places[-1:]))
            key = rotate(key, torch.tensor(places))
        rows.append(reference(query, key, v[:, :, seen])[0])
    return torch.cat(rows, dim=2)


def streamed(cache: Any, tensors: list[Any], sizes: list[int], **options: Any) -> Any:
    pieces = zip(*(each.split(sizes, dim=2) for each in tensors), strict=True)
    return torch.cat([attend(cache, *piece, **options) for piece in pieces], dim=2)


@pytest.mark.parametrize("rotated", [False, True])
@pytest.mark.parametrize("size", [1, 3, 17])
@pytest.mark.parametrize("kind", CACHES)
def test_each_step_equals_a_recompute_over_the_visible_tokens(kind: str, size: int, rotated: bool) -> None:
    n, cache = 102, CACHES[kind]()
    tensors = stream(n)
    found = streamed(cache, tensors, [size] * (n // size), rotate=rotate if rotated else None)
    expected = recomputed(cache, *tensors, rotated=rotated)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.double(), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize(("kind", "n"), [("full", 1000), ("rolling 29", 2000), ("sinks 5 + 24", 2000)])
def test_a_long_stream_does_not_drift(kind: str, n: int) -> None:
    """About seventy times the window: each step is compared, and memory stays as it is after the first token."""
    cache, tensors, taken, rows = CACHES[kind](), stream(n, batch=1), set(), []
    for token in zip(*(each.split(1, dim=2) for each in tensors), strict=True):
        rows.append(attend(cache, *token, rotate=rotate))
        taken.add(cache.nbytes)
    expected = recomputed(cache, *tensors, rotated=True)
    torch.testing.assert_close(torch.cat(rows, dim=2).double(), expected, atol=1e-5, rtol=0)
    assert len(taken) == (1 if kind != "full" else 11)  # the full one doubles: 1, 2, 4 ... 1,024 slots


@pytest.mark.parametrize("kind", CACHES)
@given(sizes=st.lists(st.integers(0, 40), min_size=1, max_size=6), chunk=st.integers(1, 50))
@settings(max_examples=20, deadline=None)
def test_chunking_a_stream_changes_nothing(kind: str, sizes: list[int], chunk: int) -> None:
    tensors = stream(sum(sizes), batch=1)
    cache = CACHES[kind]()
    found = streamed(cache, tensors, sizes, rotate=rotate, chunk=chunk)
    torch.testing.assert_close(
        found.double(), recomputed(cache, *tensors, rotated=True), atol=1e-5, rtol=0, check_dtype=False
    )
    assert cache.length == sum(sizes)


def test_a_rolling_cache_equals_a_sliding_window() -> None:
    q, k, v = stream(60)
    mask = attention.Mask(window=(8, 0))
    expected = attention.get("sliding_window")(q, k, v, mask)
    found = streamed(RollingCache(9), [q, k, v], [13] * 4 + [8])
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("kind", CACHES)
def test_slots_say_which_tokens_they_hold(kind: str) -> None:
    """Slots hold the keys at their positions, and exactly those that the newest token sees."""
    cache, (_, k, v) = CACHES[kind](), stream(40)
    at = 0
    for size in (1, 2, 5, 1, 17, 3, 11):
        positions = cache.append(k[:, :, at : at + size], v[:, :, at : at + size])
        assert positions.tolist() == list(range(at, at + size))
        at += size
        keys, values, slots = cache.view()
        assert sorted(slots.tolist()) == visible(cache, at - 1)
        assert torch.equal(keys, k[:, :, slots])
        assert torch.equal(values, v[:, :, slots])


def test_cache_indices_are_those_of_streaming_llm() -> None:
    """With two sinks and three recent tokens, token 9 sees 0, 1, 7, 8 and 9, which have the indices 0 to 4."""
    cache = SinkCache(2, 3)
    assert cache.cache_index(torch.tensor([0, 1, 7, 8, 9]), 9).tolist() == [0, 1, 2, 3, 4]
    assert cache.cache_index(torch.tensor([0, 1, 2]), 2).tolist() == [0, 1, 2]


@pytest.mark.parametrize("kind", ["rolling 29", "sinks 5 + 24"])
@pytest.mark.parametrize("size", [1, 40])
def test_memory_is_flat(kind: str, size: int) -> None:
    cache, tensors = CACHES[kind](), stream(size, batch=1)

    def step() -> None:
        attend(cache, *tensors, rotate=rotate)

    def memory() -> int:
        gc.collect()
        alive = (each for each in gc.get_objects() if type(each) is torch.Tensor)
        return sum(each.numel() * each.element_size() for each in alive)

    step()
    before, taken, lies = memory(), cache.nbytes, cache.view()[0].data_ptr()
    for _ in range(2000 if size == 1 else 50):
        step()
    assert cache.length >= 2000
    assert (memory(), cache.nbytes, cache.view()[0].data_ptr()) == (before, taken, lies)
    assert taken == 29 * (
        2 * 2 * D * 4 + 8
    )  # slots x (keys and values, heads, dimension, float32; a position)


def test_a_full_cache_grows_by_doubling() -> None:
    cache, (_, k, v) = FullCache(), stream(1, batch=1)
    places = set()
    for _ in range(1000):
        cache.append(k, v)
        places.add(cache.nbytes)
    assert len(places) == 11  # 1, 2, 4 ... 1,024 slots
    assert cache.view()[2].tolist() == list(range(1000))


def test_slots_are_those_of_mistral(shared_fixtures: Path) -> None:
    """Three texts that continue by 5, 7 and 2 tokens after 0, 1 and 3, with a window of 3: from Mistral's docstring."""
    published = json.loads((shared_fixtures / "inline_vectors.json").read_text())["mistral_cache_docstring"]
    window = published["sliding_window"]
    positions, places = iter(published["positions"]), iter(published["cache_positions"])
    for row, (old, new, kept) in enumerate(
        zip(published["seqpos"], published["seqlens"], published["to_cache_mask"], strict=True)
    ):
        cache = RollingCache(window)
        cache.append(torch.zeros(1, 1, old, 1), torch.zeros(1, 1, old, 1))
        ours = cache.append(torch.zeros(1, 1, new, 1), torch.zeros(1, 1, new, 1))
        theirs = [next(positions) for _ in range(new)]
        assert ours.tolist() == theirs
        slots = cache.view()[2].tolist()
        for position, stays in zip(theirs, kept, strict=True):
            assert (position in slots) is bool(stays)
            if stays:
                assert slots.index(position) == next(places) - row * window


def test_a_rolling_cache_evicts_the_oldest(shared_fixtures: Path) -> None:
    """From a bug report on another library: of tokens 10.0 to 10.8, in six and three, a window of 8 drops the first."""
    published = json.loads((shared_fixtures / "inline_vectors.json").read_text())["hf_cache_roll"]
    tokens = torch.arange(9).reshape(1, 1, 9, 1) / 10 + 10
    cache = RollingCache(published["window"])
    cache.append(tokens[:, :, :6], tokens[:, :, :6])
    cache.append(tokens[:, :, 6:], tokens[:, :, 6:])
    keys, _, slots = cache.view()
    assert published["after_prefill6_plus_3"] == ["10.1..10.8"]
    assert [f"{key:.1f}" for key in keys.flatten()[slots.argsort()]] == [f"10.{i}" for i in range(1, 9)]


def test_values_may_be_of_another_width_in_half_precision_and_scaled() -> None:
    q, k, v = (each.bfloat16() for each in stream(30))
    cache = SinkCache(2, 6)
    found = streamed(cache, [q, k, v], [10] * 3, rotate=rotate, scale=0.5)
    assert found.dtype == torch.bfloat16
    expected = recomputed(cache, q.double() * 0.5 * D**0.5, k, v, rotated=True)
    torch.testing.assert_close(found.double(), expected, atol=4e-2, rtol=0)
    narrow = streamed(SinkCache(2, 6), [*stream(30)[:2], stream(30)[2][..., :3]], [10] * 3, rotate=rotate)
    wide = streamed(SinkCache(2, 6), stream(30), [10] * 3, rotate=rotate)
    torch.testing.assert_close(narrow, wide[..., :3], atol=1e-6, rtol=0)


def test_cached_tensors_have_no_gradient() -> None:
    q, k, v = (each.requires_grad_() for each in stream(5))
    cache = RollingCache(3)
    assert not attend(cache, q, k, v).requires_grad
    assert not cache.view()[0].requires_grad


def test_invalid_input_is_refused() -> None:
    q, k, v = stream(4)
    for make, message in (
        (partial(RollingCache, 0), "window is 0; give 1 or more"),
        (partial(SinkCache, -1, 3), "sinks is -1, recent 3; give sinks from 0"),
        (partial(SinkCache, 1, 0), "sinks is 1, recent 0"),
    ):
        with pytest.raises(SpecError, match=message):
            make()
    cache = RollingCache(3)
    with pytest.raises(SpecError, match="the cache is empty"):
        cache.view()
    assert cache.nbytes == 0
    with pytest.raises(SpecError, match="there are 3 queries and 4 keys"):
        attend(cache, q[:, :, :3], k, v)
    with pytest.raises(SpecError, match="chunk is 0"):
        attend(cache, q, k, v, chunk=0)
    attend(cache, q, k, v)
    for other in ([q[:1], k[:1], v[:1]], [q.double(), k.double(), v.double()], [q, k, v[..., :2]]):
        with pytest.raises(SpecError, match=r"the cache holds (keys|values) of \(batch, heads, dimension\)"):
            attend(cache, *other)
    assert cache.length == 4


@pytest.mark.parametrize("kind", CACHES)
def test_a_refused_call_changes_nothing(kind: str) -> None:
    cache, tensors = CACHES[kind](), stream(30)
    attend(cache, *(each[:, :, :6] for each in tensors), rotate=rotate)
    before = [each.clone() for each in cache.view()]
    more: list[Any] = [each[:, :, 6:] for each in tensors]
    too_wide = partial(rope, frequencies=rope_frequencies(2 * D))
    for options, told in (
        ({"rotate": too_wide}, "give fewer frequencies"),
        ({"rotate": too_wide, "chunk": 4}, "give fewer frequencies"),
        ({"scale": float("nan")}, "scale is nan; give a finite number"),
        ({"scale": 0}, "scale is 0; give a number above 0"),
        ({"chunk": 2.5}, r"chunk is 2\.5; give an integer"),
    ):
        with pytest.raises(SpecError, match=told):
            attend(cache, *more, **options)
        assert cache.length == 6
        for now, then in zip(cache.view(), before, strict=True):
            assert torch.equal(now, then)


@pytest.mark.parametrize("kind", CACHES)
def test_a_cache_begun_in_inference_mode_goes_on_outside(kind: str) -> None:
    tensors = stream(20)
    expected = streamed(CACHES[kind](), tensors, [10, 10], rotate=rotate)
    cache = CACHES[kind]()
    with torch.inference_mode():
        first = attend(cache, *(each[:, :, :10] for each in tensors), rotate=rotate)
    then = attend(cache, *(each[:, :, 10:] for each in tensors), rotate=rotate)
    assert torch.equal(torch.cat([first, then], dim=2), expected)


@pytest.mark.parametrize(
    ("kind", "sizes"), [(RollingCache, [2.5]), (RollingCache, [True]), (SinkCache, [2, "3"])]
)
def test_sizes_that_are_no_integers(kind: Any, sizes: list[Any]) -> None:
    with pytest.raises(SpecError, match="give an integer"):
        kind(*sizes)
