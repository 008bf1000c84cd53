from __future__ import annotations

import pytest

from ragembed.analysis.languages import LANGUAGES, canonical_language, stop_words
from ragembed.analysis.stopwords import STOP_WORDS
from ragembed.errors import SpecError


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("en", "english"),
        ("eng", "english"),
        ("English", "english"),
        (" en-US ", "english"),
        ("pt_BR", "portuguese"),
        ("sr-Latn", "serbian"),
        ("nb", "norwegian"),
        ("nn", "norwegian"),
        ("ger", "german"),
        ("deu", "german"),
        ("farsi", "persian"),
        ("NONE", "none"),
    ],
)
def test_names_and_codes_mean_a_snowball_language(written: str, meant: str) -> None:
    assert canonical_language(written) == meant


@pytest.mark.parametrize("language", LANGUAGES)
def test_canonical_names_stay(language: str) -> None:
    assert canonical_language(language) == language


def test_no_code_means_two_languages() -> None:
    from ragembed.analysis.languages import _CODES, _WITHOUT_STEMMER

    codes = " ".join([*_CODES.values(), *_WITHOUT_STEMMER.values()]).split()
    doubled = {code for code in codes if codes.count(code) > 1}
    assert doubled == set()


def test_unknown_language_names_the_nearest_and_all_valid_ones() -> None:
    with pytest.raises(
        SpecError, match=r"unknown language 'germn'; did you mean german\? valid are: arabic \(ar\)"
    ) as caught:
        canonical_language("germn")
    assert all(language in str(caught.value) for language in (*LANGUAGES, "none"))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("nothing", ["", "  ", "-", "\ud800", "x" * 10_000])
def test_nonsense_is_an_unknown_language(nothing: str) -> None:
    with pytest.raises(SpecError, match="unknown language"):
        canonical_language(nothing)


@pytest.mark.parametrize(
    ("code", "language"), [("zh", "chinese"), ("ja-JP", "japanese"), ("Ukrainian", "ukrainian")]
)
def test_languages_without_a_stemmer_say_so(code: str, language: str) -> None:
    with pytest.raises(SpecError, match=f"there is no stemmer for {language} .*; give none"):
        canonical_language(code)


def test_stop_words_are_those_of_the_language_and_of_other_scripts() -> None:
    german = stop_words("german")
    assert STOP_WORDS["german"] <= german
    assert STOP_WORDS["russian"] <= german
    assert not german & (STOP_WORDS["english"] - STOP_WORDS["german"])
    assert STOP_WORDS["english"] <= stop_words("russian")


def test_none_has_no_stop_words() -> None:
    assert stop_words("none") == frozenset()
