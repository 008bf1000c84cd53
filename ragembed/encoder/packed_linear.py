"""Linear layers in bfloat16 on a CPU: weights laid out once for oneDNN, activations in the same pass."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ragembed.encoder.model import Encoder


class PackedLinear(nn.Module):  # type: ignore[misc]
    """A linear layer whose weight lies as oneDNN wants it, and an activation at the end of the same pass."""

    def __init__(self, linear: nn.Linear, activation: str = "none", kind: str = "") -> None:
        super().__init__()
        self.weight = torch.ops.mkldnn._reorder_linear_weight(linear.weight.detach(), 4096)
        self.bias, self.activation, self.kind = linear.bias, activation, kind

    def forward(self, x: Tensor) -> Tensor:
        """``(T, in)`` -> ``(T, out)``."""
        found: Tensor = torch.ops.mkldnn._linear_pointwise(
            x, self.weight, self.bias, self.activation, [], self.kind
        )
        return found


def prepare(model: Encoder) -> None:
    """Lay out the weights of a model in bfloat16 on a CPU; afterwards it is for inference alone."""
    if not torch.backends.mkldnn.is_available() or not hasattr(torch.ops.mkldnn, "_reorder_linear_weight"):
        return
    layers: list[Any] = list(model.layers)
    for layer in layers:
        layer.attention.qkv = PackedLinear(layer.attention.qkv)
        layer.attention.out = PackedLinear(layer.attention.out)
        fuse = model.config.activation == "gelu" and not model.config.gated
        layer.mlp.up = PackedLinear(layer.mlp.up, *(("gelu", "none") if fuse else ()))
        if fuse:
            layer.mlp.activation = nn.Identity()
        layer.mlp.down = PackedLinear(layer.mlp.down)
