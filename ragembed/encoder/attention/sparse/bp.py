"""BP-Transformer's attention (binary partitioning): near tokens one by one, distant ones in ever longer spans.

A binary tree over each document has its tokens at level 0 and spans of 2ʲ tokens at level j. To each side a query sees
the k nearest tokens, then the next k spans of two tokens, the next k spans of four, and so on to the end; a span that
would overlap with what is seen already is preceded by half a span. So each token is seen once, alone or in one span. It
follows that a span can be judged by itself: it is seen as a whole if enough tokens lie between it and the query, else
its halves are. Spans follow the tokens in one array of keys, which go through the blocked kernel together.

From the paper come the tree, its contextual edges, and that a span weighs in the softmax as much as a token. Left out
is what needs a whole model: in the paper spans are nodes with states of their own, which each layer computes by
attention over their tokens (affiliated edges), and logits have a bias for each relative position in the tree. Here a
span is the mean of its tokens.
"""

from __future__ import annotations

from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, ClassVar

from ragembed.encoder.attention.kernels import without_padding
from ragembed.encoder.attention.mask import Mask
from ragembed.encoder.attention.mechanism import Mechanism
from ragembed.encoder.attention.sparse.blocks import block_size, same_length
from ragembed.encoder.attention.sparse.span_tree import SpanTree
from ragembed.errors import SpecError

if TYPE_CHECKING:
    from torch import Tensor

_MAX_BLOCK = 64


class BP(Mechanism):
    """A query sees all of its document, in less detail the farther away; with k >= n this is exact attention.

    Spans are cut from the start of a document: padding at its end changes nothing, padding at its start shifts them.
    """

    name: ClassVar[str] = "bp"
    exact: ClassVar[bool] = False
    definition: ClassVar[str] = "softmax attention over near tokens and the means of farther spans"
    honours: ClassVar[frozenset[str]] = frozenset({"causal", "keep", "lengths"})
    paper: ClassVar[str] = "Ye et al. 2019 (BP-Transformer): its contextual edges, with means for span nodes"
    time: ClassVar[str] = "O(n (k log(n / k) + b) d), k the spans of a level and b the block"
    memory: ClassVar[str] = "O(n (1 + k log(n / k) / b) d) with gradients, O(n d) without"
    advice: ClassVar[str] = (
        "models trained with it; in place of full attention its means of distant tokens are a poor estimate"
    )

    def attend(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        mask: Mask,
        *,
        k: int = 32,
        weigh: bool = False,
        block: int | None = None,
        scale: float | None = None,
    ) -> Tensor:
        """Options.

        Args:
            query: ``(batch, heads, n, d)``.
            key: ``(batch, kv_heads, n, d)``.
            value: ``(batch, kv_heads, n, e)``.
            mask: Under causal a query sees only spans that end before it. Means leave padding out, and spans of nothing
                but padding are not seen. With lengths each document has its own tree.
            k: Tokens, and spans of each level, that are seen to each side.
            weigh: Whether a span of s tokens weighs as much as s tokens (log s is added to its logit) instead of as one
                as in the paper. By convexity this is a lower bound of their total weight in full attention, and equal
                to it if their keys are equal: closer to full attention if that is flat, not always if it is peaked.
            block: Queries of a block; None: k, but from 32 to 64.
            scale: Of the inner products; None: 1 / sqrt(d).
        """
        import torch

        n = same_length(self.name, query, key)
        k = min(_checked(k), n)
        b = block_size(2 * k, n, block, _MAX_BLOCK)
        key, value = without_padding(mask, key, value)
        keep = torch.ones(len(query), n, dtype=torch.bool) if mask.keep is None else mask.keep
        keep = keep.to(query.device)
        documents = _documents(mask, n)
        trees: dict[int, SpanTree] = {}
        rows = []
        for row in range(len(query)):
            results = []
            for document in documents[row if len(documents) > 1 else 0]:
                size = document.stop - document.start
                if size not in trees:
                    trees[size] = SpanTree(size, k, min(b, size), mask.causal, query.device)
                q, keys, values = (each[row, :, document] for each in (query, key, value))
                results.append(
                    trees[size].attend(q, keys, values, keep[row, document], weigh=weigh, scale=scale)
                )
            rows.append(torch.cat(results, dim=1))
        return torch.stack(rows)

    def pattern(self, n: int, mask: Mask | None = None, *, k: int = 32) -> Tensor:
        """The size of the span in which each query sees each key ``(n, n)`` int64, under a mask of one row.

        0: not seen; 1: seen as a token; 2ʲ: seen in a span of level j, even if the document ends within the span.
        """
        import torch

        mask, device = Mask() if mask is None else mask, torch.device("cpu")
        seen = torch.zeros(n, n, dtype=torch.int64)
        for document in _documents(mask, n)[0]:
            size = document.stop - document.start
            seen[document, document] = SpanTree(size, min(_checked(k), n), size, mask.causal, device).sizes()
        return seen if mask.keep is None else seen * mask.keep[0].to(device)


def _checked(k: int) -> int:
    if k < 1:
        raise SpecError(f"k is {k}", "give 1 or more")
    return k


def _documents(mask: Mask, n: int) -> list[list[slice]]:
    """The documents of each row, or of one that stands for all rows; empty ones are left out."""
    rows = [[n]] if mask.lengths is None else mask.document_lengths
    bounds = ([0, *accumulate(lengths)] for lengths in rows)
    return [[slice(*pair) for pair in pairwise(row) if pair[0] < pair[1]] for row in bounds]
