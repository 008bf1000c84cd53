"""What sentence-transformers puts around a transformer, as a model's ``modules.json`` lists it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ragembed.embed.model_files import modules
from ragembed.embed.model_settings import module_names, read_settings
from ragembed.errors import EmbeddingError


@dataclass(frozen=True, slots=True, kw_only=True)
class Modules:
    """The parts of a model; without ``modules.json`` a transformer and the mean of its tokens."""

    transformer: Path
    pooling: str = "mean"
    skips_prompt: bool = False
    """Tokens of the prompt are left out of the pooling."""
    dense: tuple[Path, ...] = ()
    """Folders of the layers behind it."""
    normalize: bool = False


def read_modules(folder: Path) -> Modules:
    """The parts of the model in `folder`.

    Raises:
        EmbeddingError: One of them is code of its own, is not known here, or stands where it is not known.
    """
    listed = modules(folder)
    for kind, _ in listed:
        if not kind.startswith("sentence_transformers."):
            raise EmbeddingError(
                f"{folder / 'modules.json'} asks for code of its own ({kind}), which is never run here",
                "use a model that needs none",
            )
    names = module_names(folder)
    transformer = next((part for kind, part in listed if kind.endswith(".Transformer")), folder)
    pooling, skips_prompt, normalize = "mean", False, False
    dense: list[Path] = []
    for name, (_, part) in list(zip(names, listed, strict=False))[1:]:
        if normalize and name != "Normalize":
            raise EmbeddingError(f"{folder} has {name} behind Normalize", "use it through st:")
        if name == "Dense":
            dense.append(part)
        elif name == "Normalize":
            normalize = True
        elif name.startswith("Pooling("):
            pooling = name.removeprefix("Pooling(").removesuffix(")")
            skips_prompt = read_settings(part / "config.json").get("include_prompt") is False
        else:
            raise EmbeddingError(f"{folder} has a module {name}", "use it through st:")
    return Modules(
        transformer=transformer,
        pooling=pooling,
        skips_prompt=skips_prompt,
        dense=tuple(dense),
        normalize=normalize,
    )
