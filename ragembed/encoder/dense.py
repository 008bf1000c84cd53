"""The layers that sentence-transformers puts behind the pooling: a projection and an activation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from ragembed.embed.model_settings import read_settings
from ragembed.encoder.outline import finite
from ragembed.errors import EmbeddingError

ACTIVATIONS = {
    "Identity": nn.Identity, "Tanh": nn.Tanh, "ReLU": nn.ReLU, "GELU": nn.GELU, "SiLU": nn.SiLU, "Sigmoid": nn.Sigmoid,
}  # fmt: skip
"""By the last part of the name in a file, which is never imported."""
_INPUT = "sentence_embedding"


class Projection(nn.Module):  # type: ignore[misc]
    """One of them."""

    in_features: int
    out_features: int

    def __init__(self, settings: dict[str, Any]) -> None:
        """As its ``config.json`` says; raises `KeyError` for what that lacks."""
        super().__init__()
        self.in_features, self.out_features = int(settings["in_features"]), int(settings["out_features"])
        self.linear = nn.Linear(self.in_features, self.out_features, bias=bool(settings.get("bias", True)))
        self.activation = ACTIVATIONS[settings.get("activation_function", "Tanh").rpartition(".")[2]]()
        self.with_input = bool(settings.get("use_residual"))
        if self.with_input and self.in_features != self.out_features:
            self.residual = nn.Linear(self.in_features, self.out_features, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """``(texts, in_features)`` -> ``(texts, out_features)``."""
        found = self.activation(self.linear(x))
        if self.with_input:
            found = found + (self.residual(x) if hasattr(self, "residual") else x)
        return found


def load_dense(part: Path, before: int, of: str = _INPUT) -> Projection | nn.Linear:
    """The layer in the folder `part`, behind vectors of `before` numbers; an `nn.Linear` where it is no more.

    `of` says, by the name in a file, what its vectors are those of: ``sentence_embedding`` or ``token_embeddings``.
    """
    settings = read_settings(part / "config.json")
    named = settings.get("activation_function", "torch.nn.Tanh")
    if not str(named).startswith("torch.nn.") or named.rpartition(".")[2] not in ACTIVATIONS:
        raise EmbeddingError(
            f"{part} has the activation {named}, which is not known here",
            f"use it through st:; known are: {', '.join(ACTIVATIONS)}",
        )
    for key in ("module_input_name", "module_output_name"):
        if settings.get(key) not in (None, of):
            raise EmbeddingError(f"{part} has a {key}, {settings[key]}", "use it through st:")
    try:
        layer = Projection(settings)
        state = load_file(part / "model.safetensors")
        layer.load_state_dict({name: each.float() for name, each in state.items()})
    except (SafetensorError, OSError, KeyError, ValueError, TypeError, RuntimeError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise EmbeddingError(f"{part} is damaged ({reason})", "fetch the model again") from error
    if layer.in_features != before:
        raise EmbeddingError(
            f"{part} takes vectors of {layer.in_features} numbers, those before it have {before}",
            "fetch the model again: its files do not fit one another",
        )
    if not all(finite(each) for each in layer.state_dict().values()):
        raise EmbeddingError(f"{part} holds NaN or infinity", "fetch it again")
    layer.requires_grad_(False)
    plain = isinstance(layer.activation, nn.Identity) and not layer.with_input
    return layer.linear if plain else layer
