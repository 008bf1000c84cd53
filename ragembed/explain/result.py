"""What an explanation says, as plain values: `Explanation.as_json` is what ``ragembed explain --json`` prints.

The names of fields, stages, steps and methods are part of the interface (docs/explain.md): scripts depend on them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from ragembed.types import Chunk

Stage = Literal[
    "found",
    "not_read",
    "failed_to_parse",
    "deleted",
    "stale",
    "filtered",
    "lost_by_index",
    "deduplicated",
    "merged",
    "reranked_away",
    "reordered",
    "searched_again",
    "rejected",
    "out_of_vocabulary",
    "truncated",
    "split",
    "diluted",
    "outranked",
]
"""At which stage a document was lost, in the order in which they are looked at; ``found`` where it was not."""

StepName = Literal["list", "filter", "index", "fusion", "full_fusion", "documents", "step", "answer"]
"""A step of the search, in this order; ``step`` is each that `--steps` names."""

Method = Literal["terms", "leave_one_out", "none"]
"""How a score was taken apart: exactly by terms, by what is lost without each piece, or not at all."""


@dataclass(frozen=True, slots=True)
class Word:
    """A word of the query as it was typed, and what an embedder of terms makes of it."""

    word: str
    terms: tuple[str, ...]
    """Its stems; none for a stop word."""
    stop_word: bool


@dataclass(frozen=True, slots=True)
class Term:
    """A distinct term of the query in one embedder's list."""

    term: str
    words: tuple[str, ...]
    """The words of the query that gave it."""
    count: int
    """How often the query has it."""
    frequency: int | None
    """How many chunks of the index hold it; None where the embedder does not count."""
    idf: float | None
    known: bool
    """Whether the embedder can find anything by it."""


@dataclass(frozen=True, slots=True)
class List:
    """One embedder of the index and what it sees of the query."""

    embedder: str
    kind: Literal["dense", "sparse", "multi"]
    words: tuple[Word, ...] | None
    """None where the embedder does not go by words."""
    terms: tuple[Term, ...] | None


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one piece of a passage adds to a score."""

    what: str
    """The term, or the piece of the passage."""
    score: float
    start: int | None = None
    """Where the piece begins in the chunk's text; None for a term, and for context put before the chunk."""
    end: int | None = None
    count: int | None = None
    """How often the passage has the term."""
    query_weight: float | None = None
    """What the term weighs in the query: for BM25 its idf, times how often the query has it."""
    document_weight: float | None = None
    """What it weighs in the passage: for BM25 ``count / (count + k1 * (1 - b + b * length / average))``."""


@dataclass(frozen=True, slots=True)
class Part:
    """One embedder's share in a hit."""

    embedder: str
    rank: int
    score: float
    share: float
    """What it adds to the hit's score: its score, or what the fusion makes of its rank."""
    method: Method
    contributions: tuple[Contribution, ...]
    """Largest first."""
    rest: float
    """The part's score less the sum of its contributions: 0 for ``terms`` but for rounding."""
    length: int | None = None
    """Terms of the passage."""
    average_length: float | None = None
    """Terms of a passage on average."""
    length_factor: float | None = None
    """What the passage's length makes of its weights: for BM25 ``k1 * (1 - b + b * length / average)``, for cosines
    one divided by its Euclidean length."""
    note: str = ""


@dataclass(frozen=True, slots=True)
class ExplainedHit:
    """A hit, and where its score comes from."""

    rank: int
    score: float
    chunk: Chunk
    parts: tuple[Part, ...]
    """What it had in the first list; none where only a step has found it, by a changed query."""
    first_rank: int | None = None
    """Before the steps; None where the first list did not go down to it."""
    steps: Mapping[str, tuple[int, float]] = field(default_factory=dict)
    """Rank and score after each step of the search."""
    stands_for: tuple[str, ...] = ()
    """Ids of chunks that steps dropped in its favour."""


@dataclass(frozen=True, slots=True)
class Step:
    """How far the expected document came at one step of the search."""

    step: StepName
    embedder: str | None
    """Whose list it is; of a ``step`` its spec."""
    rank: int | None
    """Of the best of its chunks; None where it was not among those ranked."""
    of: int
    """How many were ranked."""
    score: float | None
    chunk: str | None
    """The id of that chunk."""
    passed: bool


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of the expected document."""

    asked: str
    """As it was asked for."""
    kind: Literal["document", "chunk", "file"]
    documents: tuple[str, ...]
    """Those of the index that are meant; none where it has none of them."""
    chunks: int
    stage: Stage
    reason: str
    """A word that says more within the stage, such as ``hidden`` in ``not_read``; empty where there is none."""
    message: str
    remedy: str
    rank: int | None
    """Its rank in the whole answer to the query; None where it is not ranked at all."""
    evidence: Mapping[str, Any]
    """Numbers and names, by the stage: see docs/explain.md."""
    steps: tuple[Step, ...] = ()
    notes: tuple[str, ...] = ()
    """What else is worth knowing, and decided nothing."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why the hits of a query rank where they do, and where an expected document was lost."""

    query: str
    k: int
    where: str | None
    fusion: str | None
    """How the lists were joined; None where there is only one."""
    lists: tuple[List, ...]
    hits: tuple[ExplainedHit, ...]
    expected: Verdict | None = None
    chunks: int = 0
    """How many chunks the index has."""
    steps: str | None = None
    """What was done with the list; None where nothing was."""
    notes: tuple[str, ...] = field(default=())

    def as_json(self) -> dict[str, Any]:
        """As JSON values."""
        values = asdict(self)
        for hit, plain in zip(self.hits, values["hits"], strict=True):
            chunk = hit.chunk
            plain["id"], plain["document_id"] = chunk.id, chunk.document_id
            plain["start"], plain["end"], plain["text"] = chunk.start, chunk.end, chunk.text
            plain["metadata"] = dict(chunk.metadata)
            del plain["steps"]
            plain["steps"] = {name: {"rank": r, "score": s} for name, (r, s) in hit.steps.items()}
            plain["parts"] = plain.pop("parts")  # last, as it is the longest
            del plain["chunk"]
        return values
