from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragembed.embed.words.tokens import CasedTokenizer, tokenizer


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("Don't go (yet)!", "Don 't go ( yet ) !"),
        ("The U.S. paid $1,200.50 at 12:30...", "The U.S. paid $ 1,200.50 at 12:30 ..."),
        ("a well-known café's \u201cmenu\u201d", "a well-known café 's “ menu ”"),
        ("x--y == z", "x -- y == z"),
        ("  \n\t", ""),
    ],
)
def test_tokens(text: str, tokens: str) -> None:
    assert CasedTokenizer().tokens(text) == tokens.split()


@given(st.text())
def test_nothing_visible_is_lost(text: str) -> None:
    assert "".join(CasedTokenizer().tokens(text)) == "".join(text.split())


def test_it_is_known_by_its_name() -> None:
    assert isinstance(tokenizer("cased"), CasedTokenizer)
