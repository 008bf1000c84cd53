"""What embedders share that run a transformer from a folder."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Protocol

from ragembed.embed.base import Dense, Embedder, Kind, Truncation, hash_files
from ragembed.embed.model_files import tokenizer_files, tokenizer_folder, weights_hash
from ragembed.embed.model_settings import (
    Role,
    max_sequence,
    model_prompts,
    module_names,
    role_prompts,
    settings_hashes,
)
from ragembed.spec import Spec, Value


class VectorOptions(Protocol):
    """What a spec asks of a model that decides its vectors; None leaves it to the model."""

    @property
    def normalize(self) -> bool: ...
    @property
    def max_length(self) -> int | None: ...
    @property
    def query_prompt(self) -> str | None: ...
    @property
    def document_prompt(self) -> str | None: ...


class Model(Protocol):
    """A model in memory."""

    dimension: int

    @property
    def precision(self) -> str:
        """What numbers it is computed in, by torch's name."""
        ...

    @property
    def truncation(self) -> Truncation:
        """What has been cut off so far."""
        ...

    @property
    def max_sequence(self) -> int | None:
        """Longest input in tokens, special ones included; None: no limit."""
        ...

    @property
    def max_tokens(self) -> int | None:
        """Most tokens of a document: `max_sequence` less the special tokens and the document prompt."""
        ...

    def encode(self, texts: Sequence[str], role: Role) -> Dense:
        """Vectors ``(len(texts), dimension)`` in the order of `texts`, each with the prompt of `role`."""
        ...


class TransformerEmbedder(Embedder):
    """What embedders share that run a transformer from a folder. The model is loaded on first use."""

    kind: ClassVar[Kind] = "dense"
    nats: ClassVar[float] = 3.5
    costly: ClassVar[bool] = True
    packages: ClassVar[tuple[str, ...]]
    """Those that decide what the model computes."""
    ways: ClassVar[frozenset[str]] = frozenset({"batch", "device", "download"})
    indifferent: ClassVar[frozenset[str]] = ways
    """Parameters that the recorded spec leaves out: `ways`, and what is recorded by itself."""
    precision: str
    """What numbers are computed in; ``auto`` leaves it to the machine."""

    @cached_property
    def folder(self) -> Path:
        """Where the model lies; raises `EmbeddingError` where it is not on this machine."""
        return self.find()

    @abstractmethod
    def find(self) -> Path:
        """Look for `folder`."""

    @property
    @abstractmethod
    def options(self) -> VectorOptions:
        """How it is run."""

    @cached_property
    def _model(self) -> Model:
        return self.load()  # two threads may come first at once; one of their models stays

    @abstractmethod
    def load(self) -> Model:
        """The model, ready to encode."""

    @cached_property
    def _weights(self) -> str:
        return weights_hash(self.folder)

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        return self._model.dimension

    def embed(self, texts: Sequence[str]) -> Dense:
        """The same as `embed_documents`."""
        return self._model.encode(texts, "document")

    def embed_queries(self, texts: Sequence[str]) -> Dense:
        """Vectors ``(len(texts), dimension)`` of queries, with the model's query prompt before each."""
        return self._model.encode(texts, "query")

    @property
    def truncation(self) -> Truncation:
        """What has been cut off so far, in the model's own tokens; asking does not load the model."""
        model: Model | None = self.__dict__.get("_model")
        return Truncation() if model is None else model.truncation

    @property
    def max_tokens(self) -> int | None:
        """How many tokens a document may have before it is cut; special tokens and prompt are taken off."""
        return self._model.max_tokens

    @property
    def tokenizer_name(self) -> str | None:
        """The folder of the model's ``tokenizer.json``; None where its tokenizer has another form."""
        part = tokenizer_folder(self.folder)
        return None if part is None or not (part / "tokenizer.json").is_file() else str(part)

    def state_hash(self) -> str:
        """sha256 over the model's weights."""
        return self._weights

    def recorded_identity(self) -> dict[str, Any]:
        """What the model's files and the spec tell, and nothing of where the model lies or what it runs on."""
        folder, options, modules = self.folder, self.options, module_names(self.folder)
        part = tokenizer_folder(folder)
        told = {
            **super().recorded_identity(),
            "spec": str(Spec(self.name, None, self._deciding())),
            "tokenizer": None if part is None else hash_files(tokenizer_files(part)),
            "prompts": role_prompts(model_prompts(folder), options.query_prompt, options.document_prompt),
            "modules": modules,
            "normalized": options.normalize or modules[-1:] == ["Normalize"],
            "settings": settings_hashes(folder),
        }
        if self.precision != "auto":
            told["precision"] = self.precision
        limit = options.max_length or max_sequence(folder)
        return told if limit is None else {**told, "max_sequence": limit}

    def identity(self) -> dict[str, Any]:
        """With the dimension, the longest input and the precision, which the loaded model tells."""
        model = self._model
        loaded = {
            "dimension": self.dimension,
            "max_sequence": model.max_sequence,
            "precision": model.precision,
        }
        return {**loaded, **self.recorded_identity()}

    def probe(self, *, thorough: bool = True) -> dict[str, Any]:
        """As every dense embedder; what a short limit cuts off the probes is not counted."""
        counted = self._model.truncation
        texts, tokens = counted.texts, counted.tokens
        try:
            return super().probe(thorough=thorough)
        finally:
            counted.texts, counted.tokens = texts, tokens

    def made_with(self) -> dict[str, str]:
        """The versions of the packages that run the model."""
        from importlib.metadata import version  # slow to import

        return {package: version(package) for package in self.packages}

    def _deciding(self) -> tuple[tuple[str, Value], ...]:
        return tuple((key, value) for key, value in self.spec.params if key not in self.indifferent)
