"""Models without numbers, to be filled from files."""

from __future__ import annotations

from typing import Any

import torch
from torch.overrides import TorchFunctionMode


class Outline(TorchFunctionMode):  # type: ignore[misc]
    """As a context: modules made in it on the device ``meta`` are not drawn at random.

    Nothing would be drawn there, but to find that out `torch.nn.Embedding` has PyTorch load its compiler, which takes
    twice as long as to load PyTorch.
    """

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Leave out what initialises."""
        kwargs = kwargs or {}
        if getattr(function, "__module__", None) == "torch.nn.init":
            return kwargs["tensor"] if "tensor" in kwargs else args[0]
        return function(*args, **kwargs)


def finite(tensor: torch.Tensor) -> bool:
    """Whether `tensor` holds neither NaN nor infinity, in one pass that writes nothing."""
    least, most = torch.aminmax(tensor)
    return bool(torch.isfinite(least) and torch.isfinite(most))
