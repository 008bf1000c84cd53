"""Multi-head checkpoints made grouped-query or multi-query ones, whose heads share keys (Ainslie et al. 2023).

Of each group of neighbouring heads the rows of the key projection that belong to its heads become their mean, and so do
those of the value projection; queries stay as they are (section 2.1). A cache then holds kv_heads / heads as much. The
paper trains on with 5 % of the steps of pre-training; without that, quality falls, and steeply: see
`ragembed.eval.bench.grouped`.

    state = grouped(model.state_dict(), heads=12, kv_heads=4)
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from ragembed.errors import SpecError

if TYPE_CHECKING:
    from torch import Tensor

PROJECTIONS = frozenset({"key", "value", "k_proj", "v_proj"})
"""What BERT and its kin, and Llama and its kin, call the projections of keys and values."""


def pool_heads(projection: Tensor, heads: int, kv_heads: int) -> Tensor:
    """A weight ``(heads * d, hidden)`` or bias ``(heads * d,)`` -> that of `kv_heads` heads, each the mean of a group.

    Group g is of the heads from g * heads / kv_heads on: those that attend with key head g. Raises `SpecError` where
    the heads do not divide.
    """
    _check(projection, heads, heads, kv_heads)
    split = projection.unflatten(0, (kv_heads, heads // kv_heads, -1))  # (kv_heads, group, d, ...)
    return split.mean(dim=1).flatten(0, 1)


def repeat_heads(projection: Tensor, kv_heads: int, heads: int) -> Tensor:
    """The way back: each head of ``(kv_heads * d, ...)`` as often as heads attend with it ``(heads * d, ...)``.

    For code that knows only as many key heads as query heads; attention by either is the same.
    """
    _check(projection, kv_heads, heads, kv_heads)
    split = projection.unflatten(0, (kv_heads, -1))
    return split.repeat_interleave(heads // kv_heads, dim=0).flatten(0, 1)


def grouped(
    state: Mapping[str, Tensor], heads: int, kv_heads: int, *, projections: Collection[str] = PROJECTIONS
) -> dict[str, Tensor]:
    """A checkpoint with `kv_heads` in place of `heads` heads of keys and values; all else is handed on as it is.

    Args:
        state: Parameters by their names, as ``encoder.layer.0.attention.self.key.weight``.
        heads: Of its keys and values.
        kv_heads: A divisor of them; 1 is multi-query attention (Shazeer 2019).
        projections: What modules that project keys and values are called: the last but one part of a name.

    Raises:
        SpecError: Heads that do not divide, or no such module.
    """
    chosen = {name for name in state if name.rpartition(".")[0].rpartition(".")[2] in projections}
    if not chosen:
        raise SpecError(
            f"none of {len(state)} parameters is of a module called {' or '.join(sorted(projections))}",
            "name the projections of keys and values",
        )
    return {
        name: pool_heads(each, heads, kv_heads) if name in chosen else each for name, each in state.items()
    }


def _check(projection: Tensor, there: int, heads: int, kv_heads: int) -> None:
    if min(heads, kv_heads) < 1 or heads % kv_heads:
        raise SpecError(f"{heads} heads cannot share {kv_heads} evenly", "give a divisor of the heads")
    if projection.ndim not in (1, 2) or len(projection) % there:
        raise SpecError(
            f"a projection of shape {tuple(projection.shape)} is not of {there} heads",
            "give a weight (heads * d, hidden) or a bias (heads * d,)",
        )
