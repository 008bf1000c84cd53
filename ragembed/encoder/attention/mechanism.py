"""The base class of attention mechanisms, and the checks of their arguments."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

from ragembed.encoder.attention.kernels import fused
from ragembed.encoder.attention.mask import Mask
from ragembed.encoder.attention.options import check as check_options
from ragembed.encoder.attention.options import parameters_of
from ragembed.errors import SpecError

if TYPE_CHECKING:
    from torch import Tensor


class Mechanism(ABC):
    """One way to compute attention. Calling an instance checks the arguments, then runs `attend`."""

    name: ClassVar[str]
    exact: ClassVar[bool]
    """Whether the result equals that of `ragembed.encoder.attention.reference`, up to rounding."""
    definition: ClassVar[str] = "softmax(Q Kᵀ / sqrt(d)) V"
    """The formula that it computes; for an approximation, the one that it estimates."""
    honours: ClassVar[frozenset[str]]
    """The conditions of a `Mask` that it supports; it refuses a mask with any other."""
    paper: ClassVar[str]
    time: ClassVar[str]
    """Multiplications for each head, in n (length), d (head dimension), w (window)..."""
    memory: ClassVar[str]
    """Numbers held for each head, beyond inputs and result."""
    advice: ClassVar[str]
    """When to use it."""
    sharded: ClassVar[bool] = False
    """Whether each process passes its own shard of longer texts, in which case `attend` checks the mask."""

    def __call__(
        self, query: Tensor, key: Tensor, value: Tensor, mask: Mask | None = None, **options: Any
    ) -> Tensor:
        """Attention of `query` ``(batch, heads, m, d)`` over `key` and `value`; the result has the query's shape.

        `key` and `value` ``(batch, kv_heads, n, d)`` may have fewer heads (GQA), a divisor of the query's: query head h
        attends with key head h // (heads / kv_heads). A query that sees no key gets 0. Raises `SpecError` for shapes
        that do not fit, a mask that it cannot honour, and options that it does not have.
        """
        mask = Mask() if mask is None else mask
        if not isinstance(mask, Mask):
            raise SpecError(f"the mask is a {type(mask).__name__}", "give attention.Mask(...)")
        check_tensors(query, key, value)
        if refused := [name for name in mask.asks if name not in self.honours]:
            can = ", ".join(sorted(self.honours)) or "no condition at all"
            raise SpecError(f"{self.name} cannot honour {refused[0]} of a mask", f"it can honour: {can}")
        parameters = parameters_of(type(self).attend)
        known = list(parameters)[5:]  # behind self, query, key, value and mask
        if strange := [name for name in options if name not in known]:
            raise SpecError(
                f"{self.name} has no option {strange[0]!r}", f"valid are: {', '.join(known) or 'none'}"
            )
        check_options(options, parameters)
        if not self.sharded:
            mask.check(query.shape[0], query.shape[2], key.shape[2])
            if 0 in (query.shape[0], query.shape[2]):  # nothing to compute, but gradients have their shapes
                return fused(query, key, value)
        return self.attend(query, key, value, mask, **options)

    @abstractmethod
    def attend(self, query: Tensor, key: Tensor, value: Tensor, mask: Mask) -> Tensor:
        """As `__call__`, with checked arguments; subclasses add options as keywords.

        Batch and m are 1 or more, unless the mechanism is `sharded`.
        """


def check_tensors(query: Tensor, key: Tensor, value: Tensor) -> None:
    """Raise `SpecError` unless shapes, types and devices of the three fit one another."""
    import torch

    if strange := [each for each in (query, key, value) if not isinstance(each, torch.Tensor)]:
        raise SpecError(f"of query, key and value one is a {type(strange[0]).__name__}", "give tensors")
    shapes = [tuple(each.shape) for each in (query, key, value)]
    if any(len(shape) != 4 for shape in shapes):
        raise SpecError(
            f"query, key and value have the shapes {shapes}", "give (batch, heads, length, head dimension)"
        )
    (batch, heads, _, d), (_, kv_heads, n, _), _ = shapes
    if shapes[1] != (batch, kv_heads, n, d) or shapes[2][:3] != (batch, kv_heads, n):
        raise SpecError(
            f"key and value of shapes {shapes[1]} and {shapes[2]} do not fit a query of shape {shapes[0]}",
            "give all the same batch and head dimension, and key and value the same heads and length",
        )
    if d < 1:
        raise SpecError("the head dimension is 0", "give 1 or more")
    if min(heads, kv_heads) < 1 or heads % kv_heads:
        raise SpecError(
            f"{heads} query heads cannot share {kv_heads} key heads evenly",
            "give a divisor of the query heads",
        )
    if not query.dtype == key.dtype == value.dtype or not query.dtype.is_floating_point:
        raise SpecError(
            f"query, key and value are of {query.dtype}, {key.dtype} and {value.dtype}",
            "give one floating-point type",
        )
    if not query.device == key.device == value.device:
        raise SpecError(
            f"query, key and value lie on {query.device}, {key.device} and {value.device}", "put them on one"
        )
