"""A corpus read once equals what plain counting gives."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragembed.embed.words import corpus as module
from ragembed.embed.words.corpus import TokenCorpus
from ragembed.embed.words.tokens import WhitespaceTokenizer, WordTokenizer
from ragembed.errors import EmbeddingError

TEXTS = st.lists(st.lists(st.sampled_from("abcdef"), max_size=9), max_size=9)


@given(texts=TEXTS, least=st.integers(1, 3), flush=st.integers(1, 7))
def test_equals_plain_counting(texts: list[list[str]], least: int, flush: int) -> None:
    counts = Counter(word for text in texts for word in text)
    words = sorted((word for word in counts if counts[word] >= least), key=lambda word: (-counts[word], word))
    before = module._FLUSH
    module._FLUSH = flush  # many blocks even of a small corpus
    try:
        with TemporaryDirectory() as folder:
            joined = (" ".join(text) for text in texts)
            if len(words) < 2:
                with pytest.raises(EmbeddingError):
                    TokenCorpus.read(joined, Path(folder), WhitespaceTokenizer(), min_count=least)
                return
            corpus = TokenCorpus.read(joined, Path(folder), WhitespaceTokenizer(), min_count=least)
            assert corpus.words == words
            assert corpus.counts.tolist() == [counts[word] for word in words]
            assert list(corpus) == [[word for word in text if word in words] for text in texts]
            assert corpus.read_tokens == sum(counts.values())
            again = TokenCorpus.open(Path(folder))
            assert again.words == words
            assert again.tokens.tolist() == corpus.tokens.tolist()
    finally:
        module._FLUSH = before


def test_most_frequent_words_are_kept(tmp_path: Path) -> None:
    corpus = TokenCorpus.read(["a a a b b c"], tmp_path, WhitespaceTokenizer(), min_count=1, max_words=2)
    assert corpus.words == ["a", "b"]


def test_known_words_come_first_and_stay(tmp_path: Path) -> None:
    corpus = TokenCorpus.read(["a a b"], tmp_path, WhitespaceTokenizer(), min_count=1, known=["z", "b"])
    assert corpus.words == ["z", "b", "a"]
    assert corpus.counts.tolist() == [0, 1, 2]
    assert list(corpus) == [["a", "a", "b"]]


def test_rare_words_are_forgotten_for_want_of_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_WORDS", 10)
    monkeypatch.setattr(module, "_FLUSH", 8)
    texts = [f"often rare{n} often" for n in range(40)] + ["other " * 5]
    corpus = TokenCorpus.read(texts, tmp_path, WhitespaceTokenizer(), min_count=2)
    assert corpus.words == ["often", "other"]
    assert corpus.counts.tolist() == [80, 5]


def test_a_huge_text_is_cut_at_white_space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PIECE", 10)
    text = "apple pear plum " * 20
    corpus = TokenCorpus.read([text, "x" * 35], tmp_path, WordTokenizer(), min_count=1)
    assert corpus.texts == 2
    assert next(iter(corpus)) == ["apple", "pear", "plum"] * 20


def test_what_is_too_little_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EmbeddingError, match="holds no words"):
        TokenCorpus.read(["", "?!"], tmp_path / "a", WordTokenizer())
    with pytest.raises(EmbeddingError, match="1 of the corpus's 2 words stand in it 2 times"):
        TokenCorpus.read(["one one two"], tmp_path / "b", WordTokenizer(), min_count=2)


def test_nothing_is_there_before_it_is_whole(tmp_path: Path) -> None:
    def broken() -> object:
        yield "a b c"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        TokenCorpus.read(broken(), tmp_path, WordTokenizer())  # type: ignore[arg-type]
    with pytest.raises(FileNotFoundError):
        TokenCorpus.open(tmp_path)


def test_tokens_of_the_word_tokenizer() -> None:
    cut = WordTokenizer().tokens
    assert cut("The cat's 2nd Café, e-mail snake_case!") == [
        "the", "cat's", "2nd", "café", "e", "mail", "snake", "case",
    ]  # fmt: skip
    assert cut("It's A cat") == ["it's", "a", "cat"]
    assert cut("\u4f60\u597d") == WordTokenizer().tokens("\u4f60\u597d")
    assert max(map(len, cut("x" * 5000 + " y"))) == 100
    assert np.all([token == token.lower() for token in cut("MiXed CASE Ünï")])
