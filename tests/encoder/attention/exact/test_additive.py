"""Additive attention against its definition and against published values."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs the extra encoder")

from ragembed.encoder import attention  # noqa: E402
from ragembed.errors import SpecError  # noqa: E402

ATTEND = attention.get("additive")


@pytest.fixture
def published(shared_fixtures: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((shared_fixtures / "inline_vectors.json").read_text(encoding="utf-8"))
    return found


def plain(q: Any, k: Any, v: Any, mask: Any, w: Any, u: Any, weight: Any) -> Any:
    """The definition in float64, with all scores in memory."""
    q, k, v, w, u, weight = (each.double() for each in (q, k, v, w, u, weight))
    groups = q.shape[1] // k.shape[1]
    asks, seen = q @ w, (k @ u).repeat_interleave(groups, 1)
    scores = (torch.tanh(asks[:, :, :, None] + seen[:, :, None]) * weight[..., None, None, :]).sum(-1)
    allowed = mask.allowed(len(q), q.shape[2], k.shape[2], q.device)
    weights = scores.exp() * (1 if allowed is None else allowed[:, None])
    total = weights.sum(-1, keepdim=True)
    return weights / total.masked_fill(total == 0, 1) @ v.repeat_interleave(groups, 1)


MASKS = [
    {},
    {"causal": True},
    {"window": (3, 1)},
    {"window": (1, 1), "global_tokens": [4]},
    {"lengths": [5, 0, 8]},
    {"keep": True, "causal": True, "lengths": [6, 7], "window": (4, 4)},
]


@pytest.mark.parametrize("asked", MASKS)
@pytest.mark.parametrize("chunk", [None, 1, 5, 64])
@pytest.mark.parametrize("per_head", [False, True])
def test_it_equals_its_definition(asked: dict[str, Any], chunk: int | None, per_head: bool) -> None:
    """Results and gradients, also of the parameters, whatever the chunk."""
    torch.manual_seed(0)
    shapes: list[tuple[int, ...]] = [(2, 4, 13, 6), (2, 2, 13, 6), (2, 2, 13, 3)]
    shapes += [(4, 6, 5), (2, 6, 5), (4, 5)] if per_head else [(6, 5), (6, 5), (5,)]
    tensors = [torch.randn(shape).requires_grad_() for shape in shapes]
    q, k, v, w, u, weight = tensors
    if asked.get("keep"):
        asked = asked | {"keep": torch.rand(2, 13) < 0.5}
    mask = attention.Mask(**asked)
    found = ATTEND(q, k, v, mask, w=w, u=u, v=weight, chunk=chunk)
    expected = plain(q, k, v, mask, w, u, weight)
    torch.testing.assert_close(found.double(), expected, atol=1e-5, rtol=0)
    up = torch.randn(expected.shape, dtype=torch.float64)
    ours = torch.autograd.grad((found.double() * up).sum(), tensors)
    theirs = torch.autograd.grad((expected * up).sum(), tensors)
    for our, their in zip(ours, theirs, strict=True):
        torch.testing.assert_close(our, their, atol=1e-4, rtol=0)


def test_published_values_of_keras(published: dict[str, Any]) -> None:
    case = published["keras_additive_attention"]
    q, k, v, expected = (torch.tensor([case[name]]).float() for name in ("query", "key", "value", "output"))
    torch.testing.assert_close(ATTEND(q, k, v), expected, atol=case["atol"], rtol=0)
    nothing = attention.Mask(keep=torch.zeros(1, 2, dtype=torch.bool))
    assert ATTEND(q, k, v, nothing)[0, 0, 0].tolist() == case["fully_masked_query_row_output"]


def test_published_values_of_allennlp(published: dict[str, Any]) -> None:
    """Scores are recovered as logarithms of the weights; its queries of two dimensions are padded with a 0."""
    case = published["allennlp_additive_attention"]
    q = torch.nn.functional.pad(torch.tensor(case["vectors"]), (0, 1))[:, None, None]
    w = torch.nn.functional.pad(torch.tensor(case["W"]), (0, 0, 0, 1))
    k, expected = torch.tensor(case["matrices"])[:, None], torch.tensor(case["expected"])
    values = torch.eye(4).expand(2, 1, 4, 4)
    weights = ATTEND(q, k, values, w=w, u=torch.tensor(case["U"]), v=torch.tensor(case["v"])[:, 0])
    torch.testing.assert_close(weights[:, 0, 0], expected.softmax(-1), atol=1e-6, rtol=0)
    logs = weights[:, 0, 0].log()
    torch.testing.assert_close(logs - logs[:, :1], expected - expected[:, :1], atol=1e-5, rtol=0)


def test_neither_forward_nor_backward_holds_all_scores() -> None:
    """All values of tanh take 64 MiB; a chunk takes at most 16 MiB, and all that is saved for backward takes less."""
    q, k, v = (torch.randn(1, 1, 512, 64, requires_grad=True) for _ in range(3))
    kept: list[int] = []

    def saved(each: Any) -> Any:
        kept.append(each.numel())
        return each

    with torch.autograd.graph.saved_tensors_hooks(saved, lambda each: each):
        found = ATTEND(q, k, v)
    assert max(kept, default=0) <= 2**22
    assert sum(kept) < 2**22
    found.sum().backward()
    assert q.grad is not None
    assert torch.isfinite(q.grad).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"w": (3, 2)}, r"w has the shape \(3, 2\); give \(4, a\) or \(2, 4, a\)"),
        ({"u": (3, 4, 2)}, r"u has the shape \(3, 4, 2\); give \(4, a\) or \(2, 4, a\)"),
        ({"w": (4, 2)}, "w gives 2 dimensions, u gives 4"),
        ({"v": (3,)}, r"v has the shape \(3,\); give \(4,\) or \(2, 4\)"),
    ],
)
def test_mismatched_parameters_are_refused(options: dict[str, tuple[int, ...]], message: str) -> None:
    q = torch.zeros(1, 2, 5, 4)
    with pytest.raises(SpecError, match=message):
        ATTEND(q, q, q, **{name: torch.zeros(shape) for name, shape in options.items()})
    with pytest.raises(SpecError, match="chunk is 0"):
        ATTEND(q, q, q, chunk=0)
