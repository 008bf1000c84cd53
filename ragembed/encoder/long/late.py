"""Late chunking: chunks pooled from the vectors of their document's tokens (Guenther et al. 2024).

Each token has seen the text around its chunk: what "it" or "the city" refers to. A document that is longer than the
model takes goes through it in windows that overlap; each has special tokens and prompt of its own, which no chunk is
pooled from, and each token's vector is that of the window in which it lies farthest from a border.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ragembed.embed.base import encodable
from ragembed.encoder import pooling
from ragembed.encoder.long.pieces import Cutter
from ragembed.encoder.long.windows import Window, owned
from ragembed.encoder.model import Encoder
from ragembed.encoder.packing import Packing, batches
from ragembed.encoder.pooling import Pooling
from ragembed.errors import EmbeddingError
from ragembed.ledger import TokenLedger

Span = tuple[int, int]
"""From a character of a document to before another one."""
Offsets = NDArray[np.int64]
"""Of each token the characters that it is made of ``(tokens, 2)``."""


@dataclass(frozen=True, slots=True)
class Part:
    """Neighbouring rows of a window that belong to a chunk."""

    chunk: int
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Read:
    """A window as the model reads it, and what of it belongs to chunks."""

    ids: list[int]
    parts: list[Part]
    """With rows from the first of `ids`, and chunks numbered over all documents."""


class Late:
    """Embeds chunks in their documents, with a model that pools by the mean."""

    def __init__(
        self, encoder: Encoder, cutter: Cutter, pool: Pooling, device: torch.device, most: int | None = None
    ) -> None:
        """`most`: windows that go through the model at once; None: as many as fill it."""
        if pool is not pooling.mean:
            raise EmbeddingError(
                f"long=late pools chunks by the mean of their tokens, and this model by {pool.__name__}",
                "use long=windows for it",
            )
        self.encoder, self.cutter, self.device, self.most = encoder, cutter, device, most

    @torch.inference_mode()  # type: ignore[untyped-decorator]
    def chunks(
        self, texts: Sequence[str], spans: Sequence[Sequence[Span]], prompt: str
    ) -> tuple[Tensor, Tensor]:
        """Sums of the vectors of each chunk's tokens ``(chunks, D)``, and how many these are ``(chunks, 1)``."""
        total = sum(map(len, spans))
        sums = torch.zeros(total, self.encoder.config.hidden_size, device=self.device)
        counts = torch.zeros(total, 1, device=self.device)
        # in order, so that nothing waits for the end of a long document
        for batch in batches(self._windows(texts, spans, prompt), self.most):
            batch.sort(key=lambda one: len(one.ids))  # equal lengths go through attention together
            packing = Packing.of([len(each.ids) for each in batch], self.device)
            ids = torch.tensor([each for one in batch for each in one.ids], device=self.device)
            x: Tensor = self.encoder(ids, packing).float()  # (T, D)
            starts = packing.starts.tolist()
            found = [(start, part) for start, each in zip(starts, batch, strict=True) for part in each.parts]
            if not found:
                continue
            rows = torch.cat([torch.arange(start + part.start, start + part.stop) for start, part in found])
            sizes = torch.tensor([part.stop - part.start for _, part in found])
            owners = torch.tensor([part.chunk for _, part in found]).repeat_interleave(sizes)
            sums.index_add_(0, owners.to(self.device), x[rows.to(self.device)])
            counts += torch.bincount(owners, minlength=total)[:, None].to(self.device)
        return sums, counts

    def _windows(self, texts: Sequence[str], spans: Sequence[Sequence[Span]], prompt: str) -> Iterator[Read]:
        lead = len(self.cutter.tokenizer.before) + len(self.cutter.prompt_ids(prompt))
        first = 0
        for text, of_text in zip(texts, spans, strict=True):
            ids, offsets = self.cutter.tokenizer.offsets(encodable(text))
            chunks = tokens_of(of_text, np.array(offsets, np.int64).reshape(-1, 2), len(text))
            cut = self.cutter.windows(len(ids), prompt)
            self._count(len(ids), cut, chunks)
            for window, found in zip(cut, parts(cut, chunks), strict=True):
                shifted = [Part(first + each.chunk, lead + each.start, lead + each.stop) for each in found]
                inside = [*self.cutter.prompt_ids(prompt), *ids[window.start : window.stop]]
                if shifted:
                    yield Read(self.cutter.around(inside), shifted)
            first += len(of_text)

    def _count(self, length: int, cut: Sequence[Window], chunks: Sequence[Span]) -> None:
        covered = np.zeros(length + 1, np.int64)
        for start, stop in chunks:
            covered[start] += 1
            covered[stop] -= 1
        embedded = int((covered.cumsum()[:length] > 0).sum())
        again = sum(window.stop - window.start for window in cut) - length
        self.cutter.count(TokenLedger(length, embedded, 0, length - embedded, repeated=again))


def tokens_of(spans: Sequence[Span], offsets: Offsets, length: int) -> list[Span]:
    """The tokens of each chunk: all that it has at least a character of.

    Raises:
        EmbeddingError: A span does not lie within a document of `length` characters.
    """
    for start, end in spans:
        if not 0 <= start <= end <= length:
            raise EmbeddingError(
                f"a chunk goes from {start} to {end} in a document of {length} characters",
                "give spans of that document",
            )
    starts, ends = np.array(spans, np.int64).reshape(-1, 2).T
    first = np.searchsorted(np.maximum.accumulate(offsets[:, 1]), starts, "right")
    last = np.searchsorted(offsets[:, 0], ends, "left")
    return [(int(a), max(int(a), int(b))) for a, b in zip(first, last, strict=True)]


def parts(cut: Sequence[Window], chunks: Sequence[Span]) -> list[list[Part]]:
    """For each window which of its tokens, from its own first one, belong to which chunks (given in tokens)."""
    found: list[list[Part]] = []
    firsts = sorted(range(len(chunks)), key=lambda chunk: chunks[chunk])
    waiting, going = iter(firsts), []
    ahead = next(waiting, None)
    for window, (start, stop) in zip(cut, owned(cut), strict=True):
        while ahead is not None and chunks[ahead][0] < stop:
            going.append(ahead)
            ahead = next(waiting, None)
        going = [chunk for chunk in going if chunks[chunk][1] > start]
        found.append(
            [
                Part(
                    chunk,
                    max(chunks[chunk][0], start) - window.start,
                    min(chunks[chunk][1], stop) - window.start,
                )
                for chunk in going
            ]
        )
    return found
