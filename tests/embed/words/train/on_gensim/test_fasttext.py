"""FastText: n-grams that are learnt, and vectors of words that no text holds."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ragembed.embed.base import Dense
from ragembed.embed.words.corpus import TokenCorpus
from ragembed.embed.words.subwords import ngram_buckets
from ragembed.embed.words.tokens import WhitespaceTokenizer
from ragembed.embed.words.train.base import Start
from ragembed.embed.words.train.on_gensim.fasttext import FastTextTrainer, initial_rows
from ragembed.errors import EmbeddingError, SpecError

pytest.importorskip("gensim")

TEXTS = ["laufen läuft gelaufen lief laufend", "springen springt gesprungen sprang springend"] * 30


def silent(stage: str, share: float, loss: float | None) -> None:
    """Tells nobody."""


def prepared(folder: Path, start: Start | None = None, **options: Any) -> FastTextTrainer:
    trainer = FastTextTrainer(**{"dimension": 8, "epochs": 2, "workers": 1, "buckets": 3_000, **options})
    corpus = TokenCorpus.read(TEXTS, folder, WhitespaceTokenizer(), min_count=1)
    trainer.prepare(corpus, folder, start, silent)
    return trainer


def test_only_buckets_of_the_vocabulary_are_kept_and_they_make_gensims_vectors(tmp_path: Path) -> None:
    from gensim.models import FastText

    trainer = prepared(tmp_path)
    for number in range(2):
        trainer.round(number, silent)
    result = trainer.result()
    touched, _ = ngram_buckets(list(result.words), 3, 6, 3_000)
    assert result.subwords is not None
    assert result.subwords.used is not None
    np.testing.assert_array_equal(result.subwords.used, np.unique(touched))
    assert result.info["subwords"] == {"buckets": 3_000, "learnt": len(np.unique(touched))}

    theirs = FastText(vector_size=8, sg=1, workers=1, min_count=1, sorted_vocab=0, bucket=3_000, seed=1)
    theirs.build_vocab_from_freq(dict(zip(result.words, result.counts.tolist(), strict=True)))  # type: ignore[union-attr]
    lines = tmp_path / "lines-0.txt"
    theirs.train(corpus_file=str(lines), total_words=len(lines.read_text(encoding="utf-8").split()), epochs=2)
    known = theirs.wv.vectors_ngrams

    def ours(word: str) -> Dense:
        assert result.subwords is not None
        known, found = result.subwords.vectors([word])
        assert known[0]
        return found[0]

    for word in ("laufender", "gespringen", "läufst", "sprung"):
        buckets, _ = ngram_buckets([word], 3, 6, 3_000)
        learnt = np.isin(buckets, touched)
        assert learnt.any()
        expected = known[buckets[learnt]].mean(axis=0)  # n-grams that no word has are noise, and left out
        np.testing.assert_allclose(ours(word), expected, atol=1e-6)
        if learnt.all():
            np.testing.assert_allclose(ours(word), theirs.wv[word], atol=1e-6)
    inside = "springend"  # of a word whose n-grams are all learnt gensim says the same
    theirs.wv.key_to_index.pop(inside)
    np.testing.assert_allclose(ours(inside), theirs.wv[inside], atol=1e-6)


def test_a_word_whose_ngrams_are_unknown_has_no_vector(tmp_path: Path) -> None:
    known, _ = prepared(tmp_path, buckets=2_000_000).result().word_vectors(["xyzxyz", "laufen"])
    assert known.tolist() == [False, True]


def test_rows_begin_as_gensims(tmp_path: Path) -> None:
    from gensim.models.keyedvectors import prep_vectors

    used = np.array([0, 3, 65_535, 65_536, 99_999])
    theirs = prep_vectors((100_000, 5), seed=4)
    np.testing.assert_array_equal(initial_rows(used, 100_000, 5, 4), theirs[used])


def test_an_update_keeps_what_ngrams_learnt(tmp_path: Path) -> None:
    old = prepared(tmp_path)
    old.round(0, silent)
    start = Start(old.result(), {name: array.copy() for name, array in old.arrays().items()}, old.meta())
    texts, known = ["tanzen getanzt tanzend"], list(start.vectors.words)
    later = TokenCorpus.read(texts, tmp_path / "later", WhitespaceTokenizer(), min_count=1, known=known)
    new = dataclasses.replace(old)
    new.prepare(later, tmp_path / "later", start, silent)
    arrays = new.arrays()
    assert len(arrays["buckets"]) > len(start.arrays["buckets"])
    rows = np.searchsorted(arrays["buckets"], start.arrays["buckets"])
    np.testing.assert_array_equal(arrays["ngrams"][rows], start.arrays["ngrams"])
    with pytest.raises(EmbeddingError, match=r"\[3, 6, 3000\], \[3, 5, 3000\] are asked for"):
        prepared(tmp_path / "other", start, maxn=5)


@pytest.mark.parametrize("wrong", [{"minn": 4, "maxn": 3}, {"minn": 0}, {"buckets": 0}, {"buckets": 1 << 40}])
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(SpecError, match="makes no sense; give "):
        FastTextTrainer(**wrong)  # type: ignore[arg-type]


def test_tables_that_gensim_cannot_count_are_refused(tmp_path: Path) -> None:
    with pytest.raises(EmbeddingError, match=r"10 word vectors of 300000000 dimensions are more than"):
        prepared(tmp_path, dimension=300_000_000)
