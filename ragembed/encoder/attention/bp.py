"""BP-Transformer's attention: near tokens one by one, farther ones in spans, the coarser the farther away they are.

A binary tree over each document has its tokens at level 0 and spans of 2ʲ tokens at level j. A query looks to both
sides: at the k nearest tokens, then at the next k spans of two, the next k of four, and so on to the ends; where a span
would overlap with what it has, half of it goes first. So each token is seen once, alone or in one span. That is a rule
for each span by itself: it is seen as one where enough tokens lie between, and its halves where fewer do. Spans stand
behind the tokens in one array of keys, and all go through the blocked kernel together.

Kept of the paper are the tree, its contextual edges, and that a span weighs in the softmax as a token does. Left out is
what takes a whole model: there, spans are nodes with states of their own, which each layer computes by attention over
their tokens, and logits have a bias for each place in the tree. Here a span is the mean of its tokens.
"""

from __future__ import annotations

from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, ClassVar

from ragembed.encoder.attention.blocks import as_many, block_of
from ragembed.encoder.attention.kernels import without_padding
from ragembed.encoder.attention.mask import Mask
from ragembed.encoder.attention.mechanism import Mechanism
from ragembed.encoder.attention.span_tree import SpanTree
from ragembed.errors import SpecError

if TYPE_CHECKING:
    from torch import Tensor

_MOST_BLOCK = 64


class BP(Mechanism):
    """All of a document within reach, in detail that falls with the distance; with k of n or more, exact attention.

    Spans are cut from the start of a document: padding at its end changes nothing, padding before it moves them.
    """

    name: ClassVar[str] = "bp"
    exact: ClassVar[bool] = False
    definition: ClassVar[str] = "softmax attention over near tokens and the means of farther spans"
    honours: ClassVar[frozenset[str]] = frozenset({"causal", "keep", "lengths"})
    paper: ClassVar[str] = "Ye et al. 2019 (BP-Transformer): its contextual edges, with means for span nodes"
    time: ClassVar[str] = "O(n (k log(n / k) + b) d), k the spans of a level and b the block"
    memory: ClassVar[str] = "O(n (1 + k log(n / k) / b) d) with gradients, O(n d) without"
    advice: ClassVar[str] = (
        "models that are trained with it; in place of full attention means of far tokens are far off"
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
            mask: causal: spans that end before the query; keep: means over what is kept, and spans that are nothing but
                padding are not seen; lengths: a tree for each document.
            k: Tokens, and spans of each level, to either side.
            weigh: Whether a span of s tokens weighs as s of them, by log s beside its logit, and not as one, as in the
                paper. It is the least that they weigh together (the exponential is convex), and all they weigh where
                their keys are alike: nearer to full attention where that is flat, not always where it is sharp.
            block: Queries taken together; None: k, but from 32 to 64.
            scale: None: 1 / sqrt(d).
        """
        import torch

        n = as_many(self.name, query, key)
        b = block_of(2 * _checked(k), n, block, _MOST_BLOCK)
        key, value = without_padding(mask, key, value)
        keep = torch.ones(len(query), n, dtype=torch.bool) if mask.keep is None else mask.keep
        keep = keep.to(query.device)
        documents = _documents(mask, n)
        trees: dict[int, SpanTree] = {}
        rows = []
        for row in range(len(query)):
            found = []
            for own in documents[row if len(documents) > 1 else 0]:
                size = own.stop - own.start
                if size not in trees:
                    trees[size] = SpanTree(size, k, min(b, size), mask.causal, query.device)
                q, keys, values = (each[row, :, own] for each in (query, key, value))
                found.append(trees[size].attend(q, keys, values, keep[row, own], weigh=weigh, scale=scale))
            rows.append(torch.cat(found, dim=1))
        return torch.stack(rows)

    def pattern(self, n: int, mask: Mask | None = None, *, k: int = 32) -> Tensor:
        """In a span of how many tokens each query sees each key ``(n, n)`` int, under a mask of one row.

        0 is not at all, 1 by itself, 2ʲ in a span of level j, of which the end of the document may cut some off.
        """
        import torch

        mask, where = Mask() if mask is None else mask, torch.device("cpu")
        seen = torch.zeros(n, n, dtype=torch.int64)
        for own in _documents(mask, n)[0]:
            size = own.stop - own.start
            seen[own, own] = SpanTree(size, _checked(k), size, mask.causal, where).sizes()
        return seen if mask.keep is None else seen * mask.keep[0].to(where)


def _checked(k: int) -> int:
    if k < 1:
        raise SpecError(f"k is {k}", "give 1 or more")
    return k


def _documents(mask: Mask, n: int) -> list[list[slice]]:
    """Where the documents of each row lie; of one row, where all are cut alike. Empty ones are left out."""
    rows = [[n]] if mask.lengths is None else mask.document_lengths
    bounds = ([0, *accumulate(lengths)] for lengths in rows)
    return [[slice(*pair) for pair in pairwise(row) if pair[0] < pair[1]] for row in bounds]
