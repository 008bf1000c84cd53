"""What a mechanism of attention is, and what is checked before one is called."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

from ragembed.encoder.attention.kernels import fused
from ragembed.encoder.attention.mask import Mask
from ragembed.errors import SpecError

if TYPE_CHECKING:
    from torch import Tensor


class Mechanism(ABC):
    """One way to attend. Calling it checks the tensors, then does `attend`."""

    name: ClassVar[str]
    exact: ClassVar[bool]
    """Whether the result is that of `ragembed.encoder.attention.reference`, but for rounding."""
    definition: ClassVar[str] = "softmax(Q Kᵀ / sqrt(d)) V"
    """What it computes, or estimates where it is neither `exact` nor defined in another way."""
    honours: ClassVar[frozenset[str]]
    """The conditions of a `Mask` that it obeys; others are refused."""
    paper: ClassVar[str]
    time: ClassVar[str]
    """Multiplications, in n (length), d (head dimension), w (window)..."""
    memory: ClassVar[str]
    """Numbers beside inputs and result."""
    advice: ClassVar[str]
    """When to use it."""
    sharded: ClassVar[bool] = False
    """Whether the tensors are one process's part of longer texts, which the mask describes, and `attend` checks it."""

    def __call__(
        self, query: Tensor, key: Tensor, value: Tensor, mask: Mask | None = None, **options: Any
    ) -> Tensor:
        """Attend: ``(batch, heads, m, d)`` -> the same shape.

        `key` and `value` ``(batch, kv_heads, n, d)`` may have fewer heads, which divide those of the query; head h goes
        with key head h // (heads / kv_heads). A query that sees no key has 0. Raises `SpecError` for shapes that do
        not fit, a mask that it cannot honour, and options that it does not have.
        """
        mask = Mask() if mask is None else mask
        check_tensors(query, key, value)
        if refused := [name for name in mask.asks if name not in self.honours]:
            can = ", ".join(sorted(self.honours)) or "no condition at all"
            raise SpecError(f"{self.name} cannot honour {refused[0]} of a mask", f"it can honour: {can}")
        known = list(inspect.signature(self.attend).parameters)[4:]
        if strange := [name for name in options if name not in known]:
            raise SpecError(
                f"{self.name} has no option {strange[0]!r}", f"valid are: {', '.join(known) or 'none'}"
            )
        if not self.sharded:
            mask.check(query.shape[0], query.shape[2], key.shape[2])
            if 0 in (query.shape[0], query.shape[2]):  # no blocks to cut, but gradients for all three
                return fused(query, key, value)
        return self.attend(query, key, value, mask, **options)

    @abstractmethod
    def attend(self, query: Tensor, key: Tensor, value: Tensor, mask: Mask) -> Tensor:
        """As `__call__`, of what is checked; subclasses add options as keywords."""


def check_tensors(query: Tensor, key: Tensor, value: Tensor) -> None:
    """`SpecError` unless the three fit one another."""
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
