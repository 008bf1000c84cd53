"""Where a pretrained model lies on this machine, and what it consists of; nothing here needs torch.

Only folders that hold their weights as safetensors are taken: the older ``.bin`` files are pickles.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

from ragembed.embed.base import hash_files
from ragembed.errors import EmbeddingError
from ragembed.extras import require
from ragembed.hub_cache import cached_snapshot

_HUB_NAME = re.compile(r"(?:[\w][\w.-]*/)?[\w][\w.-]*")
_DEFAULT_ORGANIZATION = "sentence-transformers"
_WANTED = ["*.json", "*.txt", "*.model", "*.safetensors"]
_UNWANTED = ["onnx/*", "openvino/*"]
_TOKENIZER_FILES = (
    "vocab.txt",  # WordPiece
    "vocab.json",  # byte-pair encoding, with its merges
    "merges.txt",
    "tokenizer.model",  # SentencePiece, under the three names in use
    "spiece.model",
    "sentencepiece.bpe.model",
)
_HOW = "if you trust it: SentenceTransformer(FOLDER).save(OTHER_FOLDER) writes safetensors"


def find_model(target: str, *, download: bool = False, embedder: str = "st") -> Path:
    """The folder of the model `target`: a folder, or a name on the Hugging Face hub that lies in its cache.

    The network is used only with `download`. Raises `EmbeddingError` where there is no such model; what it advises is a
    spec of `embedder`.
    """
    folder = Path(target).expanduser()
    if folder.is_dir():
        return folder
    if not _HUB_NAME.fullmatch(target):
        raise EmbeddingError(
            f"{target} is no folder", "name a model's folder, or a model as ORGANISATION/NAME"
        )
    name = target if "/" in target else f"{_DEFAULT_ORGANIZATION}/{target}"
    cache = os.environ.get("SENTENCE_TRANSFORMERS_HOME")
    cached = cached_snapshot(name, cache)
    if cached is not None and (not download or any(weight_files(cached))):
        return cached
    if not download:
        raise EmbeddingError(
            f"model {name} is not on this machine (no such folder, not in the Hugging Face cache)",
            f'add download=true to let it be fetched: {embedder}:"{target}"(download=true), or name a folder',
        )
    hub = require("huggingface_hub", "st", "downloading a model")
    try:
        return Path(
            hub.snapshot_download(name, cache_dir=cache, allow_patterns=_WANTED, ignore_patterns=_UNWANTED)
        )
    except (OSError, ValueError) as error:  # no such model, no connection: all of these two kinds
        reason = str(error).strip().partition("\n")[0]
        raise EmbeddingError(
            f"model {name} does not download ({reason})", "check the name and the connection"
        ) from error


def check_model(folder: Path) -> None:
    """Raise `EmbeddingError` unless `folder` holds a model whose weights are all safetensors."""
    if not (folder / "modules.json").is_file() and not (folder / "config.json").is_file():
        raise EmbeddingError(
            f"{folder} holds no model (neither modules.json nor config.json)", "name the folder that does"
        )
    if not any(weight_files(folder)):
        raise EmbeddingError(
            f"{folder} holds no safetensors weights",
            f"convert the model: other formats can run code ({_HOW})",
        )
    for part in module_folders(folder):
        pickled = next(iter(sorted(part.glob("pytorch_model*.bin"))), None)
        if pickled is not None and not any(part.glob("*.safetensors")):
            raise EmbeddingError(f"{pickled} is a pickle, which can run code", f"convert it ({_HOW})")


def modules(folder: Path) -> list[tuple[str, Path]]:
    """The class and the folder of each module that ``modules.json`` lists, in order; empty without that file."""
    path = folder / "modules.json"
    try:
        listed = json.loads(path.read_text(encoding="utf-8"))
        found = [(str(module["type"]), Path(module["path"])) for module in listed]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EmbeddingError(f"{path} is damaged ({error})", "fetch the model again") from error
    for _, part in found:
        if part.is_absolute() or ".." in part.parts:
            raise EmbeddingError(f"{path} names a folder outside the model, {part}", "fetch the model again")
    return [(kind, folder / part) for kind, part in found]


def module_folders(folder: Path) -> list[Path]:
    """`folder` and the folders of its modules, each once."""
    return list(dict.fromkeys([folder, *(part for _, part in modules(folder))]))


def weight_files(folder: Path) -> Iterator[Path]:
    """The safetensors files of the model's modules, in a fixed order."""
    for part in module_folders(folder):
        yield from sorted(part.glob("*.safetensors"))


def weights_hash(folder: Path) -> str:
    """sha256 over all weights."""
    files = list(weight_files(folder))
    if not files:
        raise EmbeddingError(
            f"the model in {folder} has no weights", "fetch the model again, or name its folder"
        )
    return hash_files(files)


def tokenizer_folder(folder: Path) -> Path | None:
    """Where the model's tokenizer lies: its folder or that of a module; None where it has none."""
    return next((part for part in module_folders(folder) if tokenizer_files(part)), None)


def tokenizer_files(part: Path) -> list[Path]:
    """The files that say how `part` cuts text into tokens; empty where it holds no tokenizer."""
    whole = part / "tokenizer.json"
    if whole.is_file():
        return [whole]
    return [part / name for name in _TOKENIZER_FILES if (part / name).is_file()]
