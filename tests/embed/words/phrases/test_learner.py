"""Phrases found as gensim finds them, and joined in passages as they were in training."""

from __future__ import annotations

import json
import math
from collections import Counter
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ragembed.embed.words.corpus import RawTokens, TokenCorpus, read_raw
from ragembed.embed.words.phrases import counts as pair_counts
from ragembed.embed.words.phrases import join as pair_join
from ragembed.embed.words.phrases.counts import count_pairs
from ragembed.embed.words.phrases.learner import PhraseJoiner, PhraseLearner, stages
from ragembed.embed.words.tokens import WhitespaceTokenizer
from ragembed.errors import SpecError

WORDS = st.lists(st.sampled_from(["a", "b", "c", "new york city", "a_b", "b_c"]), max_size=15)
TEXTS = st.lists(WORDS.map(" ".join), min_size=1, max_size=12)
PLAIN = TEXTS.map(lambda texts: [text.replace("_", "") for text in texts])


def raw_tokens(texts: list[str], folder: Path) -> RawTokens:
    return read_raw(texts, folder, WhitespaceTokenizer())


def texts_of(raw: RawTokens) -> list[list[str]]:
    return [[str(raw.words[number]) for number in raw.ids[start:end]] for start, end in pairwise(raw.offsets)]


@pytest.fixture(params=[3, 1 << 22], autouse=True)
def block(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything once in blocks smaller than a text."""
    monkeypatch.setattr(pair_counts, "BLOCK", request.param)
    monkeypatch.setattr(pair_join, "BLOCK", request.param)


@settings(max_examples=40)
@given(texts=TEXTS, passes=st.integers(1, 3), threshold=st.sampled_from([0.5, 1.0, 2.0]))
def test_passages_are_joined_as_the_training_texts_were(
    texts: list[str], passes: int, threshold: float
) -> None:
    with TemporaryDirectory() as folder:
        raw = raw_tokens(texts, Path(folder))
        joined = PhraseLearner(passes=passes, threshold=threshold, min_count=1)(raw, Path(folder))
        recorded = json.loads(json.dumps(joined.phrases))
        joiner = PhraseJoiner(recorded)
        expected = [joiner.join(text.split()) for text in texts]
        assert texts_of(joined) == expected
        np.testing.assert_array_equal(joined.counts, np.bincount(joined.ids, minlength=len(joined.words)))
        assert len(set(joined.words)) == len(joined.words)
    with TemporaryDirectory() as folder:
        again = joiner(raw_tokens(texts, Path(folder)), Path(folder))
        assert texts_of(again) == expected
        assert again.phrases == joined.phrases


@settings(max_examples=40)
@given(texts=PLAIN, threshold=st.sampled_from([0.3137, 1.0137, 2.0137]))
def test_the_phrases_are_gensims(texts: list[str], threshold: float) -> None:
    models = pytest.importorskip("gensim.models.phrases")
    tokens = [text.split() for text in texts]
    total = sum(map(len, tokens))
    if not total:
        return
    with TemporaryDirectory() as folder:
        joined = PhraseLearner(threshold=threshold, min_count=1)(
            raw_tokens(texts, Path(folder)), Path(folder)
        )
        # gensim multiplies by the words and pairs that it knows where word2phrase and we take the tokens
        known = len(models.Phrases(tokens, min_count=1, threshold=1).vocab)
        theirs = models.Phrases(tokens, min_count=1, threshold=threshold * known / total)
        assert {"_".join(pair) for pair in joined.phrases} == set(theirs.export_phrases())
        assert texts_of(joined) == [theirs[text] for text in tokens]


@settings(max_examples=40)
@given(texts=PLAIN)
def test_npmi_is_gensims(texts: list[str]) -> None:
    models = pytest.importorskip("gensim.models.phrases")
    tokens = [text.split() for text in texts]
    if sum(map(len, tokens)) < 2:
        return
    with TemporaryDirectory() as folder:
        learner = PhraseLearner(threshold=0.4, min_count=2, scoring="npmi")
        joined = learner(raw_tokens(texts, Path(folder)), Path(folder))
        theirs = models.Phrases(tokens, min_count=2, threshold=0.4, scoring="npmi")
        assert {"_".join(pair) for pair in joined.phrases} == set(theirs.export_phrases())


@settings(max_examples=40)
@given(texts=TEXTS, most=st.integers(1, 4))
def test_pairs_are_counted_within_texts(texts: list[str], most: int) -> None:
    expected = Counter(pair for text in texts for pair in pairwise(text.split()))
    with TemporaryDirectory() as folder:
        raw = raw_tokens(texts, Path(folder))
        every = np.ones(len(raw.words), np.bool_)
        keys, counts = count_pairs(raw, every)
        whole = dict(zip(keys.tolist(), counts.tolist(), strict=True))
        words = raw.words
        assert {(words[key >> 32], words[key & 0xFFFFFFFF]): whole[key] for key in whole} == expected
        fewer, some = count_pairs(raw, every, most)
        assert len(fewer) == min(most, len(keys))
        assert fewer.tolist() == sorted(fewer.tolist())
        assert all(count <= whole[key] for key, count in zip(fewer.tolist(), some.tolist(), strict=True))


def test_frequent_pairs_are_never_forgotten(tmp_path: Path) -> None:
    """Two pairs that stand in every text, among many that stand once, and room for six."""
    raw = raw_tokens([f"a b x{number} c d" for number in range(50)], tmp_path)
    keys, counts = count_pairs(raw, np.ones(len(raw.words), np.bool_), 6)
    kept = {
        (raw.words[key >> 32], raw.words[key & 0xFFFFFFFF]): n for key, n in zip(keys, counts, strict=True)
    }
    assert len(kept) == 6
    assert (kept["a", "b"], kept["c", "d"]) == (50, 50)


def test_a_score_by_hand(tmp_path: Path) -> None:
    texts = ["new york is big", "new york is new", "big is big"]
    # new york: (2 - 1) * 11 / (3 * 2) = 1.83; york is: (2 - 1) * 11 / (2 * 3) = 1.83; all others stand once: 0
    assert PhraseLearner(threshold=1.84, min_count=1)(raw_tokens(texts, tmp_path), tmp_path).phrases == ()
    joined = PhraseLearner(threshold=1.83, min_count=1)(raw_tokens(texts, tmp_path), tmp_path)
    assert set(joined.phrases) == {("new", "york"), ("york", "is")}
    assert texts_of(joined)[1] == ["new_york", "is", "new"]  # from left to right
    npmi = math.log(2 * 11 / (3 * 2)) / -math.log(2 / 11)  # 0.762
    for threshold, phrases in ((npmi - 1e-9, 2), (npmi + 1e-9, 0)):
        learner = PhraseLearner(threshold=threshold, min_count=2, scoring="npmi")
        assert len(learner(raw_tokens(texts, tmp_path), tmp_path).phrases) == phrases


def test_a_second_pass_makes_threes(tmp_path: Path) -> None:
    texts = ["new york city x", "y new york city", "the new y", "york x", "city y x"] * 4
    learner = PhraseLearner(passes=2, threshold=1.5, min_count=2)
    joined = learner(raw_tokens(texts, tmp_path), tmp_path)
    assert "new_york_city" in texts_of(joined)[0]
    assert len(stages(joined.phrases)) == 2


def test_a_corpus_with_phrases(tmp_path: Path) -> None:
    texts = ["i love new york", "new york loves me", "new new york"] * 3
    learner = PhraseLearner(threshold=1.5, min_count=2)
    corpus = TokenCorpus.read(texts, tmp_path, WhitespaceTokenizer(), min_count=1, merge=learner)
    assert ("new", "york") in corpus.phrases
    assert "york" not in corpus.words
    assert corpus.counts[corpus.words.index("new_york")] == 9
    assert corpus.counts[corpus.words.index("new")] == 3
    assert TokenCorpus.open(tmp_path).phrases == corpus.phrases
    assert sorted(path.name for path in tmp_path.iterdir()) == ["corpus.json", "offsets.i64", "tokens.i32"]


@pytest.mark.parametrize(
    "wrong",
    [{"passes": 0}, {"min_count": 0}, {"scoring": "pmi"}, {"scoring": "npmi"}, {"threshold": math.nan}],
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(SpecError, match=r"give|valid are"):
        PhraseLearner(**wrong)  # type: ignore[arg-type]
