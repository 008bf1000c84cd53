"""The tree of errors. Catch `RagembedError` for all that this toolkit expects to go wrong.

    RagembedError
    ├── SpecError              a spec does not parse, names nothing known, or has a bad parameter
    ├── MissingExtraError      a feature needs a package that is not installed
    ├── ReadError              a file cannot be read as what it is
    │   └── LimitError         a file is larger, or unpacks to more, than is allowed
    ├── DatasetError           a test collection, queries file, qrels or run is malformed
    ├── EmbeddingError         an embedder cannot embed (not fitted, wrong dimension, NaN)
    ├── QueryError             a query or its options make no sense (empty text, k < 1)
    ├── PeerError              another process of a group is gone or does not answer
    └── StoreError             anything about an index on disk
        ├── NotAnIndexError    the folder is no index
        ├── VersionError       the index was written in another format version
        ├── IdentityError      the index was made by another embedder or chunker
        ├── LockedError        another process is writing
        └── CorruptError       a file of the index is missing or damaged

Every error is one line: what is wrong, then after a semicolon what to do about it.
"""

from __future__ import annotations


class RagembedError(Exception):
    """An expected failure: `fault` says what is wrong, `remedy` what to do."""

    def __init__(self, fault: str, remedy: str = "") -> None:
        super().__init__(fault, remedy)
        self.fault = fault
        self.remedy = remedy

    def __str__(self) -> str:
        text = f"{self.fault}; {self.remedy}" if self.remedy else self.fault
        return " ".join(text.splitlines())  # also where a name or a text from outside is quoted


class SpecError(RagembedError, ValueError):
    """A spec does not parse, names nothing known, or has a bad parameter."""


class MissingExtraError(RagembedError, ImportError):
    """A feature needs a package that is not installed, or that is installed but broken."""


class ReadError(RagembedError):
    """A file cannot be read as what it is."""


class LimitError(ReadError):
    """A file is larger, or unpacks to more, than is allowed."""


class DatasetError(RagembedError):
    """A test collection, queries file, qrels or run is malformed."""


class EmbeddingError(RagembedError):
    """An embedder cannot embed: it is not fitted, or gave a wrong dimension or NaN."""


class QueryError(RagembedError, ValueError):
    """A query or its options make no sense."""


class PeerError(RagembedError):
    """Another process of a group is gone or does not answer."""


class StoreError(RagembedError):
    """Anything about an index on disk."""


class NotAnIndexError(StoreError):
    """The folder is no index."""


class VersionError(StoreError):
    """The index was written in another format version."""


class IdentityError(StoreError):
    """The index was made by another embedder or chunker."""


class LockedError(StoreError):
    """Another process is writing to the index."""


class CorruptError(StoreError):
    """A file of the index is missing or damaged."""
