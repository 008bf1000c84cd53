from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ragembed.embed.elmo.sentences import mark, sentence_ends, sentences


def test_sentences_end_at_stops() -> None:
    text = "It is late . “ Is it ? ” he asked . Mr. X said etc. and so on"
    assert [" ".join(each) for each in sentences(text.split(), 50)] == [
        "It is late .",
        "“ Is it ? ” he asked .",
        "Mr. X said etc. and so on",
    ]


def test_long_sentences_are_cut() -> None:
    assert sentences(list("abcdefg"), 3) == [["a", "b", "c"], ["d", "e", "f"], ["g"]]


@given(st.lists(st.sampled_from(["a", "B", ".", "?", '"', ")"])), st.integers(1, 5))
def test_no_token_is_lost(tokens: list[str], longest: int) -> None:
    parts = sentences(tokens, longest)
    assert [token for part in parts for token in part] == tokens
    assert all(0 < len(part) <= longest for part in parts)
    marks = np.array([mark(token) for token in tokens], np.uint8)
    assert sentence_ends(marks).tolist()[-1:] == ([len(tokens)] if tokens else [])
