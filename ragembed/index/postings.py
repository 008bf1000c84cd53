"""An immutable inverted index of term counts: which documents hold a term, and how often.

It holds counts, not scores: everything that depends on the collection (idf, the average length) belongs to the query,
so that documents come and go without any posting being written again.

Arrays, for V terms, D documents and P postings:

==============  ===============  =================================================================
terms           uint8 (bytes)    the terms in UTF-8, sorted by their bytes, end to end
term_starts     uint32/64 (V+1)  where each begins in `terms`
list_starts     int64 (V+1)      where each term's postings begin
documents       int32 (P)        document numbers, ascending within a term
counts          uint8/16/32 (P)  how often the term stands in that document, at least 1
lengths         int32 (D)        number of terms in each document, with repetition
==============  ===============  =================================================================
"""

from __future__ import annotations

import bisect
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ragembed.analysis import Analyzer
from ragembed.errors import CorruptError
from ragembed.index.arrays import Array

_NAMES = ("terms", "term_starts", "list_starts", "documents", "counts", "lengths")


@dataclass(frozen=True, slots=True)
class Postings:
    """See the module's text for the arrays."""

    terms: NDArray[np.uint8]
    term_starts: NDArray[np.unsignedinteger]
    list_starts: NDArray[np.int64]
    documents: NDArray[np.int32]
    counts: NDArray[np.unsignedinteger]
    lengths: NDArray[np.int32]

    @classmethod
    def from_arrays(cls, arrays: dict[str, Array]) -> Postings:
        """Postings over `arrays`, which must fit one another: compiled code trusts the numbers in them."""
        try:
            made = cls(**{name: arrays[name] for name in _NAMES})  # type: ignore[arg-type]
        except KeyError as error:
            raise CorruptError(
                f"a segment of postings lacks {error}", "run: ragembed verify INDEX"
            ) from error
        if not made._fits():
            raise CorruptError(
                "a segment of postings has arrays that do not fit", "run: ragembed verify INDEX"
            )
        return made

    def _fits(self) -> bool:
        arrays = self.to_arrays()
        types = {"terms": "u1", "list_starts": "i8", "documents": "i4", "lengths": "i4"}
        return (
            all(
                array.ndim == 1 and array.dtype == types.get(name, array.dtype)
                for name, array in arrays.items()
            )
            and self.term_starts.dtype.kind == self.counts.dtype.kind == "u"
            and len(self.term_starts) == len(self.list_starts)
            and _divides(self.term_starts, len(self.terms))
            and _divides(self.list_starts, len(self.documents))
            and len(self.documents) == len(self.counts)
            and int(self.documents.view(np.uint32).max(initial=0)) < max(self.size, 1)
        )

    def to_arrays(self) -> dict[str, Array]:
        """The arrays under their names."""
        return {name: getattr(self, name) for name in _NAMES}

    @property
    def size(self) -> int:
        """Number of documents."""
        return len(self.lengths)

    @property
    def vocabulary_size(self) -> int:
        """Number of distinct terms."""
        return len(self.list_starts) - 1

    def term(self, number: int) -> str:
        """The term of that number."""
        return self.term_bytes(number).decode("utf-8")

    def term_bytes(self, number: int) -> bytes:
        """The term of that number in UTF-8."""
        return self.terms[self.term_starts[number] : self.term_starts[number + 1]].tobytes()

    def find(self, term: str) -> int:
        """The number of `term`, or -1; O(log V) reads, so that nothing but the touched pages is loaded."""
        wanted = term.encode("utf-8", "surrogatepass")
        at = bisect.bisect_left(range(self.vocabulary_size), wanted, key=self.term_bytes)
        return at if at < self.vocabulary_size and self.term_bytes(at) == wanted else -1

    def posting_list(self, number: int) -> tuple[NDArray[np.int32], NDArray[np.unsignedinteger]]:
        """Documents and counts of term `number`."""
        part = slice(self.list_starts[number], self.list_starts[number + 1])
        return self.documents[part], self.counts[part]


def _divides(starts: NDArray[np.integer], length: int) -> bool:
    """Whether `starts` ascends from 0 to `length`."""
    return bool(len(starts) and starts[0] == 0 and starts[-1] == length and (starts[1:] >= starts[:-1]).all())


