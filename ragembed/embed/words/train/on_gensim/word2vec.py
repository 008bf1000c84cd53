"""Word2Vec (Mikolov et al. 2013, "Efficient Estimation of Word Representations in Vector Space" and "Distributed
Representations of Words and Phrases and their Compositionality"), on gensim.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ragembed.embed.base import Dense
from ragembed.embed.words.train.base import Arrays, Start
from ragembed.embed.words.train.on_gensim.lines import Shard
from ragembed.embed.words.train.on_gensim.loss import Rows
from ragembed.embed.words.train.on_gensim.trainer import GensimTrainer
from ragembed.embed.words.vectors import WordVectors


@dataclass(kw_only=True)
class Word2VecTrainer(GensimTrainer):
    """A vector a word: skip-gram or CBOW, with negative sampling or hierarchical softmax."""

    name: ClassVar[str] = "word2vec"

    def result(self) -> WordVectors:
        """The input vectors."""
        return self._result(self._prepared().model.wv.vectors.copy())

    def _new_model(self, options: Mapping[str, Any]) -> Any:
        from gensim.models import Word2Vec

        return Word2Vec(**options)

    def _fill(self, model: Any, start: Start | None) -> None:
        from gensim.models.keyedvectors import prep_vectors

        old = None if start is None else np.array(start.array("syn0", start.vectors.vectors.shape))
        model.wv.vectors = prep_vectors((len(model.wv), self.dimension), prior_vectors=old, seed=self.seed)

    def _input_arrays(self, model: Any) -> Arrays:
        return {"syn0": model.wv.vectors}

    def _inputs(self, model: Any, rows: Rows) -> tuple[Dense, NDArray[np.float32]]:
        return model.wv.vectors[rows], np.ones(len(rows), np.float32)

    def _epoch(self, training: Any, shard: Shard, number: int, work: Dense, hidden: Dense) -> None:
        from gensim.models.word2vec_corpusfile import train_epoch_cbow, train_epoch_sg

        train = train_epoch_sg if self.skipgram else train_epoch_cbow
        place = (training.model, str(shard.path), 0, training.vocabulary, number)
        train(*place, None, shard.tokens, work, hidden, False)
