"""Sinks, BigBird and strided attention: exact over the keys in their pattern."""

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
from ragembed.errors import SpecError  # noqa: E402

OPTIONS: dict[str, list[dict[str, Any]]] = {
    "sinks": [{}, {"count": 0}, {"count": 1, "block": 1}, {"count": 9, "block": 5}, {"block": 64}],
    "bigbird": [
        {},
        {"block": 1},
        {"block": 3, "random": 2, "seed": 7},
        {"block": 4, "near": 0, "ends": (0, 0), "random": 1},
        {"block": 7, "ends": (1, 0), "random": 0},
    ],
    "strided": [
        {},
        {"block": 1},
        {"block": 3, "stride": 2},
        {"block": 1, "kind": "fixed"},
        {"block": 2, "kind": "fixed", "stride": 4, "summary": 2},
    ],
}


def over_pattern(tensors: list[Any], seen: Any) -> Any:
    """Attention by definition in float64, over the pairs `seen` ``(batch, n, n)``."""
    query, key, value = tensors
    groups = query.shape[1] // key.shape[1]
    key, value = (each.double().repeat_interleave(groups, 1) for each in (key, value))
    logits = query.double() @ key.transpose(-1, -2) / math.sqrt(query.shape[-1])
    weights = torch.softmax(logits.masked_fill(~seen[:, None], -1e300), dim=-1)
    return (weights * seen[:, None]) @ value


@st.composite
def problems(draw: st.DrawFn) -> dict[str, Any]:
    n = draw(st.integers(0, 40))
    cuts = sorted(draw(st.lists(st.integers(0, n), max_size=4)))
    sides = st.integers(0, 12)
    return {
        "n": n,
        "batch": draw(st.integers(1, 2)),
        "groups": draw(st.sampled_from([(2, 2), (4, 2), (3, 1)])),
        "seed": draw(st.integers(0, 1000)),
        "window": draw(st.tuples(sides, sides)),
        "causal": draw(st.booleans()),
        "keep": draw(st.none() | st.sampled_from([0.0, 0.5, 0.9])),
        "lengths": draw(st.none() | st.just([b - a for a, b in zip([0, *cuts], [*cuts, n], strict=True)])),
    }


@pytest.mark.parametrize(
    ("name", "options"), [(name, options) for name, them in OPTIONS.items() for options in them]
)
@given(problem=problems())
@settings(max_examples=40, deadline=None)
def test_results_equal_the_definition_over_the_pattern(
    name: str, options: dict[str, Any], problem: dict[str, Any]
) -> None:
    """Results within 1e-5 and gradients within 1e-4."""
    random = torch.Generator().manual_seed(problem["seed"])
    (heads, kv_heads), batch, n = problem["groups"], problem["batch"], problem["n"]
    tensors = [
        torch.randn(batch, count, n, 4, generator=random, requires_grad=True)
        for count in (heads, kv_heads, kv_heads)
    ]
    keep = None if problem["keep"] is None else torch.rand(batch, n, generator=random) < problem["keep"]
    one = attention.get(name)
    asked = {each: problem[each] for each in ("window", "causal", "lengths") if each in one.honours}
    kernel: dict[str, Any] = {
        each: value for each, value in options.items() if name != "sinks" or each == "count"
    }
    seen = torch.stack(
        [
            one.pattern(n, Mask(**asked, keep=None if keep is None else keep[row : row + 1]), **kernel)  # type: ignore[attr-defined]
            for row in range(batch)
        ]
    )
    expected = over_pattern(tensors, seen)
    query, key, value = tensors
    found = one(query, key, value, Mask(**asked, keep=keep), **options)
    torch.testing.assert_close(found.double(), expected, atol=1e-5, rtol=0)
    up = torch.randn(expected.shape, generator=random, dtype=torch.float64)
    theirs = torch.autograd.grad((expected * up).sum(), tensors)
    ours = torch.autograd.grad((found.double() * up).sum(), tensors)
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, atol=1e-4, rtol=0)


def drawn(seen: Any) -> list[str]:
    return ["".join("#" if each else "." for each in row) for row in seen.tolist()]


