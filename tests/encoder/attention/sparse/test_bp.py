"""BP-Transformer's attention against a walk through the tree for one query at a time, in float64."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="needs the extra encoder")

from ragembed.encoder import attention  # noqa: E402
from ragembed.encoder.attention import Mask  # noqa: E402
from ragembed.encoder.attention.sparse import blocks  # noqa: E402
from ragembed.encoder.attention.sparse.span_tree import SpanTree, gap  # noqa: E402
from ragembed.errors import SpecError  # noqa: E402

bp: Any = attention.get("bp")
Span = tuple[int, int]
"""The first token and the one after the last, which may lie beyond the end of the document."""


def walk(at: int, n: int, k: int, *, causal: bool = False) -> list[Span]:
    """What the query at index `at` of n sees, going outwards: at each level the next k spans to each side."""
    found = [(at, at + 1)]
    size, edge = 1, at  # to the left: all tokens from `edge` on are seen
    while edge > 0:
        for _ in range(k):
            # half of a span comes first if the other half is seen already
            width = size // 2 if edge % size else size
            found.append((edge - width, edge))
            edge -= width
            if edge <= 0:
                break
        size *= 2
    size, edge = 1, at + 1
    while edge < n and not causal:
        for _ in range(k):
            width = size // 2 if edge % size else size
            found.append((edge, edge + width))
            edge += width
            if edge >= n:
                break
        size *= 2
    return found


def slowly(
    tensors: list[Any], keep: Any, lengths: list[int], k: int, *, causal: bool = False, weigh: bool = False
) -> Any:
    """``(batch, heads, n, e)`` in float64: softmax over means of the spans of `walk`."""
    query, key, value = (each.double() for each in tensors)
    groups = query.shape[1] // key.shape[1]
    key, value = (each.repeat_interleave(groups, 1) for each in (key, value))
    rows = []
    for row, kept in enumerate(keep.tolist()):
        columns, start = [], 0
        for length in lengths:
            for at in range(length):
                spans = [
                    [start + place for place in range(first, min(last, length)) if kept[start + place]]
                    for first, last in walk(at, length, k, causal=causal)
                ]
                seen = [span for span in spans if span]
                if not seen:
                    columns.append(torch.zeros_like(value[row, :, 0]))
                    continue
                keys, values = (
                    torch.stack([each[row][:, span].mean(1) for span in seen], 1) for each in (key, value)
                )
                logits = (keys @ query[row, :, start + at, :, None])[..., 0] / math.sqrt(query.shape[-1])
                if weigh:
                    logits = logits + torch.tensor([len(span) for span in seen]).double().log()
                columns.append((torch.softmax(logits, dim=1)[:, None] @ values)[:, 0])
            start += length
        rows.append(torch.stack(columns, 1) if columns else value[row, :, :0].repeat(groups, 1, 1))
    return torch.stack(rows)


@st.composite
def problems(draw: st.DrawFn) -> dict[str, Any]:
    n = draw(st.integers(1, 60))
    cuts = sorted(draw(st.lists(st.integers(0, n), max_size=3)))
    return {
        "n": n,
        "batch": draw(st.integers(1, 2)),
        "groups": draw(st.sampled_from([(2, 2), (4, 2), (3, 1)])),
        "seed": draw(st.integers(0, 1000)),
        "causal": draw(st.booleans()),
        "keep": draw(st.none() | st.sampled_from([0.0, 0.5, 0.9])),
        "lengths": draw(st.none() | st.just([b - a for a, b in zip([0, *cuts], [*cuts, n], strict=True)])),
        "options": draw(
            st.fixed_dictionaries(
                {"k": st.integers(1, 6) | st.just(32), "weigh": st.booleans()},
                optional={"block": st.integers(1, 70)},
            )
        ),
    }


def made(problem: dict[str, Any]) -> tuple[list[Any], Any, Any]:
    """Query, key and value; the mask; and what is kept."""
    random = torch.Generator().manual_seed(problem["seed"])
    (heads, kv_heads), batch, n = problem["groups"], problem["batch"], problem["n"]
    tensors = [
        torch.randn(batch, count, n, 4, generator=random, requires_grad=True)
        for count in (heads, kv_heads, kv_heads)
    ]
    share = 1.0 if problem["keep"] is None else problem["keep"]
    keep = torch.rand(batch, n, generator=random) < share
    mask = Mask(
        causal=problem["causal"], keep=None if problem["keep"] is None else keep, lengths=problem["lengths"]
    )
    return tensors, mask, keep


@given(problem=problems())
@settings(max_examples=80, deadline=None)
def test_it_equals_the_walk_through_the_tree(problem: dict[str, Any]) -> None:
    """Results within 1e-5 and gradients within 1e-4."""
    tensors, mask, keep = made(problem)
    options = problem["options"]
    expected = slowly(
        tensors, keep, problem["lengths"] or [problem["n"]], options["k"],
        causal=problem["causal"], weigh=options["weigh"],
    )  # fmt: skip
    found = bp(*tensors, mask, **options)
    torch.testing.assert_close(found.double(), expected, atol=1e-5, rtol=0)
    up = torch.randn(expected.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    linked = [0 * each.sum() for each in tensors]  # queries that see nothing are not in the graph
    theirs = torch.autograd.grad((expected * up).sum() + sum(linked), tensors)
    ours = torch.autograd.grad((found.double() * up).sum(), tensors)
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, atol=1e-4, rtol=0)


@given(n=st.integers(1, 200), k=st.integers(1, 9), causal=st.booleans())
@settings(max_examples=60, deadline=None)
def test_the_pattern_equals_the_walk_and_has_each_token_once(n: int, k: int, causal: bool) -> None:
    sizes = bp.pattern(n, Mask(causal=causal), k=k)
    for at in range(n):
        expected = torch.zeros(n, dtype=torch.int64)
        for first, last in walk(at, n, k, causal=causal):
            expected[first:last] += last - first
        assert sizes[at].tolist() == expected.tolist()
    assert (sizes > 0).sum() == (n * (n + 1) // 2 if causal else n * n)


def drawn(sizes: Any) -> list[str]:
    return ["".join(".12?4???8"[each] for each in row) for row in sizes.tolist()]


def test_patterns_drawn_by_hand() -> None:
    """Each token of a document is seen as a token (1), or in a span of two, four or eight."""
    assert drawn(bp.pattern(16, k=1)) == [
        "1122444488888888",
        "1111444488888888",
        "1111222288888888",
        "2211112288888888",
        "2211112244444444",
        "2222111144444444",
        "4444111122224444",
        "4444221111224444",
        "4444221111224444",
        "4444222211114444",
        "4444444411112222",
        "4444444422111122",
        "8888888822111122",
        "8888888822221111",
        "8888888844441111",
        "8888888844442211",
    ]
    packed = Mask(causal=True, lengths=[7, 4], keep=torch.tensor([[True] * 10 + [False]]))
    assert drawn(bp.pattern(11, packed, k=1)) == [
        "1..........",
        "11.........",
        "111........",
        "2211.......",
        "22111......",
        "222211.....",
        "4444111....",
        ".......1...",
        ".......11..",
        ".......111.",
        ".......221.",
    ]


def test_k_as_large_as_the_text_is_exact() -> None:
    torch.manual_seed(0)
    q, k, v = torch.randn(2, 4, 50, 8), torch.randn(2, 2, 50, 8), torch.randn(2, 2, 50, 8)
    keep = torch.rand(2, 50) < 0.8
    for mask in (Mask(), Mask(causal=True), Mask(keep=keep), Mask(lengths=[20, 0, 30])):
        expected = attention.get("dot_product")(q, k, v, mask)
        for options in ({"k": 50}, {"k": 49, "block": 7}, {"k": 1000}, {"k": 50, "weigh": True}):
            torch.testing.assert_close(bp(q, k, v, mask, **options), expected, atol=1e-6, rtol=0)


def test_weighed_spans_of_equal_keys_are_exact() -> None:
    """Keys are equal in runs of 8, so that a weighed span of up to 8 stands exactly for its tokens."""
    torch.manual_seed(0)
    q, v = torch.randn(1, 2, 64, 4), torch.randn(1, 2, 64, 4)
    k = torch.randn(1, 2, 8, 4).repeat_interleave(8, dim=2)
    expected = attention.get("dot_product")(q, k, v)
    assert int(bp.pattern(64, k=4).max()) == 8
    torch.testing.assert_close(bp(q, k, v, k=4, weigh=True), expected, atol=1e-6, rtol=0)
    assert (bp(q, k, v, k=4) - expected).abs().max() > 0.1


def test_the_error_falls_as_k_grows() -> None:
    torch.manual_seed(0)
    q, k, v = (torch.randn(1, 2, 512, 16) for _ in range(3))
    exact = attention.get("dot_product")(q, k, v)
    errors = [float((bp(q, k, v, k=each, weigh=True) - exact).norm()) for each in (4, 16, 64, 256)]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < errors[0] / 2


def test_causal_ignores_later_tokens() -> None:
    torch.manual_seed(0)
    q, k, v = (torch.randn(1, 2, 100, 4) for _ in range(3))
    before = bp(q, k, v, Mask(causal=True), k=3)
    for place in (0, 41, 99):
        moved = v.clone()
        moved[:, :, place] += 1
        after = bp(q, k, moved, Mask(causal=True), k=3)
        changed = (before != after).any(dim=3)[0].any(dim=0)
        assert changed.nonzero()[:, 0].tolist() == list(range(place, 100))


def test_padding_at_the_end_changes_nothing() -> None:
    torch.manual_seed(0)
    q, k, v = (torch.randn(1, 2, 70, 4) for _ in range(3))
    keep = (torch.arange(70) < 45)[None]
    found = bp(q, k, v, Mask(keep=keep), k=2)[:, :, :45]
    alone = bp(*(each[:, :, :45] for each in (q, k, v)), k=2)
    torch.testing.assert_close(found, alone, atol=1e-6, rtol=0)


@pytest.mark.parametrize("level", range(1, 8))
def test_a_span_is_seen_whole_from_its_gap_on(level: int) -> None:
    """At the exact gap it is seen whole, one token nearer it is not."""
    k, size = 5, 2**level
    n = 4 * gap(level + 1, k)
    span = (gap(level, k) // size + 2) * size
    seen = [span, span + size] in [list(each) for each in walk(span - 1 - gap(level, k), n, k)]
    nearer = [span, span + size] in [list(each) for each in walk(span - gap(level, k), n, k)]
    assert (seen, nearer) == (True, False)


def test_a_query_sees_k_log_n_keys() -> None:
    """Of 16,384 tokens at most 2 x 32 on each of 9 levels; and the table of a block is less than twice as wide."""
    seen = [len(walk(at, 16384, 32)) for at in range(0, 16384, 1000)]
    assert max(seen) <= 2 * 32 * 9
    tree = SpanTree(16384, 32, 32, False, torch.device("cpu"))
    assert tree._layout.table.shape[1] < 2 * (2 * 32 * 9)


def test_blocks_per_call_do_not_change_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    q, k, v = (torch.randn(2, 2, 90, 4) for _ in range(3))
    whole = bp(q, k, v, k=3, block=8)
    for at_once in (1, 100):
        monkeypatch.setattr(blocks, "KEYS_PER_CALL", at_once)
        torch.testing.assert_close(bp(q, k, v, k=3, block=8), whole, atol=1e-6, rtol=0)


def test_float64_keeps_its_precision() -> None:
    torch.manual_seed(0)
    tensors = [torch.randn(1, 2, 50, 4, dtype=torch.float64) for _ in range(3)]
    keep = torch.rand(1, 50) < 0.6
    found = bp(*tensors, Mask(keep=keep), k=2, weigh=True)
    torch.testing.assert_close(found, slowly(tensors, keep, [50], 2, weigh=True), atol=1e-12, rtol=0)


def test_half_precision_means_do_not_overflow() -> None:
    """Sums of 4,096 tokens would overflow."""
    v = torch.full((1, 1, 4096, 4), 60000.0, dtype=torch.float16)
    q = torch.zeros_like(v)
    torch.testing.assert_close(bp(q, q, v, k=4), v, rtol=1e-3, atol=0)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"k": 0}, "k is 0; give 1 or more"), ({"block": 0}, "block is 0; give 1 or more")],
)
def test_invalid_options_are_refused(options: dict[str, Any], message: str) -> None:
    q = torch.zeros(1, 2, 6, 4)
    with pytest.raises(SpecError, match=message):
        bp(q, q, q, **options)


def test_fewer_queries_than_keys_are_refused() -> None:
    q, k = torch.zeros(1, 2, 3, 4), torch.zeros(1, 2, 6, 4)
    with pytest.raises(SpecError, match="bp got 3 queries of 6 keys"):
        bp(q, k, k)
