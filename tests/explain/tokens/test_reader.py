"""A text as MiniLM reads it: words, the two senses of one word, limits, texts of strangers."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ragembed.embed import EMBEDDERS
from ragembed.errors import EmbeddingError, QueryError
from ragembed.explain.tokens.reader import TOKENS, cosines

DOCS = Path(__file__).resolve().parents[3] / "docs/explain.md"


def test_words_are_joined_and_stand_where_they_say(reader: Any) -> None:
    text = "  The unbelievability of don't, 中国\n naïve\tfin."
    found = reader.read(text)
    assert [word.text for word in found.words] == [
        "[CLS]", "The", "unbelievability", "of", "don", "'", "t", ",", "中", "国", "naïve", "fin", ".", "[SEP]",
    ]  # fmt: skip
    for word in found.words:
        assert word.special or text[word.start : word.end] == word.text
    tokens = [token.piece for token in found.tokens]
    assert tokens[2:4] == ["un", "##bel"]
    word = found.word("UNBELIEVABILITY")
    assert [token.piece for token in found.tokens[word.first : word.last]][:2] == ["un", "##bel"]
    np.testing.assert_allclose(found.vector(word), found.states[-1, word.first : word.last].mean(axis=0))
    assert [word.first for word in found.words[1:]] == [word.last for word in found.words[:-1]]


def test_one_word_in_two_senses(reader: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """The Python of docs/explain.md gives the table that stands there, and the nearest use is of the same sense."""
    block = r"```python\n(from ragembed.embed import.*?)```\n+```text\n(.*?)```"
    code, table = re.findall(block, DOCS.read_text(encoding="utf-8"), re.DOTALL)[0]
    namespace: dict[str, Any] = {}
    exec(compile(code, "explain.md", "exec"), namespace)
    assert capsys.readouterr().out.split() == table.split()
    static, contextual = namespace["cosines_of"](0), namespace["cosines_of"](-1)
    np.testing.assert_allclose(static, 1, atol=1e-6)
    others = contextual - 2 * np.eye(6)
    assert [place // 3 for place in others.argmax(axis=1)] == [0, 0, 0, 1, 1, 1]


def test_rollout_is_the_product_of_all_layers(reader: Any) -> None:
    found = reader.read("He sat on the bank.")
    expected = np.eye(len(found.tokens))
    for layer in found.attention:
        expected = (layer.mean(axis=0) + np.eye(len(expected))) / 2 @ expected
    np.testing.assert_allclose(found.rollout, expected, atol=1e-6)
    np.testing.assert_allclose(found.rollout.sum(axis=1), 1, atol=1e-5)


def test_long_texts_are_cut_where_the_model_ends(reader: Any) -> None:
    found = reader.read("cat " * 10_000)
    assert len(found.tokens) == 256
    assert found.left_out == 10_000 - 254
    assert found.attention.shape == (6, 12, 144, 144)
    assert found.rollout.shape == (256, 256)


def test_no_more_than_the_limit_of_a_longer_model(minilm_folder: Path) -> None:
    from ragembed.explain.tokens import Reader

    found = Reader(EMBEDDERS.create("minilm(max_length=512)")).read("cat " * 600, maps=7_200)
    assert len(found.tokens) == TOKENS
    assert found.attention.shape == (6, 12, 10, 10)


def test_texts_of_strangers(reader: Any) -> None:
    for text in (
        "<script>alert(1)</script>",
        "a\x00b\u202ec\x1b[2J",
        "half \ud83d character",
        "x" * 100_000,
        "🙂" * 9,
    ):
        found = reader.read(text)
        assert len(found.text) == len(text)
        assert all(0 <= word.start <= word.end <= len(text) for word in found.words)
        assert np.isfinite(found.vectors).all()
    for text in ("", " \n", "\x00"):
        with pytest.raises(QueryError, match="finds no token"):
            reader.read(text)


@given(
    st.text(alphabet=st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40).map(
        lambda text: f"a{text}z"
    )
)
@settings(max_examples=25)
def test_words_stand_in_order_and_leave_nothing_out_but_blanks(reader: Any, text: str) -> None:
    found = reader.read(text)
    words = [word for word in found.words if not word.special]
    assert words[0].start == 0
    assert words[-1].end == len(text)
    for before, after in pairwise(words):
        assert before.start <= before.end <= after.start or before.start == after.start
    for before, after in pairwise(found.tokens):
        assert before.start <= after.start
    assert [word.first for word in found.words] + [len(found.tokens)] == [0] + [
        word.last for word in found.words
    ]


def test_a_word_that_is_not_there(reader: Any) -> None:
    with pytest.raises(QueryError, match="'river' stands 0 times"):
        reader.read("the bank").word("river")


def test_only_what_runs_in_the_built_in_encoder() -> None:
    from ragembed.explain.tokens import Reader

    with pytest.raises(EmbeddingError, match=r"bm25, whose tokens cannot .*: minilm, hf:"):
        Reader(EMBEDDERS.create("bm25"))


def test_cosines_of_rows_of_zeros_are_zero() -> None:
    assert cosines(np.array([[0.0, 0], [3, 4]]), np.array([[4.0, 3]])).tolist() == [[0], [0.96]]