def test_patterns_drawn_by_hand() -> None:
    sinks, strided, bigbird = (attention.get(name) for name in ("sinks", "strided", "bigbird"))
    packed = Mask(window=(1, 0), causal=True, lengths=[5, 3])
    assert drawn(sinks.pattern(8, packed, count=1)) == [  # type: ignore[attr-defined]
        "#.......", "##......", "###.....", "#.##....", "#..##...", ".....#..", ".....##.", ".....###",
    ]  # fmt: skip
    causal = Mask(causal=True)
    assert drawn(strided.pattern(8, causal, block=1, stride=3)) == [  # type: ignore[attr-defined]
        "#.......", "##......", "###.....", "####....", ".####...", "..####..", "#..####.", ".#..####",
    ]  # fmt: skip
    assert drawn(strided.pattern(8, causal, block=1, stride=3, kind="fixed")) == [  # type: ignore[attr-defined]
        "#.......", "##......", "###.....", "..##....", "..###...", "..####..", "..#..##.", "..#..###",
    ]  # fmt: skip
    assert drawn(bigbird.pattern(8, block=1, random=0)) == [  # type: ignore[attr-defined]
        "########", "###....#", "####...#", "#.###..#", "#..###.#", "#...####", "#....###", "########",
    ]  # fmt: skip


def test_random_blocks_follow_number_and_seed() -> None:
    bigbird: Any = attention.get("bigbird")
    without = bigbird.pattern(40, block=2, random=0)
    drawn_once = bigbird.pattern(40, block=2, random=3)
    more = (drawn_once & ~without).sum(1)
    assert set(more[2:-2].tolist()) == {6}
    assert torch.equal(drawn_once, bigbird.pattern(40, block=2, random=3))
    assert not torch.equal(drawn_once, bigbird.pattern(40, block=2, random=3, seed=1))
    earlier = bigbird.pattern(40, Mask(causal=True), block=2, random=1)
    assert not earlier.triu(1).any()
    assert (earlier & ~without).sum(1)[10:-2].eq(2).all()


def test_the_block_table_is_narrow() -> None:
    wide: Any = attention.get("bigbird").pattern(640, block=8)  # type: ignore[attr-defined]
    chosen = wide[::8, ::8]
    chosen[[0, -1]] = torch.eye(80, dtype=torch.bool)[[0, -1]]
    assert blocks.block_table(chosen, 640, 8).shape == (80, 8 * (3 + 2 + 3))


def test_sinks_are_the_first_keys_whatever_the_window() -> None:
    """Key 3 matters to the last query and key 4 does not."""
    torch.manual_seed(0)
    q, k, v = (torch.randn(1, 2, 300, 8) for _ in range(3))
    mask = Mask(window=(20, 0), causal=True)
    sinks = attention.get("sinks")
    before = sinks(q, k, v, mask)
    for place, matters in ((0, True), (3, True), (4, False), (279, True), (278, False)):
        moved = v.clone()
        moved[:, :, place] += 1
        assert torch.equal(before[:, :, 299], sinks(q, k, moved, mask)[:, :, 299]) is not matters, place
    none = sinks(q, k, v, mask, count=0)
    torch.testing.assert_close(none, attention.get("sliding_window")(q, k, v, mask), atol=1e-6, rtol=0)


