"""The masks of docs/attention.md as they are drawn: from patterns, masks and weights of the code itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ragembed.encoder import attention

if TYPE_CHECKING:
    from torch import Tensor

# Okabe and Ito's colours, which people of every colour vision tell apart.
BLACK, ORANGE, SKY, GREEN, BLUE, RED, PURPLE = (
    "#000000", "#E69F00", "#56B4E9", "#009E73", "#0072B2", "#D55E00", "#CC79A7",
)  # fmt: skip
GREY = "#8A8A8A"
SPANS = (BLUE, SKY, GREEN, ORANGE, PURPLE, GREY)
TOKENS = 64
Mask = attention.Mask


@dataclass(frozen=True)
class Panel:
    """One mask: layers ``(TOKENS, TOKENS)`` in their colours, of which the first that holds is seen."""

    title: str
    below: str
    names: tuple[str, ...]
    """Mechanisms of which it is the mask."""
    layers: Callable[[], list[tuple[str, Tensor]]] = field(repr=False)


def allowed(**conditions: Any) -> Tensor:
    """A mask's conditions over one row."""
    import torch

    seen = Mask(**conditions).allowed(1, TOKENS, TOKENS, torch.device("cpu"))
    return torch.ones(TOKENS, TOKENS, dtype=torch.bool) if seen is None else seen[0]


def pattern(name: str, mask: Mask | None = None, **options: Any) -> Tensor:
    """Which key each query of a mechanism sees."""
    mechanism: Any = attention.get(name)
    found: Tensor = mechanism.pattern(TOKENS, mask, **options)
    return found


def _padded() -> list[tuple[str, Tensor]]:
    import torch

    keep = torch.arange(TOKENS)[None] < 58
    return [(BLUE, allowed(lengths=[26, 10, 28], keep=keep))]


def _longformer() -> list[tuple[str, Tensor]]:
    near = pattern("longformer", Mask(window=(6, 6)))
    return [(BLUE, near), (ORANGE, pattern("longformer", Mask(window=(6, 6), global_tokens=[0, 1, 40])))]


def _dilated() -> list[tuple[str, Tensor]]:
    import torch

    same = torch.zeros(1, 1, TOKENS, 8)
    banded = attention.get("sliding_window")
    weights = banded(same, same, torch.eye(TOKENS)[None, None], Mask(window=(4, 4)), dilation=3)
    return [(BLUE, weights[0, 0] > 0)]


def _sinks() -> list[tuple[str, Tensor]]:
    mask = Mask(window=(11, 0), causal=True)
    return [(BLUE, pattern("sinks", mask, count=0)), (ORANGE, pattern("sinks", mask, count=4))]


def _bigbird() -> list[tuple[str, Tensor]]:
    near = pattern("bigbird", block=4, ends=(0, 0), random=0)
    ends = pattern("bigbird", block=4, random=0)
    return [(BLUE, near), (ORANGE, ends), (GREEN, pattern("bigbird", block=4, random=2))]


def _strided(kind: str) -> list[tuple[str, Tensor]]:
    whole = pattern("strided", kind=kind, block=2, stride=6)
    near = allowed(window=(13, 13)) if kind == "strided" else allowed(lengths=[12] * 5 + [4])
    return [(BLUE, whole & near), (ORANGE, whole)]


def _bp() -> list[tuple[str, Tensor]]:
    sizes = pattern("bp", k=4)
    return [(colour, sizes == size) for colour, size in zip(SPANS, sizes.unique(), strict=False)]


def weights(name: str, sections: Sequence[int], **options: Any) -> Tensor:
    """What each query weighs each key with, for tokens on the topics of their sections: attention to one-hot values."""
    import torch

    random = torch.Generator().manual_seed(3)
    topics = 4 * torch.randn(max(sections) + 1, 16, generator=random)
    of_tokens = torch.tensor(sections).repeat_interleave(TOKENS // len(sections))
    q, k = (topics[of_tokens] + 0.3 * torch.randn(TOKENS, 16, generator=random) for _ in range(2))
    found: Tensor = attention.get(name)(
        q[None, None], k[None, None], torch.eye(TOKENS)[None, None], **options
    )
    return found[0, 0]


def _hyper() -> list[tuple[str, Tensor]]:
    how = {"residual": "sample", "block": 16, "least": 1, "projections": 5}
    sections = [0, 1, 2, 0, 3, 1, 3, 2]
    own, with_samples = (weights("hyper", sections, samples=count, **how) > 0 for count in (0, 6))
    return [(BLUE, own), (GREEN, with_samples)]


def _processes(layout: str) -> list[tuple[str, Tensor]]:
    import torch

    from ragembed.encoder.attention.distributed.shards import stretches

    found = []
    for rank, colour in enumerate((BLUE, ORANGE, GREEN, PURPLE)):
        own = torch.zeros(TOKENS, 1, dtype=torch.bool)
        for places in stretches(rank, 4, TOKENS, layout):
            own[places] = True
        found.append((colour, allowed(causal=True) & own))
    return found


EXACT = ("dot_product", "flash1", "flash2", "additive", "linear", "performer")
PANELS = [
    Panel("all", "no condition", (*EXACT, "linformer", "ulysses"),
          lambda: [(BLUE, allowed())]),
    Panel("causal", "nothing to the right", EXACT, lambda: [(BLUE, allowed(causal=True))]),
    Panel("packed documents", "three, and padding", EXACT, _padded),
    Panel("sliding_window", "window=(6, 6)", ("sliding_window",), lambda: [(BLUE, allowed(window=(6, 6)))]),
    Panel("sliding_window, dilated", "window=(4, 4), dilation=3", ("sliding_window",), _dilated),
    Panel("longformer", "tokens 0, 1 and 40 global", ("longformer",), _longformer),
    Panel("sinks", "4 tokens, window=(11, 0)", ("sinks",), _sinks),
    Panel("bigbird", "near, ends, 2 drawn", ("bigbird",), _bigbird),
    Panel("strided", "near, every 6th block", ("strided",), lambda: _strided("strided")),
    Panel('strided, "fixed"', "its stretch, all ends", ("strided",), lambda: _strided("fixed")),
    Panel("bp", "alone, spans of 2, 4, 8", ("bp",), _bp),
    Panel("hyper", 'residual="sample": bucket, sample', ("hyper",), _hyper),
    Panel("ring, contiguous", "and burst: 4 processes", ("ring", "burst"),
          lambda: _processes("contiguous")),
    Panel("ring, zigzag", "all have as much to do", ("ring", "burst"), lambda: _processes("zigzag")),
]  # fmt: skip
"""All masks that there are to be seen."""
MEANINGS = (
    (BLUE, "near, or its own"),
    (ORANGE, "seen by all, or far"),
    (GREEN, "drawn"),
)
