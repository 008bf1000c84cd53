"""What a checkpoint for late interaction says of itself, in the formats of PyLate, sentence-transformers and ColBERT.

PyLate (Chaffin & Sourty 2025) saves a sentence-transformers folder with a module ``pylate.models.Dense.Dense`` and its
settings in ``config_sentence_transformers.json``; sentence-transformers' MultiVectorEncoder one with a module
``MultiVectorMask``; ColBERT's authors save a BERT with ``linear.weight`` in the same file and ``artifact.metadata``
beside it. Any other model gives the vectors of its own tokens.
"""

from __future__ import annotations

import json
import string
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ragembed.embed.model_files import modules
from ragembed.embed.model_settings import Role, read_settings
from ragembed.errors import EmbeddingError

_PYLATE = "pylate.models.Dense.Dense"
_MASK = "MultiVectorMask"
_OWN = "HF_ColBERT"
_LINEAR = "linear.weight"
_PASSED = ("Pooling", "Normalize", "Dense")
"""Modules of sentence-transformers that make one vector of a text, or work on it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Colbert:
    """The parts of a model and how its texts are put to it."""

    transformer: Path
    dense: tuple[Path, ...] = ()
    """Folders of the projections of each token's vector."""
    beside: str = ""
    """Name of the projection's tensor, where it is in the transformer's own file."""
    markers: dict[Role, str]
    """The token put behind the first special one; none: empty."""
    lengths: dict[Role, int | None]
    """Most tokens, special ones and marker included; None: any number, in windows that overlap."""
    expand: bool = False
    """Queries are filled up with mask tokens to their length."""
    attend: bool = False
    """Those are attended to."""
    mask: str = "[MASK]"
    skipped: tuple[str, ...] = ()
    """Tokens of documents that no query token is compared with."""
    special: bool = True
    """Special tokens are compared, as others are."""

    def to_json(self) -> dict[str, Any]:
        """How texts are put to the model, as JSON values; nothing of where it lies."""
        told = asdict(self)
        told["skipped"] = list(self.skipped)
        return {key: value for key, value in told.items() if key not in ("transformer", "dense")}

    @property
    def trained(self) -> bool:
        """Whether the model was made for late interaction."""
        return bool(self.dense or self.beside)


def read_colbert(folder: Path) -> Colbert:
    """What the model in `folder` is.

    Raises:
        EmbeddingError: A file is damaged, or a part is code of its own or not known here.
    """
    listed = modules(folder)
    transformer = next((part for kind, part in listed if kind.endswith(".Transformer")), folder)
    settings = read_settings(transformer / "config.json")
    if any(kind == _PYLATE for kind, _ in listed):
        return _pylate(folder, listed, transformer)
    if any(kind.startswith("sentence_transformers.") and kind.endswith(_MASK) for kind, _ in listed):
        return _native(folder, listed, transformer)
    if _OWN in (settings.get("architectures") or ()):
        return _original(folder)
    for kind, _ in listed[1:]:
        if not kind.startswith("sentence_transformers."):
            raise EmbeddingError(
                f"{folder / 'modules.json'} asks for code of its own ({kind}), which is never run here",
                "use a model that needs none",
            )
        if kind.rpartition(".")[2] not in _PASSED:
            raise EmbeddingError(
                f"{folder} has a module {kind.rpartition('.')[2]}, which is not known for late interaction",
                "name the folder of a ColBERT or PyLate checkpoint, or of a plain encoder",
            )
    nothing: dict[Role, str] = {"query": "", "document": ""}
    return Colbert(
        transformer=transformer, markers=nothing, lengths={"query": None, "document": None}, special=False
    )


def _pylate(folder: Path, listed: list[tuple[str, Path]], transformer: Path) -> Colbert:
    told = read_settings(folder / "config_sentence_transformers.json")
    strange = [kind for kind, _ in listed[1:] if kind != _PYLATE]
    if strange:
        raise EmbeddingError(
            f"{folder} has a module {strange[0]}, which is not known here", "save the model anew with PyLate"
        )
    where = folder / "config_sentence_transformers.json"
    return Colbert(
        transformer=transformer,
        dense=tuple(part for kind, part in listed if kind == _PYLATE),
        markers={
            "query": _text(told, "query_prefix", "[Q] ", where),
            "document": _text(told, "document_prefix", "[D] ", where),
        },
        lengths={
            "query": _length(told, "query_length", 32, where),
            "document": _length(told, "document_length", 180, where),
        },
        expand=told.get("do_query_expansion", True) is not False,
        attend=told.get("attend_to_expansion_tokens") is True,
        mask=_mask(read_settings(transformer / "tokenizer_config.json").get("mask_token")),
        skipped=_words(told.get("skiplist_words"), where),
    )


