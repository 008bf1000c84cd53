"""What an embedder is: one required method, and the contract that every embedder keeps.

The same text gets the same vector whatever it is batched with; empty input gives ``(0, dimension)``; state is saved
without pickle; truncation is counted, never hidden.
"""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from ragembed.errors import EmbeddingError, RagembedError
from ragembed.registry import spec_of
from ragembed.spec import Spec

if TYPE_CHECKING:
    from scipy.sparse import csr_array

    from ragembed.embed.coverage import Coverage
    from ragembed.ledger import TokenLedger

Dense = NDArray[np.float32]
"""``(n, dimension)``, C-contiguous."""
Kind = Literal["dense", "sparse", "multi"]
"""What a text becomes: one vector, weights of terms, or a vector for each token."""


@dataclass(slots=True)
class Truncation:
    """How much text an embedder has cut off since it was made."""

    texts: int = 0
    tokens: int = 0


@dataclass(eq=False, kw_only=True)
class Embedder(ABC):
    """Turns texts into vectors. Subclasses are dataclasses whose fields are the spec's parameters."""

    field: str | None = None
    """The field of a chunk's or its document's metadata, such as ``title``, that an index embeds by it; none: the text.
    A chunk that has no such field is not found by it."""

    name: ClassVar[str]
    kind: ClassVar[Kind]
    learns: ClassVar[bool] = False
    """Whether `fit` must see the corpus before anything can be embedded."""
    nats: ClassVar[float] = 0.5
    """What a difference of scores says for a document, in logarithms of odds for each standard deviation of the scores
    that an index's chunks have with each other, where a search joins several embedders (docs/hybrid.md)."""
    costly: ClassVar[bool] = False
    """Whether embedding takes so long that looking a vector up is worth while."""
    ways: ClassVar[frozenset[str]] = frozenset()
    """Parameters that say how vectors are computed, and leave them what they are: each run may have others."""

    @property
    @abstractmethod
    def dimension(self) -> int:
        """Length of a vector; for sparse embedders the size of the vocabulary."""

    @abstractmethod
    def embed(self, texts: Sequence[str]) -> Dense | csr_array:
        """Vectors ``(len(texts), dimension)`` of float32, rows in the order of `texts`."""

    def embed_documents(self, texts: Sequence[str]) -> Dense | csr_array:
        """As `embed`, with whatever the model puts before documents."""
        return self.embed(texts)

    def embed_queries(self, texts: Sequence[str]) -> Dense | csr_array:
        """As `embed`, with whatever the model puts before queries."""
        return self.embed(texts)

    @property
    def in_context(self) -> bool:
        """Whether the vector of a chunk depends on the rest of its document: then `embed_chunks` makes it."""
        return False

    def embed_chunks(self, texts: Sequence[str], spans: Sequence[Sequence[tuple[int, int]]]) -> Dense:
        """Vectors of chunks, each from its characters ``(start, end)`` in its document, one document after the other.

        Only for embedders with `in_context`.
        """
        raise EmbeddingError(f"embedder {self.name} embeds no chunks in their documents", "use embed")

    def adapt(self, sample: Sequence[str]) -> None:
        """Look at some of the corpus before first use, to settle what the spec leaves open (such as the language)."""

    def fit(self, texts: Iterable[str]) -> None:
        """Learn from the corpus. Only for embedders with `learns`."""
        raise EmbeddingError(f"embedder {self.name} learns nothing from texts", "use it without fitting")

    @property
    def spec(self) -> Spec:
        """The spec that makes this embedder again."""
        return spec_of(self, self.name)

    @property
    def may_differ(self) -> frozenset[str]:
        """Keys of its identity that may be otherwise on another machine, as long as the probes agree."""
        return frozenset()

    @property
    def truncation(self) -> Truncation:
        """What has been cut off so far; embedders without a limit never cut."""
        return Truncation()

    @property
    def coverage(self) -> Coverage | None:
        """How many tokens had a vector so far; None for an embedder that goes by no vocabulary of its own."""
        return None

    @property
    def max_tokens(self) -> int | None:
        """How many tokens of its `tokenizer_name` one text may have before it is cut; None: no limit."""
        return None

    @property
    def fitting_tokens(self) -> int | None:
        """How long a chunk had best be at most, in such tokens: what is embedded in one piece; None: any length."""
        return self.max_tokens

    @property
    def ledger(self) -> TokenLedger | None:
        """What became of the tokens of all texts so far; None for an embedder that keeps no account of them."""
        return None

    @property
    def tokenizer_name(self) -> str | None:
        """What `ragembed.tokens.tokenizer` takes to count as this embedder does; None: it has no own tokens."""
        return None

    def recorded_identity(self) -> dict[str, Any]:
        """What of `identity` can be told without loading a model: JSON values, by names that stay.

        A difference in it is refused before any weights are loaded, so it must import no model library.
        """
        return {"spec": str(self.spec), "kind": self.kind, "state": self.state_hash()}

    def identity(self) -> dict[str, Any]:
        """All that decides the vectors: what an index records of its embedder, and compares when it is opened."""
        return self.recorded_identity()

    def probe(self, *, thorough: bool = True) -> dict[str, Any]:
        """What this embedder makes of the texts of `ragembed.embed.probes`, as JSON values to be recorded.

        For a dense embedder the vectors, as documents and as queries. Without `thorough` what takes long may be
        left out: only what two probes both hold is compared.
        """
        if self.kind == "sparse":
            return {}
        from ragembed.embed import probes

        return {
            "documents": probes.packed(np.asarray(self.embed_documents(probes.DOCUMENTS))),
            "queries": probes.packed(np.asarray(self.embed_queries(probes.QUERIES))),
        }

    def made_with(self) -> dict[str, str]:
        """Versions of packages that decide the vectors: told where probes differ, compared nowhere."""
        return {}

    def learnt_from(self) -> dict[str, Any]:
        """What is worth telling of the texts that it learnt from, as JSON values: recorded, and compared nowhere."""
        return {}

    def forget(self, kept: Iterable[str]) -> bool:
        """Drop the words that were learnt from texts and stand in none of `kept`; whether there were any.

        `kept` are all texts that are embedded still. Their vectors stay the same to the last bit, but `state_hash`
        changes: save and record the embedder anew. An embedder that keeps no words has nothing to forget.
        """
        return False

    def state_hash(self) -> str | None:
        """sha256 of what was learnt or loaded; None where the spec says everything."""
        return None

    def save(self, folder: Path) -> None:
        """Write the spec and the learnt state to `folder` (made if absent)."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "embedder.json").write_text(json.dumps({"spec": str(self.spec)}) + "\n", encoding="utf-8")
        self.save_state(folder)

    def save_state(self, folder: Path) -> None:
        """Write what was learnt; nothing by default."""

    def load_state(self, folder: Path) -> None:
        """Read back what `save_state` wrote; nothing by default."""


def as_dense(vectors: Any, rows: int, dimension: int, who: str, remedy: str = "check that text") -> Dense:
    """`vectors` as C-contiguous float32 ``(rows, dimension)``; a wrong shape, NaN or infinity is an error.

    `remedy`: against numbers that are not finite.
    """
    array = np.ascontiguousarray(vectors, dtype=np.float32)
    if array.shape != (rows, dimension):
        raise EmbeddingError(
            f"embedder {who} gave vectors of shape {array.shape} where {(rows, dimension)} is expected",
            "the embedder is broken, or its files belong to another model",
        )
    finite = np.isfinite(array)
    if not finite.all():
        row = int(np.flatnonzero(~finite.all(axis=1))[0])
        raise EmbeddingError(f"embedder {who} gave NaN or infinity for text {row} of {rows}", remedy)
    return array


def encodable(text: str) -> str:
    """`text` with a question mark for each lone surrogate (half a character), on which tokenizers fail."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode(errors="replace").decode()
    return text


