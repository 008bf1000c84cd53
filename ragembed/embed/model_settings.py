"""What a model's folder tells of how it embeds, read without loading it: modules, prompts, settings."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from ragembed.embed.model_files import module_folders, modules
from ragembed.errors import EmbeddingError

Role = Literal["query", "document"]

_PROMPT_NAMES: dict[Role, tuple[str, ...]] = {
    "query": ("query",),
    "document": ("document", "passage", "corpus"),
}
_POOLING = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}
"""Names of pooling modes in files that sentence-transformers wrote before its version 6."""
_SETTINGS = ("config.json", "*_config.json", "config_*.json", "special_tokens_map.json", "added_tokens.json")
_IDLE_FILES = frozenset({"data_config.json", "generation_config.json"})
"""Of the training, and of models that write text."""
_IDLE = frozenset(
    {
        "_name_or_path", "name_or_path", "tokenizer_file", "special_tokens_map_file",  # where it once lay
        "transformers_version", "__version__", "requirements",  # who wrote it
        "torch_dtype", "dtype", "use_cache", "gradient_checkpointing",  # how it ran there
        "similarity_fn_name", "default_prompt_name", "prompts",  # unused here; prompts are recorded by role
    }
)  # fmt: skip
"""Settings that decide nothing about a vector."""
UNLIMITED = 10**9
"""Tokenizers without a limit claim one of about 1e30 tokens."""


def module_names(folder: Path) -> list[str]:
    """The names of the model's modules in order, with the mode of those that pool.

    A plain transformer, without ``modules.json``, is run with the mean of its tokens.
    """
    listed = modules(folder)
    if not listed:
        return ["Transformer", "Pooling(mean)"]
    names = [kind.rpartition(".")[2] for kind, _ in listed]
    return [
        f"Pooling({_pooling(read_settings(part / 'config.json'))})" if name == "Pooling" else name
        for name, (_, part) in zip(names, listed, strict=True)
    ]


def _pooling(config: Mapping[str, Any]) -> str:
    mode = config.get("pooling_mode") or [name for key, name in _POOLING.items() if config.get(key)]
    if isinstance(mode, str):
        return mode
    found = tuple(map(str, mode)) or ("mean",)
    return found[0] if len(found) == 1 else str(found)


def role_prompts(
    prompts: Mapping[str, str | None], query: str | None, document: str | None
) -> dict[Role, str]:
    """What is put before queries and documents: what is given, else the first of `prompts` that is not empty."""
    given: dict[Role, str | None] = {"query": query, "document": document}
    return {
        role: next((found for name in names if (found := prompts.get(name))), "")
        if (wanted := given[role]) is None
        else wanted
        for role, names in _PROMPT_NAMES.items()
    }


def model_prompts(folder: Path) -> dict[str, str]:
    """The prompts that come with the model, by their names; read only beside a ``modules.json``."""
    if not modules(folder):
        return {}
    found = read_settings(folder / "config_sentence_transformers.json").get("prompts")
    return {str(k): v for k, v in found.items() if isinstance(v, str)} if isinstance(found, dict) else {}


def max_sequence(folder: Path) -> int | None:
    """Longest input in tokens, where the model's own settings say so; else its tokenizer does, once loaded."""
    for _, part in modules(folder):
        for path in sorted(part.glob("sentence_*_config.json")):
            limit = read_settings(path).get("max_seq_length")
            if type(limit) is int:
                return limit if limit <= UNLIMITED else None
    return None


def settings_hashes(folder: Path) -> dict[str, str]:
    """sha256 of each file of settings, by its path in `folder`; of its content, not of how it is written.

    Files that decide nothing, such as those that tell of the training, are left out.
    """
    hashes: dict[str, str] = {}
    for part in module_folders(folder):
        for path in sorted({path for pattern in _SETTINGS for path in part.glob(pattern)}):
            content = {} if path.name in _IDLE_FILES else _deciding(_read_json(path))
            if content:
                text = json.dumps(content, sort_keys=True)
                hashes[path.relative_to(folder).as_posix()] = hashlib.sha256(text.encode()).hexdigest()
    return hashes


def _deciding(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _deciding(inner) for key, inner in value.items() if key not in _IDLE}
    return [_deciding(inner) for inner in value] if isinstance(value, list) else value


def read_settings(path: Path) -> dict[str, Any]:
    """The settings in `path`; none where there is no such file, `EmbeddingError` where it is damaged."""
    found = _read_json(path) if path.is_file() else {}
    if not isinstance(found, dict):
        raise EmbeddingError(f"{path} holds no settings", "fetch the model again")
    return found


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise EmbeddingError(f"{path} is damaged ({error})", "fetch the model again") from error
