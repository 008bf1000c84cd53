from __future__ import annotations

import unicodedata

import pytest

from ragembed.analysis import Analyzer
from ragembed.analysis.languages import LANGUAGES
from ragembed.analysis.scripts import languages_by_script, script_of
from ragembed.analysis.stopwords import STOP_WORDS, telling_words


def test_every_language_of_snowball_has_a_list() -> None:
    stemmer = pytest.importorskip("Stemmer")
    named_twice = {"porter", "dutch_porter"}  # older algorithms for English and Dutch
    assert set(STOP_WORDS) == set(LANGUAGES) == set(stemmer.algorithms()) - named_twice
    assert len(STOP_WORDS) == len(LANGUAGES)


@pytest.mark.parametrize("language", LANGUAGES)
def test_stop_words_are_what_a_text_holds_after_folding(language: str) -> None:
    words = STOP_WORDS[language]
    assert 80 <= len(words) <= 400
    assert all(word == unicodedata.normalize("NFC", word) == word.lower() for word in words)
    assert {word.casefold() for word in words} <= words


@pytest.mark.parametrize("language", LANGUAGES)
def test_stop_words_are_of_one_script_that_the_language_is_written_in(language: str) -> None:
    scripts = {script for script, owner in languages_by_script(language).items() if owner == language}
    for word in telling_words(language):
        of_letters = {script_of(character) for character in word if character.isalpha()}
        assert len(of_letters) == 1, word
        assert of_letters <= scripts, word


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_analyzer_takes_each_stop_word_as_one_word_and_drops_it(language: str) -> None:
    analyzer = Analyzer(language)
    for word in STOP_WORDS[language]:
        assert len(analyzer.words(word)) == 1, word
        assert analyzer.terms(word) == [], word


@pytest.mark.parametrize("language", LANGUAGES)
def test_words_that_only_tell_a_language_stay_in_the_index(language: str) -> None:
    telling = telling_words(language) - STOP_WORDS[language]
    assert telling
    analyzer = Analyzer(language)
    assert all(analyzer.terms(word) for word in telling)


@pytest.mark.parametrize(
    ("language", "spellings"),
    [
        ("german", ("daß", "dass", "DASS")),
        ("greek", ("της", "ΤΗΣ", "τησ")),
        ("romanian", ("și", "şi")),
        ("russian", ("ещё", "еще")),
        ("serbian", ("њихов", "njihov")),
        ("arabic", ("إلى", "الى")),
        ("persian", ("یکی", "يكي")),
        ("armenian", ("և", "եւ")),
        ("yiddish", ("דאָס", "דאס")),
    ],
)
def test_other_spellings_of_a_stop_word_are_stop_words_too(language: str, spellings: tuple[str, ...]) -> None:
    assert Analyzer(language).terms(" ".join(spellings)) == []


@pytest.mark.parametrize(
    ("language", "negations"),
    [("english", "not no never without"), ("german", "nicht kein"), ("french", "pas sans")],
)
def test_negations_are_no_stop_words(language: str, negations: str) -> None:
    assert len(Analyzer(language).terms(negations)) == len(negations.split())
