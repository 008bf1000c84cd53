"""HyperAttention: exact in its limits, and off by no more than what it leaves out; by samples right on average."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="needs the extra encoder")

from ragembed.encoder import attention  # noqa: E402
from ragembed.encoder.attention import partial as partials  # noqa: E402
from ragembed.encoder.attention.hyper.cells import Cells  # noqa: E402
from ragembed.encoder.attention.hyper.clusters import cut, directions  # noqa: E402
from ragembed.encoder.attention.hyper.lsh import Cut, codes, order  # noqa: E402
from ragembed.encoder.attention.hyper.means import log_mean_exp  # noqa: E402
from ragembed.encoder.attention.reference import attention as reference  # noqa: E402
from ragembed.errors import SpecError  # noqa: E402
from ragembed.eval.bench.attention_problems import DRAWS  # noqa: E402
from ragembed.eval.bench.hyper import operator_errors  # noqa: E402

hyper = attention.get("hyper")
KINDS: dict[str, dict[str, Any]] = {
    "means": {},
    "sample": {"residual": "sample"},
    "control variate": {"residual": "sample", "control_variate": True},
}
kinds = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
LIMITS: dict[str, list[dict[str, Any]]] = {
    "means": [{"block": 70, "probes": 70}, {"block": 8, "probes": 70}],
    "sample": [{"block": 70, "samples": 3}, {"block": 8, "samples": 70}],
}


def tensors(
    n: int, m: int | None = None, batch: int = 2, heads: tuple[int, int] = (4, 2), seed: int = 0
) -> Any:
    random = torch.Generator().manual_seed(seed)
    shapes = [(batch, heads[0], n if m is None else m, 8), *[(batch, heads[1], n, 8)] * 2]
    return [torch.randn(shape, generator=random).requires_grad_() for shape in shapes]


@given(
    n=st.integers(1, 70),
    m=st.none() | st.integers(1, 70),
    kept=st.none() | st.sampled_from([0.0, 0.3, 0.9]),
    causal=st.booleans(),
    kind=st.sampled_from(sorted(KINDS)),
    limit=st.integers(0, 1),
    seed=st.integers(0, 99),
)
@settings(max_examples=120, deadline=None)
def test_exact_where_all_keys_are_seen(
    n: int, m: int | None, kept: float | None, causal: bool, kind: str, limit: int, seed: int
) -> None:
    """In the block, in the cells, or drawn; with gradients, over shared keys, padding, and any numbers of queries."""
    q, k, v = given = tensors(n, m, seed=seed)
    keep = None if kept is None else torch.rand(2, n, generator=torch.Generator().manual_seed(seed)) < kept
    mask = attention.Mask(causal=causal, keep=keep)
    expected, lse = reference(q, k, v, mask)
    how = KINDS[kind] | LIMITS["means" if kind == "means" else "sample"][limit]
    found = hyper(q, k, v, mask, **how, least=5, seed=seed)
    torch.testing.assert_close(found.double(), expected, atol=1e-5, rtol=0)
    assert (found[torch.isneginf(lse)] == 0).all()
    up = torch.randn(expected.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    theirs = torch.autograd.grad((expected * up).sum(), given)
    ours = torch.autograd.grad((found.double() * up).sum(), given)
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=0)


@kinds
def test_exact_below_least(kind: dict[str, Any]) -> None:
    given = tensors(60)
    how = {"block": 8, "samples": 4, "probes": 1, **kind}
    expected = attention.get("dot_product")(*given)
    assert torch.equal(hyper(*given, **how, least=61), expected)
    assert not torch.allclose(hyper(*given, **how, least=60), expected, atol=1e-2)
    assert torch.equal(hyper(*given, **how), expected)  # 4,096


@pytest.mark.parametrize("control_variate", [False, True])
@pytest.mark.parametrize("alone", [False, True])
def test_numerator_and_denominator_are_right_on_average(control_variate: bool, alone: bool) -> None:
    """Each of 20,000 heads draws for itself; the sums over keys lie within 5 standard errors of the true ones."""
    heads = 20_000
    q, k, v = (each.detach().expand(1, heads, 24, 8) for each in tensors(24, batch=1, heads=(1, 1)))
    random = torch.Generator().manual_seed(0)
    choose = Cut(8, 6, control_variate, alone, torch.randn(8, 4, generator=random), random, 1)
    blocks = choose.blocks(q, k, v, None, None)
    weights = torch.exp(blocks.query @ blocks.key.transpose(-1, -2) / math.sqrt(8) + blocks.bias)
    true = torch.exp(q[0, 0] @ k[0, 0].T / math.sqrt(8))
    sums = [(blocks.back(weights.sum(dim=-1, keepdim=True)), true.sum(dim=-1, keepdim=True))]
    if not control_variate:  # which moves the values by a mean of those drawn
        sums.append((blocks.back(weights @ blocks.value), true @ v[0, 0]))
    for found, expected in sums:
        error = found[0].std(dim=0) / math.sqrt(heads)
        assert ((found[0].mean(dim=0) - expected).abs() < 5 * error + 1e-4).all()


@pytest.mark.parametrize("name", DRAWS)
@pytest.mark.parametrize("control_variate", [False, True])
def test_the_error_falls_with_the_samples(name: str, control_variate: bool) -> None:
    """In the operator norm, relative to that of the weights and of the values.

    As 1 / sqrt(samples) where no key stands out; slower where few keys outside of the block carry most of the sum.
    """
    q, k, v = DRAWS[name](1024, 1, 64)
    errors = []
    for samples in (16, 64, 256, 1024):
        how: dict[str, Any] = {
            "block": 64,
            "samples": samples,
            "least": 1,
            "residual": "sample",
            "control_variate": control_variate,
        }
        found = [hyper(q, k, v, **how, seed=seed) for seed in range(4)]
        errors.append(sum(operator_errors(q, k, v, found)) / 4)
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 1e-5
    if name == "flat":
        assert errors[2] < 0.4 * errors[0]


@pytest.mark.parametrize("control_variate", [False, True])
def test_weights_sum_to_the_number_of_keys(control_variate: bool) -> None:
    """Whatever falls into the block: a weight of n / samples would give this on average only."""
    q, k, v = (each.detach() for each in tensors(50, heads=(2, 2)))
    keep = torch.arange(50).expand(2, 50) < torch.tensor([[50], [37]])
    random = torch.Generator().manual_seed(0)
    choose = Cut(8, 10, control_variate, False, torch.randn(8, 4, generator=random), random, 1)
    total = choose.blocks(q, k, v, keep, keep).bias.exp().sum(dim=-1)
    torch.testing.assert_close(total, torch.tensor([50.0, 50, 37, 37])[:, None, None].expand_as(total))


def test_a_constant_comes_back() -> None:
    """Weights sum to 1, whatever is drawn."""
    q, k, v = tensors(90)
    for causal, kind in itertools.product((False, True), KINDS.values()):
        how = {"block": 8, "samples": 4, "probes": 2, "least": 10, **kind}
        found = hyper(q, k, torch.ones_like(v), attention.Mask(causal=causal), **how)
        torch.testing.assert_close(found, torch.ones_like(found))


def test_values_that_are_drawn_are_centred() -> None:
    """Where all logits are equal, the mean of all values is found, and without it only that of a sample."""
    _, k, v = tensors(64)
    q = torch.zeros(2, 4, 64, 8)
    expected = attention.get("dot_product")(q, k, v)
    how: dict[str, Any] = {"block": 8, "samples": 8, "least": 1, "residual": "sample"}
    torch.testing.assert_close(hyper(q, k, v, **how, control_variate=True), expected)
    assert not torch.allclose(hyper(q, k, v, **how), expected, atol=1e-2)


@pytest.mark.parametrize("place", [1, 17, 40, 63, 99])
@kinds
def test_a_later_token_changes_nothing_before(place: int, kind: dict[str, Any]) -> None:
    """Neither by its key and value, nor by its query, which takes part in no order of earlier ones."""
    before = [each.detach() for each in tensors(100)]
    after = [each.clone() for each in before]
    for each in after:
        each[:, :, place:] = -3 * each[:, :, place:]
    how = {"block": 8, "samples": 4, "probes": 2, "least": 10, **kind}
    one, other = (hyper(q, k, v, attention.Mask(causal=True), **how) for q, k, v in (before, after))
    torch.testing.assert_close(one[:, :, :place], other[:, :, :place], atol=1e-6, rtol=0)
    assert not torch.allclose(one[:, :, place:], other[:, :, place:], atol=1e-2)


@pytest.mark.parametrize("causal", [False, True])
@kinds
def test_texts_of_a_batch_and_padding_do_not_meet(causal: bool, kind: dict[str, Any]) -> None:
    """A text alone is as in company; what stands in padding, even NaN, reaches nothing."""
    q, k, v = (each.detach() for each in tensors(75, batch=3))
    keep = torch.rand(3, 75, generator=torch.Generator().manual_seed(1)) < 0.7
    k[~keep[:, None].expand(3, 2, 75)] = v[~keep[:, None].expand(3, 2, 75)] = math.nan
    how = {"block": 8, "samples": 6, "probes": 2, "least": 10, **kind}
    together = hyper(q, k, v, attention.Mask(causal=causal, keep=keep), **how)
    assert torch.isfinite(together).all()
    for row in range(3):
        own = slice(row, row + 1)
        alone = hyper(q[own], k[own], v[own], attention.Mask(causal=causal, keep=keep[own]), **how)
        torch.testing.assert_close(alone[0], together[row], atol=1e-6, rtol=0)


@kinds
def test_a_seed_draws_the_same(kind: dict[str, Any]) -> None:
    given = tensors(60)
    how = {"block": 8, "samples": 4, "probes": 2, "least": 1, **kind}
    one, same, other = (hyper(*given, **how, seed=seed) for seed in (3, 3, 4))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_only_the_block_without_samples() -> None:
    """Queries that point as their own keys do, apart from all others: those of the block are all that counts."""
    centres = 40 * torch.eye(8)[torch.arange(64) % 8][None, None]
    v = torch.randn(1, 1, 64, 8, generator=torch.Generator().manual_seed(0))
    found = hyper(centres, centres, v, residual="sample", block=8, samples=0, least=1)
    torch.testing.assert_close(found, attention.get("dot_product")(centres, centres, v), atol=1e-4, rtol=0)


@kinds
def test_half_precision_of_blocks(kind: dict[str, Any]) -> None:
    q, k, v = (each.detach().bfloat16() for each in tensors(200))
    for causal in (False, True):
        mask = attention.Mask(causal=causal)
        found = hyper(q, k, v, mask, block=16, samples=200, probes=200, least=20, **kind)
        assert found.dtype == torch.bfloat16
        torch.testing.assert_close(found.double(), reference(q, k, v, mask)[0], atol=3e-2, rtol=0)
        how = {"block": 16, "samples": 16, "least": 20, **kind}
        assert torch.isfinite(hyper(200 * q, 200 * k, v, mask, **how)).all()


@pytest.mark.parametrize("name", DRAWS)
def test_the_error_falls_with_the_cells_that_are_seen(name: str) -> None:
    """To none where all are, and small from the start: a mean stands for the rest, not a few keys."""
    q, k, v = DRAWS[name](2048, 1, 64)
    found = [hyper(q, k, v, block=64, probes=probes, least=1) for probes in (2, 4, 8, 64)]
    errors = operator_errors(q, k, v, found)
    assert errors == sorted(errors, reverse=True)
    assert errors[1] < 0.2
    assert errors[2] < 0.1
    assert errors[3] < 1e-5
    sampled = hyper(q, k, v, residual="sample", block=256, samples=256, least=1)
    assert errors[2] < 0.5 * operator_errors(q, k, v, [sampled])[0]


def test_means_by_definition() -> None:
    """Cell by cell in float64, with gradients: of those chosen all keys, of each other its mean for all of them."""
    given = [each.detach()[0, 0].double().requires_grad_() for each in tensors(60, 7, heads=(1, 1))]
    q, k, v = given
    see = Cells(block=10, probes=2, rounds=1, seed=0, scale=0.7)
    out, lse = see.head(see.store(k, v), q)
    order, sizes = cut(directions(k.detach(), 6, 1, torch.Generator().manual_seed(0)), 20)
    cells = order.split(sizes.tolist())
    results, sums = [], []
    for query in 0.7 * q:
        logits = []
        for cell in cells:
            log_size = torch.tensor(len(cell)).double().log()
            variance = (query.square() * k[cell].var(dim=0, unbiased=False)).sum()
            logits.append(query @ k[cell].mean(dim=0) + log_size + log_mean_exp(variance, log_size))
        chosen = torch.stack(logits).topk(2).indices.tolist()
        keys = [k[cell] @ query if at in chosen else logits[at][None] for at, cell in enumerate(cells)]
        values = [v[cell] if at in chosen else v[cell].mean(dim=0)[None] for at, cell in enumerate(cells)]
        results.append(torch.cat(keys).softmax(dim=0) @ torch.cat(values))
        sums.append(torch.cat(keys).logsumexp(dim=0))
    torch.testing.assert_close(out, torch.stack(results))
    torch.testing.assert_close(lse, torch.stack(sums))
    both = [(o.square().sum() + s.sum()) for o, s in ((out, lse), (torch.stack(results), torch.stack(sums)))]
    ours, theirs = (torch.autograd.grad(loss, given) for loss in both)
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("deviation", [0.0, 0.5, 1.0, 2.0, 5.0, 20.0])
def test_the_mean_of_exponentials(deviation: float) -> None:
    """Against the median of 2,000 samples: by their variance, and where one of them is most of the sum, about."""
    numbers = deviation * torch.randn(2000, 256, generator=torch.Generator().manual_seed(0))
    true = (numbers.logsumexp(dim=1) - math.log(256)).median()
    found = log_mean_exp(torch.tensor(deviation**2), torch.tensor(256.0).log())
    assert float(found) == pytest.approx(float(true), abs=0.05 + 0.55 * deviation)


def test_cells_are_cut_where_they_are_large() -> None:
    """In equal parts, and none is empty."""
    order, sizes = cut(torch.tensor([2, 0, 2, 2, 2, 2, 2, 2, 0, 4]), 3)
    assert order.tolist() == [1, 8, 0, 2, 3, 4, 5, 6, 7, 9]
    assert sizes.tolist() == [2, 2, 2, 3, 1]


def test_keys_that_are_all_the_same() -> None:
    """One cell of n keys would cost n for each query; the mean of each part is as good as its keys."""
    q, k, v = (each.detach() for each in tensors(100))
    k = k[:, :, :1].expand_as(k)
    expected = attention.get("dot_product")(q, k, v)
    torch.testing.assert_close(hyper(q, k, v, block=8, probes=2, least=1), expected)


def test_what_all_keys_share_changes_nothing() -> None:
    """Neither a softmax nor the cells."""
    q, k, v = (each.detach() for each in tensors(100))
    one, other = (hyper(q, each, v, block=8, probes=2, least=1) for each in (k, k + 3))
    torch.testing.assert_close(one, other, atol=1e-4, rtol=0)


def test_neighbouring_buckets_differ_by_one_side() -> None:
    """All corners of a cube, one in each bucket: in order, each is a step from the next."""
    corners = torch.cartesian_prod(*[torch.tensor([-1.0, 1.0])] * 4)
    assert sorted(codes(corners, torch.eye(4)).tolist()) == list(range(16))
    way = corners[order(corners[None], torch.eye(4))[0]]
    assert ((way[1:] != way[:-1]).sum(dim=1) == 1).all()


def test_padding_comes_evenly_between() -> None:
    vectors = torch.randn(1, 12, 4, generator=torch.Generator().manual_seed(0))
    there = torch.arange(12)[None] < 8
    found = there.gather(1, order(vectors, torch.eye(4), there))[0]
    assert [int(each.sum()) for each in found.split(3)] == [2, 2, 2, 2]


@pytest.mark.parametrize("causal", [False, True])
def test_parts_have_the_gradient_of_their_lse(causal: bool) -> None:
    """The fused kernel and the definition agree in result, lse and gradients, dead rows and wider values included."""
    random = torch.Generator().manual_seed(0)
    q, k = (torch.randn(2, 3, 9, 4, generator=random).requires_grad_() for _ in range(2))
    v = torch.randn(2, 3, 9, 6, generator=random).requires_grad_()
    bias = torch.randn(2, 3, 1, 9, generator=random)
    bias[0, 0, :, :4] = bias[1, 2] = -math.inf
    results = []
    for attend in (partials.partial, partials.by_definition):
        part = attend(q, k, v, bias, causal=causal, scale=0.7)
        own = partials.partial(q, k, v, None, causal=False, scale=0.3)
        out, lse = partials.merge(part, own)
        loss = (out * torch.arange(6)).sum() + lse.sin().sum()
        results.append([*part, *torch.autograd.grad(loss, [q, k, v])])
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other, atol=2e-5, rtol=1e-5)
    assert (results[0][1][1, 2] == partials.DEAD).all()
    assert (results[0][0][1, 2] == 0).all()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"block": 0}, "block is 0; give 1 or more"),
        ({"samples": -1}, "samples is -1; give 0 or more"),
        ({"projections": 0}, "projections is 0; give 1 or more"),
        ({"probes": 0}, "probes is 0; give 1 or more"),
        ({"rounds": -1}, "rounds is -1; give 0 or more"),
        ({"residual": "mean"}, "residual is 'mean'; give 'means' or 'sample'"),
    ],
)
def test_options_that_make_no_sense(options: Any, told: str) -> None:
    with pytest.raises(SpecError, match=told):
        hyper(*tensors(5), **options)