def test_sinks_of_a_document_that_starts_at_the_end_of_a_block() -> None:
    """Its sinks lie in the next block, and are seen although they are outside of the window."""
    torch.manual_seed(0)
    tensors = [torch.randn(1, 2, 20, 4) for _ in range(3)]
    q, k, v = tensors
    mask = Mask(window=(0, 0), lengths=[9, 11])
    sinks: Any = attention.get("sinks")
    expected = over_pattern(tensors, sinks.pattern(20, mask)[None])
    torch.testing.assert_close(sinks(q, k, v, mask, block=5).double(), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", ["sinks", "longformer", "bigbird", "strided"])
def test_blocks_per_call_do_not_change_the_result(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    q, k, v = (torch.randn(2, 2, 50, 4) for _ in range(3))
    mask = Mask(window=(5, 5)) if "window" in attention.get(name).honours else Mask()
    whole = attention.get(name)(q, k, v, mask, block=8)
    for at_once in (1, 100):
        monkeypatch.setattr(blocks, "KEYS_PER_CALL", at_once)
        torch.testing.assert_close(attention.get(name)(q, k, v, mask, block=8), whole, atol=1e-6, rtol=0)


def hugging_face_layer(heads: int, b: int, drawn_blocks: int, seed: int) -> Any:
    """Its block-sparse layer with random weights, which also keeps the random blocks of its last call as ``drawn``."""
    pytest.importorskip("transformers")
    from transformers.models.big_bird.configuration_big_bird import BigBirdConfig
    from transformers.models.big_bird.modeling_big_bird import BigBirdBlockSparseAttention

    config = BigBirdConfig(
        hidden_size=8 * heads, num_attention_heads=heads, block_size=b, num_random_blocks=drawn_blocks,
        use_bias=True, attention_probs_dropout_prob=0.0,
    )  # fmt: skip
    layer: Any = BigBirdBlockSparseAttention(config, seed=seed)  # type: ignore[no-untyped-call]
    torch.manual_seed(seed)
    for each in layer.parameters():
        torch.nn.init.normal_(each, std=0.3)
    theirs = layer._bigbird_block_rand_mask_with_head

    def noted(**sizes: Any) -> Any:
        layer.drawn = theirs(**sizes)
        return layer.drawn

    layer._bigbird_block_rand_mask_with_head = noted
    return layer


def run_layer(layer: Any, hidden: Any, keep: Any, b: int) -> tuple[Any, list[Any]]:
    """The layer's result ``(batch, n, hidden)``, and the query, key and value that it projects."""
    from transformers.models.big_bird.modeling_big_bird import BigBirdModel

    blocked, near, queries, keys = BigBirdModel.create_masks_for_block_sparse_attn(keep.float(), b)
    found = layer(
        hidden, band_mask=near, from_mask=queries, to_mask=keys, from_blocked_mask=blocked,
        to_blocked_mask=blocked,
    )[0]  # fmt: skip
    tensors = [
        linear(hidden).unflatten(-1, (-1, 8)).transpose(1, 2)
        for linear in (layer.query, layer.key, layer.value)
    ]
    return found, tensors


@given(
    heads=st.sampled_from([1, 2, 4]),
    b=st.sampled_from([2, 5, 8]),
    drawn_blocks=st.integers(1, 3),
    more=st.integers(1, 12),
    padding=st.floats(0, 0.4),
    seed=st.integers(0, 1000),
)
@settings(max_examples=15, deadline=None)
def test_bigbird_equals_hugging_face(
    heads: int, b: int, drawn_blocks: int, more: int, padding: float, seed: int
) -> None:
    """In training mode, where it draws random blocks for each head, which ours gets as a table."""
    layer = hugging_face_layer(heads, b, drawn_blocks, seed).train()
    n = b * (2 * drawn_blocks + 5 + more)  # with fewer blocks it could not draw so many
    hidden = torch.randn(2, n, 8 * heads, generator=torch.Generator().manual_seed(seed))
    keep = torch.ones(2, n, dtype=torch.bool)
    keep[1, n - int(padding * n) :] = False
    with torch.no_grad():
        theirs, tensors = run_layer(layer, hidden, keep, b)
        drawn_by_them = torch.stack([torch.as_tensor(each) for each in layer.drawn])  # but for both ends
        table = torch.nn.functional.pad(drawn_by_them, (0, 0, 1, 1), value=-1)
        found = attention.get("bigbird")(*tensors, Mask(keep=keep), block=b, table=table)
    torch.testing.assert_close(found.transpose(1, 2).flatten(2)[keep], theirs[keep], atol=1e-5, rtol=0)


def test_hugging_face_bigbird_counts_block_0_repeatedly_in_evaluation() -> None:
    """Its random blocks are all block 0, which is seen anyway: as if the keys of block 0 were there 1 + 2 times.

    Checked for queries in the middle; those next to the ends also see block 0 as a neighbour.
    """
    b, n, drawn_blocks = 4, 48, 2
    layer = hugging_face_layer(1, b, drawn_blocks, 0).eval()
    hidden, keep = torch.randn(1, n, 8), torch.ones(1, n, dtype=torch.bool)
    with torch.no_grad():
        theirs, (q, k, v) = run_layer(layer, hidden, keep, b)
    assert not any(each.any() for each in layer.drawn)
    seen = attention.get("bigbird").pattern(n, block=b, random=0)  # type: ignore[attr-defined]
    often = torch.ones(n)
    often[:b] += drawn_blocks
    logits = (q @ k.transpose(-1, -2) / math.sqrt(8) + often.log()).masked_fill(~seen, -math.inf)
    middle = slice(2 * b, n - 2 * b)
    torch.testing.assert_close(
        theirs[:, middle], (torch.softmax(logits, dim=-1) @ v)[:, 0, middle], atol=1e-5, rtol=0
    )


def test_random_blocks_can_be_given_as_a_table() -> None:
    """Of 6 blocks of one token, block 1 also sees 3 and 5, block 3 sees 0 and 5, block 4 sees 4; heads may differ."""
    torch.manual_seed(0)
    q, k, v = torch.randn(1, 4, 6, 4), torch.randn(1, 2, 6, 4), torch.randn(1, 2, 6, 4)
    bigbird = attention.get("bigbird")
    options: dict[str, Any] = {"block": 1, "near": 0, "ends": (0, 0)}
    table = torch.tensor([[-1, -1], [3, 5], [-1, -1], [5, 0], [-1, 4], [-1, -1]])
    seen = torch.eye(6, dtype=torch.bool)
    seen[[1, 1, 3, 3, 4], [3, 5, 5, 0, 4]] = True
    found = bigbird(q, k, v, table=table, **options)
    torch.testing.assert_close(found.double(), over_pattern([q, k, v], seen[None]), atol=1e-5, rtol=0)
    none = torch.full_like(table, -1)
    by_head = bigbird(q, k, v, table=torch.stack([table, none, none, table]), **options)
    alone = bigbird(q, k, v, table=none, **options)
    torch.testing.assert_close(by_head[:, [0, 3]], found[:, [0, 3]], atol=1e-6, rtol=0)
    torch.testing.assert_close(by_head[:, [1, 2]], alone[:, [1, 2]], atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("name", "mask", "options", "message"),
    [
        ("sinks", Mask(), {}, "sinks got no window; give Mask"),
        ("sinks", Mask(window=(1, 1)), {"count": -1}, "count of sinks is -1; give 0 or more"),
        ("sinks", Mask(window=(1, 1)), {"block": 0}, "block is 0; give 1 or more"),
        ("longformer", Mask(), {}, "longformer got no window"),
        ("longformer", Mask(window=(1, 1)), {"global_projections": ()}, "give query, key and value"),
        ("bigbird", Mask(window=(1, 1)), {}, "bigbird cannot honour window of a mask"),
        ("bigbird", Mask(), {"block": 0}, "block is 0"),
        ("bigbird", Mask(), {"random": -1}, "random is -1; give 0 or more"),
        ("bigbird", Mask(), {"near": -1}, "give numbers from 0"),
        ("bigbird", Mask(), {"table": torch.zeros(2, 3)}, r"of shape \(2, 3\) for 1 blocks of 2 heads"),
        ("bigbird", Mask(), {"table": torch.tensor([[1]])}, "names blocks from 1 to 1; give numbers below 1"),
        ("strided", Mask(), {"kind": "dilated"}, "unknown kind 'dilated'; valid are: strided, fixed"),
        ("strided", Mask(), {"stride": 0}, "give 1 or more"),
        ("strided", Mask(), {"block": 0}, "give 1 or more"),
    ],
)
def test_invalid_options_are_refused(name: str, mask: Mask, options: dict[str, Any], message: str) -> None:
    q = torch.zeros(1, 2, 6, 4)
    with pytest.raises(SpecError, match=message):
        attention.get(name)(q, q, q, mask, **options)


@pytest.mark.parametrize("name", ["sinks", "longformer", "bigbird", "strided"])
def test_fewer_queries_than_keys_are_refused(name: str) -> None:
    q, k = torch.zeros(1, 2, 3, 4), torch.zeros(1, 2, 6, 4)
    mask = Mask(window=(1, 1)) if "window" in attention.get(name).honours else Mask()
    with pytest.raises(SpecError, match=f"{name} got 3 queries of 6 keys"):
        attention.get(name)(q, k, k, mask)
