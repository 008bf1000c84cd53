"""Linear layers on a CPU: weights laid out once for oneDNN, activations in the same pass."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ragembed.encoder.model import Encoder, Mlp

DTYPES = (torch.float32, torch.bfloat16)
"""What oneDNN multiplies; bfloat16 not on every processor. PyTorch leaves float32 to MKL, which is as fast on Intel's
processors; on AMD's it does without AVX-512 and takes 2.3 times as long."""
_FUSED = {
    "gelu": ("gelu", "none"),
    "gelu_tanh": ("gelu", "tanh"),
    "silu": ("swish", ""),
    "relu": ("relu", ""),
}
"""Activations, as oneDNN's operator names them and their algorithm."""
_TOKENS = 4096
"""Of a batch for which the layout is chosen; others work with it too."""


class PackedLinear(nn.Module):  # type: ignore[misc]
    """A linear layer whose weight lies as oneDNN wants it, and an activation at the end of the same pass."""

    def __init__(
        self, weight: Tensor, bias: Tensor | None, activation: tuple[str, str] = ("none", "")
    ) -> None:
        super().__init__()
        self.weight = torch.ops.mkldnn._reorder_linear_weight(weight.detach().contiguous(), _TOKENS)
        self.bias, self.activation = bias, activation
        self._multiply = torch.ops.mkldnn._linear_pointwise.default

    def forward(self, x: Tensor) -> Tensor:
        """``(T, in)`` -> ``(T, out)``."""
        name, algorithm = self.activation
        found: Tensor = self._multiply(x, self.weight, self.bias, name, [], algorithm)
        return found


class PackedMlp(nn.Module):  # type: ignore[misc]
    """As `Mlp`; a gate is a layer of its own, so that its activation is fused too."""

    def __init__(self, mlp: Mlp, activation: str) -> None:
        super().__init__()
        parts = 2 if mlp.gated else 1
        weights = mlp.up.weight.chunk(parts)
        biases = (None,) * parts if mlp.up.bias is None else mlp.up.bias.chunk(parts)
        self.up = PackedLinear(weights[0], biases[0], _FUSED[activation])
        self.factor = PackedLinear(weights[1], biases[1]) if mlp.gated else None
        self.down = PackedLinear(mlp.down.weight, mlp.down.bias)

    def forward(self, x: Tensor) -> Tensor:
        """``(T, D)`` -> ``(T, D)``."""
        inner = self.up(x)  # (T, F)
        return self.down(inner if self.factor is None else inner.mul_(self.factor(x)))


def prepare(model: Encoder) -> None:
    """Lay out the weights of a model on a CPU, where that helps; afterwards it is for inference alone."""
    some = next(model.parameters())
    if some.device.type != "cpu" or some.dtype not in DTYPES:
        return
    if not torch.backends.mkldnn.is_available() or not hasattr(torch.ops.mkldnn, "_reorder_linear_weight"):
        return
    if some.dtype == torch.bfloat16 and not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        return
    layers: list[Any] = list(model.layers)
    for layer in layers:
        layer.attention.qkv = PackedLinear(layer.attention.qkv.weight, layer.attention.qkv.bias)
        layer.attention.out = PackedLinear(layer.attention.out.weight, layer.attention.out.bias)
        layer.mlp = PackedMlp(layer.mlp, model.config.activation)
