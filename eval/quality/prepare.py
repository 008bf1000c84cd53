"""An embedder made ready to be judged: its language settled, and what it learns learnt."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice

from ragembed.embed import EMBEDDERS
from ragembed.embed.base import Embedder
from ragembed.errors import DatasetError, EmbeddingError
from ragembed.eval.quality.words import HasWords

_SAMPLE = 1_000
"""Texts that an embedder looks at to settle its language, as when it indexes."""


_GIVE = "give a corpus, much text of the kind that it shall know (--corpus)"


def ready(
    embedder: str | Embedder,
    corpus: Iterable[str] | None,
    own: Sequence[str],
    *,
    words: bool = False,
    remedy: str = _GIVE,
) -> tuple[Embedder, str | None]:
    """The embedder, and what it learnt from in words (None: it learnt nothing here).

    One that is given as an object and without a `corpus` is taken as it is. A spec of one that learns needs a `corpus`;
    a lexical one without takes `own`, the texts that it will be judged by, from which it learns which terms there are.
    One that has words already learns nothing where only its `words` are asked for: what it would is how to pool them.
    `remedy` says what to do where texts to learn from are missing.
    """
    maker = EMBEDDERS.create(embedder) if isinstance(embedder, str) else embedder
    learns = maker.learns or maker.kind == "sparse"
    if words and isinstance(maker, HasWords) and maker.has_words:
        maker.adapt(own[:_SAMPLE])
        return maker, None
    if corpus is None:
        if isinstance(embedder, Embedder):
            return maker, None
        if maker.learns:
            raise EmbeddingError(f"{maker.name} learns from texts, and was given none", remedy)
        maker.adapt(own[:_SAMPLE])
        if learns:
            maker.fit(own)
        return maker, f"the file's own {len(own)} texts" if learns else None
    texts = _Counted(corpus)
    sample = list(islice(texts, _SAMPLE))
    if not sample:
        raise DatasetError("the corpus holds no text", "give files with text")
    maker.adapt(sample)
    if not learns:
        return maker, None
    maker.fit(chain(sample, texts))
    return maker, f"{texts.count} texts of the corpus"


class _Counted:
    """Texts, one after the other, and how many there were."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._texts = iter(texts)
        self.count = 0

    def __iter__(self) -> Iterator[str]:
        for text in self._texts:
            self.count += 1
            yield text
