"""The mask against its definition, pair by pair: the reference uses the same mask, so it needs an oracle of its own."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="needs the extra encoder")

from ragembed.encoder.attention.mask import Mask, SubMask  # noqa: E402

CPU = torch.device("cpu")


@st.composite
def problems(draw: st.DrawFn) -> dict[str, Any]:
    """Sizes and conditions as plain Python values; with documents or global tokens m is n."""
    batch, n = draw(st.integers(1, 2)), draw(st.integers(1, 9))
    sides = st.integers(0, 10)
    found: dict[str, Any] = {
        "batch": batch,
        "n": n,
        "window": draw(st.none() | st.tuples(sides, sides)),
        "causal": draw(st.booleans()),
        "keep": draw(
            st.none()
            | st.lists(st.lists(st.booleans(), min_size=n, max_size=n), min_size=batch, max_size=batch)
        ),
        "lengths": None,
        "global_tokens": draw(st.none() | st.lists(st.integers(0, n - 1), max_size=3)),
    }
    if draw(st.booleans()):
        cuts = [sorted(draw(st.lists(st.integers(0, n), min_size=2, max_size=2))) for _ in range(batch)]
        found["lengths"] = [[a, b - a, n - b] for a, b in cuts]
    square = found["lengths"] is not None or found["global_tokens"] is not None
    found["m"] = n if square else draw(st.integers(1, 12))
    return found


def mask_of(problem: dict[str, Any]) -> Mask:
    keep = None if problem["keep"] is None else torch.tensor(problem["keep"])
    return Mask(problem["window"], problem["causal"], keep, problem["lengths"], problem["global_tokens"])


def sees(problem: dict[str, Any], row: int, query: int, key: int) -> bool:
    """The definition."""
    position = query + problem["n"] - problem["m"]
    if problem["window"] is not None:
        left, right = problem["window"]
        has_global = {position, key} & set(problem["global_tokens"] or [])
        if not has_global and not position - left <= key <= position + right:
            return False
    if problem["causal"] and key > position:
        return False
    if problem["lengths"] is not None:
        of_tokens = [document for document, size in enumerate(problem["lengths"][row]) for _ in range(size)]
        if of_tokens[position] != of_tokens[key]:
            return False
    return problem["keep"] is None or bool(problem["keep"][row][key])


def written_out(problem: dict[str, Any]) -> Any:
    """``(batch, m, n)`` bool."""
    rows, queries, keys = (range(problem[name]) for name in ("batch", "m", "n"))
    return torch.tensor([[[sees(problem, row, i, j) for j in keys] for i in queries] for row in rows])


def filled(found: Any, shape: tuple[int, ...]) -> Any:
    """A mask with None, which means that all is seen, and a single row written out."""
    return torch.ones(shape, dtype=torch.bool) if found is None else found.expand(shape)


@given(problem=problems())
@settings(max_examples=200, deadline=None)
def test_a_mask_equals_its_definition(problem: dict[str, Any]) -> None:
    expected = written_out(problem)
    found = mask_of(problem).allowed(problem["batch"], problem["m"], problem["n"], CPU)
    assert torch.equal(filled(found, expected.shape), expected)


@given(problem=problems(), data=st.data())
@settings(max_examples=200, deadline=None)
def test_tiles_are_parts_of_the_mask_and_nothing_is_seen_outside_of_the_key_range(
    problem: dict[str, Any], data: st.DataObject
) -> None:
    batch, m, n = (problem[name] for name in ("batch", "m", "n"))

    def span(length: int) -> slice:
        return slice(*sorted(data.draw(st.tuples(st.integers(0, length), st.integers(0, length)))))

    expected = written_out(problem)
    tiles = mask_of(problem).tiles(batch, m, n, CPU)
    rows, columns = span(m), span(n)
    part = expected[:, rows, columns]
    assert torch.equal(filled(tiles(rows, columns), part.shape), part)
    keys = tiles.key_range(rows)
    assert int(expected[:, rows].sum()) == int(expected[:, rows, keys].sum())
    sub_mask = SubMask(tiles, rows, columns)
    whole = slice(0, part.shape[1]), slice(0, part.shape[2])
    assert torch.equal(filled(sub_mask(*whole), part.shape), part)
    assert int(part.sum()) == int(part[:, :, sub_mask.key_range(whole[0])].sum())


def test_positions_and_booleans_name_the_same_global_tokens() -> None:
    flags = torch.tensor([False, True, False, True])
    expected = Mask(global_tokens=[3, 1]).globals(2, 4, CPU)
    for given_flags in (flags, flags[None], torch.stack([flags, flags])):
        found = Mask(global_tokens=given_flags).globals(2, 4, CPU)
        assert torch.equal(filled(found, (2, 4)), filled(expected, (2, 4)))
