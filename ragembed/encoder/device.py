"""Where a model is computed."""

from __future__ import annotations

import torch

from ragembed.errors import EmbeddingError


def find_device(name: str | None) -> torch.device:
    """The device of that name; without one the graphics processor where there is one, or else the processor.

    Raises:
        EmbeddingError: torch knows no such device, or cannot use it on this machine.
    """
    try:
        device = torch.device(name or ("cuda" if torch.cuda.is_available() else "cpu"))
        torch.zeros(1, device=device).cpu()
    except (
        RuntimeError,
        AssertionError,
        ImportError,
    ) as error:  # a device that is not built in has its own ways
        raise EmbeddingError(
            f"device={name} cannot be used on this machine ({str(error).partition(chr(10))[0].partition(':')[0]})",
            "use device=cpu",
        ) from error
    return device
