"""The texts of a corpus as gensim's compiled loops read them: files of lines, of which no token is lost.

Those loops take lines until a batch holds more than 10,000 tokens, and then silently drop what remains of it when
10,000 have gone in: a part of the last line, or all of a long one. Here every batch is 10,000 consecutive tokens of the
corpus, ended by one token that no word is; a text that goes over the end of a batch goes on in the next.

Each worker has a file of its own. gensim gives its workers places in one file by bytes and stops them by words, so that
what lies at the seams is read twice or not at all, and counts only a worker's own words when it lowers the learning
rate, which with several workers never gets down to its end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from ragembed.embed.words.corpus import TokenCorpus
from ragembed.embed.words.train.base import Tell
from ragembed.errors import EmbeddingError

BATCH = 10_000
"""Tokens that gensim's compiled loops hold at once (``MAX_SENTENCE_LEN``)."""


@dataclass(frozen=True)
class Shard:
    """The file of one worker."""

    path: Path
    tokens: int
    """Tokens in it, the ends of batches too."""
    size: int
    """Bytes."""


def write_lines(corpus: TokenCorpus, folder: Path, workers: int, tell: Tell) -> list[Shard]:
    """Write `corpus` to `folder` in files for `workers`, fewer where there are fewer batches than that."""
    words = encoded(corpus.words)
    end = b"\x00"
    while end in words:
        end += b"\x00"
    folder = folder.resolve()
    for left in folder.glob("lines-*.txt"):
        left.unlink()
    batches = -(-len(corpus.tokens) // BATCH)
    workers = max(1, min(workers, batches))
    shards = []
    for worker in range(workers):
        path = folder / f"lines-{worker}.txt"
        tokens = 0
        with path.open("wb") as file:
            for batch in range(batches * worker // workers, batches * (worker + 1) // workers):
                lines = _lines(corpus, words, batch * BATCH)
                file.write(b"\n".join([*lines, end, b""]))
                tokens += min(BATCH, len(corpus.tokens) - batch * BATCH) + 1
                if batch % 100 == 0:
                    tell("writing the texts for gensim", batch / batches, None)
        shards.append(Shard(path, tokens, path.stat().st_size))
    return shards


def _lines(corpus: TokenCorpus, words: Sequence[bytes], start: int) -> list[bytes]:
    """The batch that begins at token `start`, a line a text."""
    stop = min(start + BATCH, len(corpus.tokens))
    first, last = np.searchsorted(corpus.offsets, (start, stop), side="left")
    cuts = np.unique([0, *(corpus.offsets[first:last] - start).tolist(), stop - start]).tolist()
    found = [words[row] for row in corpus.tokens[start:stop].tolist()]
    return [b" ".join(found[begin:end]) for begin, end in pairwise(cuts)]


def encoded(words: Sequence[str]) -> list[bytes]:
    """`words` in UTF-8; raises `EmbeddingError` with the word that has none."""
    try:
        return [word.encode() for word in words]
    except UnicodeEncodeError as error:
        raise EmbeddingError(
            f"the corpus holds {error.object!r}, which is no text (a half of a surrogate pair)",
            "mend the file, or read it with errors='replace'",
        ) from error
