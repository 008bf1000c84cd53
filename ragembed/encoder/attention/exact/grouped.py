"""Conversion of multi-head checkpoints to grouped-query or multi-query attention (Ainslie et al. 2023).

The heads of a group, which are neighbours, get one key head and one value head, whose projections are the means of the
heads' own (section 2.1); queries stay as they are. A KV cache shrinks to kv_heads / heads. The paper then continues
training for 5 % of the pre-training steps (uptraining); without that, quality falls steeply, as
`ragembed.eval.bench.grouped` measures.

    state = grouped(model.state_dict(), heads=12, kv_heads=4)
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from ragembed.errors import SpecError

if TYPE_CHECKING:
    from torch import Tensor

PROJECTIONS = frozenset({"key", "value", "k_proj", "v_proj"})
"""Names of the key and value projections in models like BERT and in models like Llama."""


def pool_heads(projection: Tensor, heads: int, kv_heads: int) -> Tensor:
    """A weight ``(heads * d, hidden)`` or bias ``(heads * d,)`` -> that of `kv_heads` heads, each the mean of a group.

    Group g is the heads / kv_heads heads from g * heads / kv_heads on, which attend with key head g. Raises `SpecError`
    if the heads do not divide evenly.
    """
    _check(projection, heads, heads, kv_heads)
    split = projection.unflatten(0, (kv_heads, heads // kv_heads, -1))  # (kv_heads, group, d, ...)
    return split.mean(dim=1).flatten(0, 1)


def repeat_heads(projection: Tensor, kv_heads: int, heads: int) -> Tensor:
    """A projection ``(kv_heads * d, ...)`` with each head repeated for the heads of its group ``(heads * d, ...)``.

    For code that needs as many key heads as query heads; attention gives the same result with either.
    """
    _check(projection, kv_heads, heads, kv_heads)
    split = projection.unflatten(0, (kv_heads, -1))
    return split.repeat_interleave(heads // kv_heads, dim=0).flatten(0, 1)


def grouped(
    state: Mapping[str, Tensor], heads: int, kv_heads: int, *, projections: Collection[str] = PROJECTIONS
) -> dict[str, Tensor]:
    """A checkpoint with `kv_heads` heads of keys and values in place of `heads`; all else is unchanged.

    Args:
        state: Parameters by name, such as ``encoder.layer.0.attention.self.key.weight``.
        heads: Heads of keys and values in `state`.
        kv_heads: A divisor of `heads`; 1 makes multi-query attention (Shazeer 2019).
        projections: Names of the modules that project keys and values: the last but one part of a parameter's name.

    Raises:
        SpecError: The heads do not divide evenly, or there is no such module.
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