class PostingsBuilder:
    """Collects documents and turns them into `Postings`. Each distinct word is analysed once."""

    def __init__(self, analyzer: Analyzer) -> None:
        self._analyzer = analyzer
        self._word_ids = _Numbering()
        self._words = array("i")
        self._ends = array("q", [0])

    def __len__(self) -> int:
        return len(self._ends) - 1

    def add(self, texts: Iterable[str]) -> None:
        """Append documents."""
        number = self._word_ids.__getitem__
        for text in texts:
            self._words.extend(map(number, self._analyzer.words(text)))
            self._ends.append(len(self._words))

    def build(self) -> Postings:
        """The postings of all documents added so far, numbered in the order of their adding."""
        term_ids: dict[str, int] = {}
        first = array("q", [0])  # word -> where its terms begin in `flat`
        flat = array("i")
        for word in self._word_ids:
            for term in self._analyzer.word_terms(word):
                flat.append(term_ids.setdefault(term, len(term_ids)))
            first.append(len(flat))
        words = np.frombuffer(self._words, np.int32)
        ends = np.frombuffer(self._ends, np.int64)
        terms, term_ends = _expand(words, ends, np.frombuffer(first, np.int64), np.frombuffer(flat, np.int32))
        return _postings(terms, term_ends, list(term_ids))


def postings_of_terms(documents: Sequence[Sequence[str]]) -> Postings:
    """The postings of documents that are lists of terms already."""
    numbering = _Numbering()
    flat = array("i")
    ends = array("q", [0])
    for terms in documents:
        flat.extend(map(numbering.__getitem__, terms))
        ends.append(len(flat))
    return _postings(np.frombuffer(flat, np.int32), np.frombuffer(ends, np.int64), list(numbering))


class _Numbering(dict[str, int]):
    """Gives each new key the next number; the look-up of a known one stays in C."""

    def __missing__(self, key: str) -> int:
        number = self[key] = len(self)
        return number


def _expand(
    words: NDArray[np.int32], ends: NDArray[np.int64], first: NDArray[np.int64], flat: NDArray[np.int32]
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Replace each word by its terms (none, one or several); returns the terms and each document's end."""
    per_word = np.diff(first)
    per_token = per_word[words]
    token_ends = np.concatenate(([0], np.cumsum(per_token)))  # (tokens + 1,)
    if per_word.max(initial=0) <= 1:
        kept = words[per_token > 0]
        return flat[first[kept]], token_ends[ends]
    within = np.arange(token_ends[-1]) - np.repeat(token_ends[:-1], per_token)
    return flat[np.repeat(first[words], per_token) + within], token_ends[ends]


def _postings(terms: NDArray[np.int32], ends: NDArray[np.int64], vocabulary: list[str]) -> Postings:
    """Sort (term, document) pairs and count the equal ones."""
    size = len(ends) - 1
    encoded = [term.encode("utf-8", "surrogatepass") for term in vocabulary]
    order = sorted(range(len(encoded)), key=encoded.__getitem__)
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    lengths = np.diff(ends)
    # one integer a token: sorting it groups by term, then document
    keys = rank[terms] * max(size, 1) + np.repeat(np.arange(size), lengths)
    keys.sort()
    heads = np.flatnonzero(np.diff(keys, prepend=-1))  # the first of each run of equal keys
    counts = np.diff(heads, append=len(keys))
    unique = keys[heads]
    list_starts = np.searchsorted(unique, np.arange(len(order) + 1, dtype=np.int64) * max(size, 1))
    widths = np.fromiter((len(encoded[i]) for i in order), np.int64, len(order))
    return Postings(
        terms=np.frombuffer(b"".join(encoded[i] for i in order), np.uint8),
        term_starts=smallest(np.concatenate(([0], np.cumsum(widths)))),
        list_starts=list_starts.astype(np.int64),
        documents=(unique % max(size, 1)).astype(np.int32),
        counts=smallest(counts),
        lengths=lengths.astype(np.int32),
    )


def smallest(values: NDArray[np.integer]) -> NDArray[np.unsignedinteger]:
    """Counts in the smallest unsigned type that holds the largest."""
    top = int(values.max(initial=0))
    return values.astype(np.uint8 if top < 1 << 8 else np.uint16 if top < 1 << 16 else np.uint32)