def checked_vectors(embedder: Embedder, texts: Sequence[str], *, queries: bool = False) -> Dense:
    """The vectors that a dense embedder gives, in the form and finite; whatever else it does is an `EmbeddingError`."""
    make = embedder.embed_queries if queries else embedder.embed_documents
    return _checked(embedder, lambda: make(texts), len(texts), f"{len(texts)} texts")


def checked_chunks(
    embedder: Embedder, texts: Sequence[str], spans: Sequence[Sequence[tuple[int, int]]]
) -> Dense:
    """`checked_vectors` of chunks in their documents."""
    chunks = sum(map(len, spans))
    return _checked(
        embedder,
        lambda: embedder.embed_chunks(texts, spans),
        chunks,
        f"{chunks} chunks of {len(texts)} texts",
    )


def _checked(embedder: Embedder, make: Callable[[], Any], rows: int, what: str) -> Dense:
    try:
        return as_dense(make(), rows, embedder.dimension, str(embedder.spec))
    except (RagembedError, MemoryError):
        raise
    except Exception as error:
        first_line = str(error).strip().partition("\n")[0]
        raise EmbeddingError(
            f"embedder {embedder.spec} fails on {what} ({type(error).__name__}: {first_line})",
            "check those texts, or report it to whoever made that embedder",
        ) from error


def normalized(vectors: Dense) -> Dense:
    """Rows scaled to length 1; rows of zeros stay zeros."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    with np.errstate(invalid="ignore"):  # what is NaN stays NaN, to be found by `as_dense`
        scaled: Dense = np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths != 0)
    return scaled


def hash_files(paths: Iterable[Path]) -> str:
    """sha256 over the contents of `paths` in the order given."""
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()
