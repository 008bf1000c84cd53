"""Analogies against the plain twin, and what counts as an answer."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.sparse import csr_array

from ragembed.errors import DatasetError, EmbeddingError
from ragembed.eval.quality import analogies as module
from ragembed.eval.quality import reference
from ragembed.eval.quality.analogies import OBJECTIVES, analogies, cos_mul, total
from ragembed.eval.quality.files import Section

# first number: man or woman, second: royal, third: something to eat
ROYAL = {
    "man": (1, 0, 0), "woman": (-1, 0.1, 0), "king": (1, 2, 0), "queen": (-1, 2.1, 0),
    "prince": (0.9, 1, 0.2), "apple": (0.1, 0, 1),
}  # fmt: skip
QUESTION = ("man", "king", "woman", "queen")


def table(words: dict[str, tuple[float, ...]]) -> tuple[list[str], NDArray[np.float32]]:
    return list(words), np.array(list(words.values()), np.float32)


def right(
    question: tuple[str, str, str, str], words: dict[str, tuple[float, ...]], **options: bool
) -> dict[str, int]:
    (answered,) = analogies([Section("s", [question])], *table(words), **options)
    assert answered.covered == 1
    return answered.right


def test_man_is_to_king_as_woman_is_to_queen() -> None:
    assert right(QUESTION, ROYAL) == {"3CosAdd": 1, "3CosMul": 1}
    assert right(("man", "king", "woman", "prince"), ROYAL) == {"3CosAdd": 0, "3CosMul": 0}


def test_the_words_of_the_question_are_no_answer() -> None:
    # without the rule, b - a + c would be nearest to b itself
    words = {"a": (1, 0.0), "b": (1, 0.1), "c": (1, 0.05), "d": (0.5, 0.5)}
    assert right(("a", "b", "c", "d"), words) == {"3CosAdd": 1, "3CosMul": 1}


def test_case_of_questions_and_of_answers() -> None:
    shouted = {word.upper(): vector for word, vector in ROYAL.items()}
    assert right(QUESTION, shouted)["3CosAdd"] == 1
    with pytest.raises(DatasetError, match="none of 1 questions"):
        right(QUESTION, shouted, ignore_case=False)
    # another spelling of a given word is as little an answer as that word
    spelt = {**ROYAL, "King": (-1, 2.2, 0)}
    assert right(QUESTION, spelt)["3CosAdd"] == 1
    assert right(QUESTION, {**ROYAL, "other": (-1, 2.09, 0), "queen": (-1, 2.5, 0)})["3CosAdd"] == 0


def test_a_tie_is_no_answer() -> None:
    words = {"a": (1, 0, 0, 0), "b": (0, 1, 0, 0), "c": (0, 0, 1, 0), "d": (0, 0, 0, 1), "e": (0, 0, 0, -1)}
    assert right(("a", "b", "c", "d"), words) == {"3CosAdd": 0, "3CosMul": 0}


def test_words_of_one_vector_are_one_word() -> None:
    twins = {**ROYAL, "queens": ROYAL["queen"]}
    assert right(QUESTION, twins) == {"3CosAdd": 1, "3CosMul": 1}
    # who cannot tell queen from king cannot answer queen
    assert right(QUESTION, {**ROYAL, "queen": ROYAL["king"]}) == {"3CosAdd": 0, "3CosMul": 0}
    assert right(("man", "king", "woman", "KING"), ROYAL) == {"3CosAdd": 0, "3CosMul": 0}


def test_unknown_words_and_vectors_of_zeros() -> None:
    questions = [QUESTION, ("man", "king", "woman", "duchess"), ("nobody", "king", "woman", "queen")]
    (answered,) = analogies([Section("s", questions)], *table({**ROYAL, "nobody": (0, 0, 0)}))
    assert (answered.questions, answered.covered) == (3, 1)
    assert answered.accuracy("3CosAdd", "skip") == 1
    assert answered.accuracy("3CosAdd", "zero") == pytest.approx(1 / 3)


def test_sections_and_totals() -> None:
    sections = [Section("family", [QUESTION]), Section("gram1", [("a", "b", "c", "d")]), Section("none", [])]
    found = analogies(sections, *table(ROYAL))
    assert [(part.name, part.questions, part.covered, part.syntactic) for part in found] == [
        ("family", 1, 1, False), ("gram1", 1, 0, True), ("none", 0, 0, False),
    ]  # fmt: skip
    assert found[1].accuracy("3CosMul", "skip") is None
    assert found[1].accuracy("3CosMul", "zero") == 0
    overall = total("all", found)
    assert (overall.questions, overall.covered, overall.right) == (2, 1, {"3CosAdd": 1, "3CosMul": 1})


def test_nan_is_refused() -> None:
    with pytest.raises(EmbeddingError, match="'king' holds NaN"):
        right(QUESTION, {**ROYAL, "king": (1, np.nan, 0)})


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.booleans())
def test_as_the_plain_twin_in_blocks_of_any_size(seed: int, block: int, sparse: bool) -> None:
    generator = np.random.default_rng(seed)
    words = [f"w{number}" for number in range(30)]
    vectors = generator.normal(size=(30, 8)).astype(np.float32)
    if sparse:
        vectors[generator.random(vectors.shape) < 0.4] = 0
        vectors[:, 0] += 0.01 * np.arange(1, 31)  # no zeros, no twins
    plain = {word: vector.astype(np.float64) for word, vector in zip(words, vectors, strict=True)}
    asked = [tuple(generator.choice(words, 3, replace=False).tolist()) for _ in range(20)]
    twins = {"3CosAdd": reference.cos_add, "3CosMul": reference.cos_mul}
    for name, objective in twins.items():
        answers = [reference.answer(three, plain, objective) for three in asked]
        # every other question is given a wrong answer on purpose
        wanted = [
            answer if number % 2 else next(word for word in words if word not in (*three, answer))
            for number, (three, answer) in enumerate(zip(asked, answers, strict=True))
        ]
        sections = [
            Section(str(n), [(*three, d)]) for n, (three, d) in enumerate(zip(asked, wanted, strict=True))
        ]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, "_BLOCK", block)
            patch.setattr(module, "_QUESTIONS", 3)
            given_vectors = csr_array(vectors) if sparse else vectors
            found = analogies(sections, words, given_vectors, objectives={name: OBJECTIVES[name]})
        assert [part.right[name] for part in found] == [number % 2 for number in range(20)]


def test_epsilon_of_3cosmul_matters() -> None:
    # d is opposite to a: its shifted cosine with a is 0, and only epsilon keeps it from winning everything
    a, b, c = (np.array([value], np.float32) for value in (-1.0, -0.9, -0.9))
    assert cos_mul(a, b, c)[0] == pytest.approx(0.05 * 0.05 / 0.001, rel=1e-4)
    assert partial(cos_mul, epsilon=1e-6)(a, b, c)[0] == pytest.approx(0.05 * 0.05 / 1e-6, rel=1e-3)
    assert reference.cos_mul(-1, -0.9, -0.9) == pytest.approx(2.5)
