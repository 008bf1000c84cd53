"""Vectors that outlive the index they were made for: texts that were embedded once are not embedded again.

For whoever embeds the same texts several times: a comparison, in which systems share an embedder. An index needs none,
as it keeps the vectors of what does not change.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import sqlite3
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ragembed.embed.base import Dense, Embedder, Truncation, checked_vectors
from ragembed.errors import StoreError

_SCHEMA = """
CREATE TABLE IF NOT EXISTS vectors(
    embedder BLOB, text BLOB, vector BLOB, seconds REAL, lost INTEGER, PRIMARY KEY (embedder, text)
) WITHOUT ROWID;
"""
_AT_ONCE = 500
"""Texts looked up by one statement."""


@dataclass(slots=True)
class Tally:
    """What a cache had of what its user asked for since it was opened."""

    texts: int = 0
    seconds: float = 0.0
    """What embedding those texts took when it was done."""
    truncation: Truncation = field(default_factory=Truncation)
    """What was cut off them then, and is lacking in their vectors now."""


class VectorCache:
    """A SQLite file of vectors by what identifies their embedder, and the text's digest.

    Only `costly` embedders go through it. For one thread at a time.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.tally = Tally()
        self._keys: dict[int, tuple[Embedder, bytes]] = {}
        with self._explained():
            self._db = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")  # what a power cut takes is embedded again
            self._db.executescript(_SCHEMA)

    def close(self) -> None:
        """Release the file."""
        self._db.close()

    def __enter__(self) -> VectorCache:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def embed(self, embedder: Embedder, texts: Sequence[str]) -> Dense:
        """The vectors ``(len(texts), dimension)`` of documents: those that are there, and the others made and kept."""
        if not embedder.costly:
            return checked_vectors(embedder, texts)
        key = self._key(embedder)
        digests = [hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest() for text in texts]
        size = embedder.dimension * 4
        vectors = np.zeros((len(texts), embedder.dimension), np.float32)
        known: dict[bytes, tuple[bytes, float, int]] = {}
        with self._explained():
            for start in range(0, len(digests), _AT_ONCE):
                part = list(dict.fromkeys(digests[start : start + _AT_ONCE]))
                marks = ",".join("?" * len(part))
                rows = self._db.execute(
                    f"SELECT text, vector, seconds, lost FROM vectors WHERE embedder = ? AND text IN ({marks})",
                    (key, *part),
                )
                known.update(
                    {text: (vector, s, lost) for text, vector, s, lost in rows if len(vector) == size}
                )
        missing = [i for i, digest in enumerate(digests) if digest not in known]
        for i, digest in enumerate(digests):
            if digest in known:
                data, seconds, lost = known[digest]
                vectors[i] = np.frombuffer(data, np.float32)
                self.tally.texts += 1
                self.tally.seconds += seconds
                self.tally.truncation.texts += lost > 0
                self.tally.truncation.tokens += lost
        if missing:
            vectors[missing] = self._make(
                embedder, key, [texts[i] for i in missing], [digests[i] for i in missing]
            )
        return vectors

    def _make(self, embedder: Embedder, key: bytes, texts: Sequence[str], digests: Sequence[bytes]) -> Dense:
        cut, started = embedder.truncation.texts, time.perf_counter()
        made = checked_vectors(embedder, texts)
        each = (time.perf_counter() - started) / len(texts)
        lost = [0] * len(texts) if embedder.truncation.texts == cut else _lost(embedder, texts)
        if lost is not None:
            rows = [
                (key, digest, vector.tobytes(), each, tokens)
                for digest, vector, tokens in zip(digests, made, lost, strict=True)
            ]
            with self._explained():
                self._db.execute("BEGIN IMMEDIATE")
                self._db.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?, ?, ?, ?)", rows)
                self._db.execute("COMMIT")
        return made

    def _key(self, embedder: Embedder) -> bytes:
        known = self._keys.get(id(embedder))
        if known is None:
            told = json.dumps([embedder.identity(), embedder.made_with()], sort_keys=True)
            known = self._keys[id(embedder)] = embedder, hashlib.sha256(told.encode()).digest()
        return known[1]

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            with contextlib.suppress(sqlite3.Error, AttributeError):
                self._db.rollback()  # a full disk leaves the transaction open
            raise StoreError(
                f"the cache of vectors {self.path} cannot be used ({error})",
                "delete it, or name another file",
            ) from error


def _lost(embedder: Embedder, texts: Sequence[str]) -> list[int] | None:
    """How many tokens of each text lie beyond what the embedder reads; None where it has no tokenizer to ask."""
    from ragembed.tokens import tokenizer

    if embedder.tokenizer_name is None or embedder.max_tokens is None:
        return None
    counted, most = tokenizer(embedder.tokenizer_name), embedder.max_tokens
    return [max(0, counted.count(text) - most) for text in texts]