def _native(folder: Path, listed: list[tuple[str, Path]], transformer: Path) -> Colbert:
    """As sentence-transformers' MultiVectorEncoder saves it, from version 6."""
    dense: list[Path] = []
    skipped: tuple[str, ...] = ()
    for kind, part in listed[1:]:
        name = kind.rpartition(".")[2]
        settings = read_settings(part / "config.json")
        if not kind.startswith("sentence_transformers.") or name not in ("Dense", _MASK, "Normalize"):
            raise EmbeddingError(
                f"{folder} has a module {kind}, which is not known here", "use another model"
            )
        if name == "Dense":
            dense.append(part)
        elif name == _MASK:
            if settings.get("skiplist_tasks") not in (None, ["document"]) or settings.get(
                "keep_only_token_ids"
            ):
                raise EmbeddingError(
                    f"{part} leaves tokens out in a way that is not known here", "use another model"
                )
            skipped = _words(settings.get("skiplist_words") or [], part / "config.json")
    where = transformer / "sentence_bert_config.json"
    told = read_settings(where)
    expansion = told.get("query_expansion") or {}
    if not isinstance(expansion, dict) or expansion.get("strategy", "fixed") != "fixed":
        raise EmbeddingError(f"{where} expands queries in a way that is not known here", "use another model")
    prompts = read_settings(folder / "config_sentence_transformers.json").get("prompts") or {}
    if not isinstance(prompts, dict):
        raise EmbeddingError(f"{folder} has prompts that are no object", "fetch the model again")
    document = told.get("document_length") or told.get("max_seq_length")
    return Colbert(
        transformer=transformer,
        dense=tuple(dense),
        markers={
            "query": _text(prompts, "query", "", where),
            "document": _text(prompts, "document", "", where),
        },
        lengths={
            "query": _length(expansion or told, "length" if expansion else "query_length", 32, where),
            "document": None if document is None else _length({"length": document}, "length", 180, where),
        },
        expand=bool(expansion),
        attend=expansion.get("attend") is True,
        mask=expansion.get("token")
        or _mask(read_settings(transformer / "tokenizer_config.json").get("mask_token")),
        skipped=skipped,
    )


def _original(folder: Path) -> Colbert:
    path = folder / "artifact.metadata"
    try:
        told = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        if not isinstance(told, dict):
            raise TypeError("it is no object")
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise EmbeddingError(f"{path} is damaged ({error})", "fetch the model again") from error
    return Colbert(
        transformer=folder,
        beside=_LINEAR,
        markers={
            "query": _text(told, "query_token_id", "[unused0]", path),
            "document": _text(told, "doc_token_id", "[unused1]", path),
        },
        lengths={
            "query": _length(told, "query_maxlen", 32, path),
            "document": _length(told, "doc_maxlen", 180, path),
        },
        expand=True,
        attend=told.get("attend_to_mask_tokens") is True,
        skipped=tuple(string.punctuation) if told.get("mask_punctuation", True) is not False else (),
    )


def _text(told: dict[str, Any], key: str, default: str, where: Path) -> str:
    found = told.get(key)
    if found is None:
        return default
    if not isinstance(found, str):
        raise EmbeddingError(f"{where} says {key} is {found!r:.40}, no text", "fetch the model again")
    return found


def _mask(told: Any) -> str:
    """The name of the mask token, which older files describe by an object."""
    found = told.get("content") if isinstance(told, dict) else told
    return found if isinstance(found, str) else "[MASK]"


def _length(told: dict[str, Any], key: str, default: int, where: Path) -> int:
    found = told.get(key)
    if found is None:
        return default
    if type(found) is not int or found < 4:
        raise EmbeddingError(f"{where} says {key} is {found!r:.40}", "fetch the model again")
    return found


def _words(found: Any, where: Path) -> tuple[str, ...]:
    if found is None:
        return tuple(string.punctuation)
    if not isinstance(found, list) or not all(isinstance(word, str) for word in found):
        raise EmbeddingError(f"{where} has skiplist_words that are no list of words", "fetch the model again")
    return tuple(found)
