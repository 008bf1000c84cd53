"""What numbers a model is computed in."""

from __future__ import annotations

from pathlib import Path

import torch

from ragembed.errors import EmbeddingError

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
PROCESSOR = Path("/proc/cpuinfo")
"""Where Linux lists what the processor can do."""
_MULTIPLIES_BFLOAT16 = frozenset({"amx_bf16", "avx512_bf16", "bf16"})
"""Names of the instructions: two of x86, one of Arm."""


def precision(name: str, device: torch.device) -> torch.dtype:
    """The type of that name, or with ``auto`` the fastest that keeps a model's vectors (cosine 0.9998)."""
    if name == "auto":
        return torch.bfloat16 if multiplies_bfloat16(device) else torch.float32
    if name not in PRECISIONS:
        raise EmbeddingError(f"unknown precision {name!r}", f"valid are: auto, {', '.join(PRECISIONS)}")
    return PRECISIONS[name]


def multiplies_bfloat16(device: torch.device) -> bool:
    """Whether `device` has instructions for it; without them bfloat16 is slower than float32.

    A processor is asked only on Linux; elsewhere, as on macOS, the answer is no.
    """
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type != "cpu" or not torch.backends.mkldnn.is_available():
        return False
    return not _MULTIPLIES_BFLOAT16.isdisjoint(_features())


def _features() -> list[str]:
    """Of the first processor; all of a machine are alike."""
    try:
        with PROCESSOR.open(encoding="ascii", errors="replace") as file:
            for line in file:
                name, _, values = line.partition(":")
                if name.strip() in ("flags", "Features"):  # x86, Arm
                    return values.split()
    except OSError:
        pass
    return []
