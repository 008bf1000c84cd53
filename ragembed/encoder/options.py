"""How a model is run; what each option means stands at `ragembed.embed.built_in.BuiltInEmbedder`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderOptions:
    """None leaves it to the model, or to this machine."""

    normalize: bool = True
    device: str | None = None
    precision: str = "auto"
    max_length: int | None = None
    long: str = "windows"
    overlap: int | None = None
    batch: int | None = None
    strict: bool = False
    truncate_dim: int | None = None
    query_prompt: str | None = None
    document_prompt: str | None = None
