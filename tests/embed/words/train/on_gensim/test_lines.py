"""Every token reaches gensim's compiled loops once."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragembed.embed.words.corpus import TokenCorpus
from ragembed.embed.words.tokens import WhitespaceTokenizer
from ragembed.embed.words.train.on_gensim import lines as module
from ragembed.embed.words.train.on_gensim.lines import write_lines
from ragembed.errors import EmbeddingError

TEXTS = st.lists(st.lists(st.sampled_from(["a", "b", "ü", "c"]), max_size=12).map(" ".join), max_size=12)


def read(texts: list[str], folder: Path) -> TokenCorpus:
    return TokenCorpus.read([*texts, "a b c ü"], folder, WhitespaceTokenizer(), min_count=1)


def silent(stage: str, share: float, loss: float | None) -> None:
    """Tells nobody."""


@given(texts=TEXTS, workers=st.integers(1, 5), batch=st.integers(1, 9))
def test_all_tokens_in_order_and_batches_full(texts: list[str], workers: int, batch: int) -> None:
    before = module.BATCH
    module.BATCH = batch
    try:
        with TemporaryDirectory() as name:
            corpus = read(texts, Path(name))
            shards = write_lines(corpus, Path(name), workers, silent)
            lines = [shard.path.read_text(encoding="utf-8").split("\n") for shard in shards]
    finally:
        module.BATCH = before
    assert all(
        each[-1] == "" for each in lines
    )  # without a last line end gensim loses what it has not used yet
    assert [shard.tokens for shard in shards] == [len(" ".join(each).split()) for each in lines]
    all_lines = [line for each in lines for line in each if line]
    batches = " ".join(all_lines).split("\x00")
    assert "".join(batches).split() == [word for text in corpus for word in text]
    assert [len(each.split()) for each in batches[:-2]] == [batch] * (len(batches) - 2)
    cuts = len([line for line in all_lines if line != "\x00"]) - sum(bool(text) for text in corpus)
    assert 0 <= cuts < len(batches)  # a text is only cut where a batch ends


def test_gensim_trains_on_every_token(tmp_path: Path) -> None:
    pytest.importorskip("gensim")
    from gensim.models import Word2Vec

    texts = [" ".join(f"w{number % 97}" for number in range(length)) for length in (9_990, 4_000, 25_000, 3)]
    corpus = TokenCorpus.read(texts, tmp_path, WhitespaceTokenizer(), min_count=1)
    (shard,) = write_lines(corpus, tmp_path, 1, silent)
    plain = tmp_path / "plain.txt"
    plain.write_text("\n".join(texts) + "\n")

    def used(path: Path) -> int:
        model = Word2Vec(vector_size=2, workers=1, sample=0, min_count=1)
        model.build_vocab_from_freq(dict(zip(corpus.words, corpus.counts.tolist(), strict=True)))
        return int(model.train(corpus_file=str(path), total_words=shard.tokens, epochs=1)[0])

    assert used(shard.path) == len(corpus.tokens) == 38_993
    assert used(plain) < 38_993  # what gensim loses of a file with a text a line


def test_no_word_of_the_corpus_ends_a_batch(tmp_path: Path) -> None:
    corpus = TokenCorpus.read(["\x00 a \x00\x00 a"], tmp_path, WhitespaceTokenizer(), min_count=1)
    (shard,) = write_lines(corpus, tmp_path, 1, silent)
    assert shard.path.read_text() == "\x00 a \x00\x00 a\n\x00\x00\x00\n"


def test_files_of_an_earlier_call_are_removed(tmp_path: Path) -> None:
    (tmp_path / "lines-7.txt").write_text("old")
    write_lines(read([], tmp_path), tmp_path, 4, silent)
    assert [path.name for path in tmp_path.glob("lines-*")] == ["lines-0.txt"]


def test_a_word_without_utf8_is_named(tmp_path: Path) -> None:
    corpus = read(["\udc80 \udc80"], tmp_path)
    with pytest.raises(EmbeddingError, match=r"the corpus holds '\\udc80', which is no text"):
        write_lines(corpus, tmp_path, 1, silent)


def test_the_workers_share_the_tokens_evenly(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    texts = [" ".join(random.choice(["x", "y", "z"], length)) for length in random.integers(1, 9_000, 30)]
    shards = write_lines(read(texts, tmp_path), tmp_path, 3, silent)
    tokens = [shard.tokens for shard in shards]
    assert max(tokens) - min(tokens) <= 10_001
