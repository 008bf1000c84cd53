"""Nearest words and analogies, by hand and against gensim."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest

from ragembed.embed.words import WordVectors
from ragembed.embed.words.explore import neighbors as module
from ragembed.embed.words.explore.nearest import METHODS, cos_mul
from ragembed.embed.words.explore.neighbors import Neighbors, Question, parse_question
from ragembed.embed.words.subwords import Subwords
from ragembed.errors import QueryError

# one dimension for royal, one for woman, one for fruit
WORDS = ["man", "woman", "king", "queen", "apple", "half-king", "King"]
VECTORS = np.array(
    [[0, -1, 0], [0, 1, 0], [2, -1, 0], [2, 1, 0], [0, 0, 1], [1, -1, 0.1], [0, 0, 3]], np.float32
)


@pytest.fixture
def table() -> WordVectors:
    return WordVectors(WORDS, VECTORS)


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("king", [(1, "king")]),
        ("  king  ", [(1, "king")]),
        ("king - man + woman", [(1, "king"), (-1, "man"), (1, "woman")]),
        ("- man + king", [(-1, "man"), (1, "king")]),
        ("half-king + well-known", [(1, "half-king"), (1, "well-known")]),
        ("new york − york", [(1, "new york"), (-1, "york")]),
        ("-", [(1, "-")]),
        ("c++", [(1, "c++")]),
    ],
)
def test_questions(text: str, terms: list[Any]) -> None:
    assert parse_question(text) == Question(tuple(terms))
    assert parse_question(str(parse_question(text))) == parse_question(text)


@pytest.mark.parametrize("text", ["", "  ", "king -", "king - + woman", "+ -"])
def test_questions_that_lack_a_word(text: str) -> None:
    with pytest.raises(QueryError, match="write a word"):
        parse_question(text)


def test_an_analogy(table: WordVectors) -> None:
    answer = Neighbors(table).ask("king - man + woman", 3)
    best = answer.neighbors[0]
    assert (best.word, best.row) == ("queen", 3)
    # unit vectors (2, -1)/sqrt 5 + (0, 1) + (0, 1) against (2, 1)/sqrt 5
    total = np.array([2, -1]) / np.sqrt(5) + [0, 2]
    assert best.score == pytest.approx(total @ [2, 1] / np.sqrt(5) / np.linalg.norm(total))
    assert not {"king", "man", "woman"} & {one.word for one in answer.neighbors}
    assert Neighbors(table).ask("king - man + woman", 1, "3cosmul").neighbors[0].word == "queen"


def test_case_is_that_of_the_question_where_it_is_known(table: WordVectors) -> None:
    assert Neighbors(table).ask("King", 1).neighbors[0].word == "apple"
    lower = Neighbors(table).ask("QUEEN", 1)
    assert [(term.found, term.row) for term in lower.terms] == [("lower case", 3)]
    assert lower.neighbors[0].word == "king"


def test_an_unknown_word_and_spellings_like_it(table: WordVectors) -> None:
    with pytest.raises(QueryError, match=r"no vector of 'quen' among 7 words; there are: queen$"):
        Neighbors(table).ask("quen")
    with pytest.raises(QueryError, match="signs stand between spaces: king - man"):
        Neighbors(table).ask("king -man")
    with pytest.raises(QueryError, match="use vectors that know more words"):
        Neighbors(table).ask("zzz")


def test_a_word_that_is_made_of_its_ngrams() -> None:
    ngrams = np.zeros((1, 3), np.float32)
    ngrams[0] = 1, 0.9, 0  # whatever n-gram it is, there is one row
    table = WordVectors(WORDS, VECTORS, subwords=Subwords(3, 6, 1, ngrams))
    answer = Neighbors(table).ask("queenly", 2)
    assert [(term.word, term.found, term.row) for term in answer.terms] == [("queenly", "unseen", None)]
    assert [one.word for one in answer.neighbors] == ["queen", "woman"]


def test_vectors_that_cannot_be_asked_for() -> None:
    table = WordVectors(
        ["zero", "nan", "one", "two"], np.array([[0, 0], [np.nan, 1], [1, 0], [1, 1]], np.float32)
    )
    search = Neighbors(table)
    with pytest.raises(QueryError, match="'zero' is zeros"):
        search.ask("zero")
    with pytest.raises(QueryError, match="'nan' is NaN"):
        search.ask("one + nan")
    with pytest.raises(QueryError, match="'one - one' cancel"):
        search.ask("one - one")
    assert [one.word for one in search.ask("one").neighbors] == ["two"]


def test_what_is_refused(table: WordVectors) -> None:
    with pytest.raises(QueryError, match="k is 0"):
        Neighbors(table).ask("king", 0)
    with pytest.raises(QueryError, match="valid are: 3cosadd, 3cosmul"):
        Neighbors(table).ask("king", method="4cos")


@pytest.mark.filterwarnings("ignore:Call to deprecated `init_sims`")  # by gensim itself
@pytest.mark.parametrize("seed", range(5))
def test_as_gensim(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    models = pytest.importorskip("gensim.models")
    rng = np.random.default_rng(seed)
    words = [f"w{number}" for number in range(500)]
    vectors = rng.standard_normal((500, 24)).astype(np.float32) * rng.uniform(0.1, 5, (500, 1)).astype(
        np.float32
    )
    theirs = models.KeyedVectors(24)
    theirs.add_vectors(words, vectors)
    ours = Neighbors(WordVectors(words, vectors))
    same_epsilon = functools.partial(cos_mul, epsilon=1e-6)  # gensim's
    monkeypatch.setattr(module, "METHODS", {**METHODS, "3cosmul": same_epsilon})
    for plus, minus in ((["w3"], []), (["w3", "w8"], []), (["w1", "w2"], ["w3"]), (["w9"], ["w5", "w6"])):
        question = Question((*((1, word) for word in plus), *((-1, word) for word in minus)))
        for method, ask in (("3cosadd", theirs.most_similar), ("3cosmul", theirs.most_similar_cosmul)):
            found = ours.ask(question, 20, method).neighbors
            wanted = ask(positive=plus, negative=minus, topn=20)
            assert [one.word for one in found] == [word for word, _ in wanted]
            assert [one.score for one in found] == pytest.approx(
                [score for _, score in wanted], rel=1e-5, abs=1e-6
            )
