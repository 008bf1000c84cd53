"""Word vectors without the words of texts that were deleted."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet

import numpy as np

from ragembed.embed.words.vectors import WordVectors


def only_words(vectors: WordVectors, words: AbstractSet[str], tokens: AbstractSet[str]) -> WordVectors | None:
    """`vectors` with no word but `words`, and no phrase but what makes one of `tokens`; None where nothing goes.

    Texts of those tokens are cut and looked up as before.
    """
    kept = [row for row, word in enumerate(vectors.words) if word in words]
    pairs: Sequence[Sequence[str]] = vectors.info.get("phrases") or ()
    phrases = _only_phrases(pairs, tokens) if pairs else []
    if len(kept) == len(vectors) and len(phrases) == len(pairs):
        return None
    rows = np.array(kept, np.int64)
    return WordVectors(
        [vectors.words[row] for row in kept],
        np.ascontiguousarray(vectors.vectors[rows]),
        counts=None if vectors.counts is None else np.asarray(vectors.counts)[rows],
        subwords=vectors.subwords,
        info={**vectors.info, **({"phrases": phrases} if pairs else {})},
    )


def _only_phrases(pairs: Sequence[Sequence[str]], tokens: AbstractSet[str]) -> list[list[str]]:
    """The pairs whose joined form is one of `tokens`, or part of another pair that stays, in their order."""
    from ragembed.embed.words.phrases.join import JOINT
    from ragembed.embed.words.phrases.learner import stages

    alive = set(tokens)
    passes = stages(pairs)
    for stage in reversed(passes):  # later passes are made of earlier ones
        for pair in stage:
            if JOINT.join(pair) in alive:
                alive.update(pair)
    left = [[list(pair) for pair in stage if JOINT.join(pair) in alive] for stage in passes]
    kept = [pair for stage in left for pair in stage]
    told_apart = [[list(pair) for pair in stage] for stage in stages(kept)] == [
        stage for stage in left if stage
    ]
    return kept if told_apart else [list(pair) for pair in pairs]
