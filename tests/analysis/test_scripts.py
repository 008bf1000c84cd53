from __future__ import annotations

import re
import sys
import unicodedata

import pytest

from ragembed.analysis.scripts import (
    DEFAULT_LANGUAGES,
    IDEOGRAPHS,
    MARKS,
    UNSPACED,
    languages_by_script,
    script_language,
    script_of,
)


def characters_of(inside: str) -> list[str]:
    pattern = re.compile(f"[{inside}]")
    return [character for character in map(chr, range(sys.maxunicode + 1)) if pattern.match(character)]


def named(*prefixes: str) -> set[str]:
    letters = ("Lo", "Lm", "Mn", "Mc")
    return {
        character
        for character in map(chr, range(sys.maxunicode + 1))
        if unicodedata.name(character, "").startswith(prefixes) and unicodedata.category(character) in letters
    }


def test_marks_hold_no_punctuation_and_no_symbol() -> None:
    unassigned = "Cn"  # in the gaps of a block; newer versions of Unicode fill them
    for character in characters_of(MARKS):
        category = unicodedata.category(character)
        assert category in ("Mn", "Mc", "Me", unassigned) or character.isalnum(), hex(ord(character))


@pytest.mark.parametrize("word", ["हिन्दी", "தமிழ்", "שָׁלוֹם", "دَرْس", "ພື້ນ", "ক্ষমতা", "e\u0301te\u0301"])
def test_words_with_marks_are_whole(word: str) -> None:
    assert not re.fullmatch(r"\w+", word)
    assert re.fullmatch(rf"[\w{MARKS}]+", word)


@pytest.mark.parametrize("symbol", ["❤\ufe0f", "👩\u200d💻", "x\u20d7"])
def test_marks_of_emoji_and_symbols_are_no_part_of_words(symbol: str) -> None:
    assert not re.search(f"[{MARKS}]", symbol)


def test_unspaced_holds_every_letter_of_its_scripts() -> None:
    scripts = ("HIRAGANA LETTER", "KATAKANA LETTER", "HALFWIDTH KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR")
    missing = named(*scripts, "CJK UNIFIED IDEOGRAPH", "CJK COMPATIBILITY IDEOGRAPH", "HANGUL SYLLABLE")
    assert missing - set(characters_of(UNSPACED)) == set()


def test_unspaced_holds_only_letters_and_marks() -> None:
    allowed = ("Lo", "Lm", "Mn", "Mc", "Cn")
    others = [c for c in characters_of(UNSPACED) if unicodedata.category(c) not in allowed]
    assert others == ["〇"]  # a numeral by category, a Han character in use


@pytest.mark.parametrize(
    "character", ["a", "ß", "д", "α", "ع", "א", "ह", "த", "ք", "7", "๗", "။", "。", "、", "฿"]
)
def test_spaced_scripts_digits_and_punctuation_are_not_unspaced(character: str) -> None:
    assert not re.match(f"[{UNSPACED}]", character)


def test_ideographs_are_han_only() -> None:
    assert re.fullmatch(f"[{IDEOGRAPHS}]+", "漢字〇々𠮷")
    assert not re.search(f"[{IDEOGRAPHS}]", "かなカナ한글ไทย")


def test_scripts_follow_unicode_names() -> None:
    scripts = ("LATIN", "GREEK", "CYRILLIC", "ARMENIAN", "HEBREW", "ARABIC", "DEVANAGARI", "TAMIL")
    letters = re.compile(rf"({'|'.join(scripts)}) (SMALL|CAPITAL)? ?LETTER (?!SMALL CAPITAL)")
    phonetic = range(0x1D00, 0x1DC0)
    for character in map(chr, range(0x3000)):
        named = letters.match(unicodedata.name(character, ""))
        if named and ord(character) not in phonetic:
            assert script_of(character) == named[1].lower(), hex(ord(character))


@pytest.mark.parametrize("character", ["\0", "7", "!", "漢", "ก", "\U0010ffff", "\ud800", "ა"])
def test_other_characters_are_of_no_script(character: str) -> None:
    assert script_of(character) is None
    assert script_language(character, "english") is None


@pytest.mark.parametrize(
    ("character", "language", "expected"),
    [
        ("z", "english", "english"),
        ("z", "german", "german"),
        ("я", "german", "russian"),
        ("z", "russian", "english"),
        ("я", "serbian", "serbian"),
        ("z", "serbian", "serbian"),
        ("ا", "english", "arabic"),
        ("ا", "persian", "persian"),
        ("ह", "nepali", "nepali"),
        ("ω", "nepali", "greek"),
        ("א", "english", None),
        ("א", "yiddish", "yiddish"),
        ("z", "yiddish", "english"),
        ("z", "none", None),
    ],
)
def test_the_script_of_a_word_chooses_its_stemmer(
    character: str, language: str, expected: str | None
) -> None:
    assert script_language(character, language) == expected


def test_default_languages_cover_their_own_script() -> None:
    for script, language in DEFAULT_LANGUAGES.items():
        assert languages_by_script(language) == DEFAULT_LANGUAGES
        assert languages_by_script(language)[script] == language
