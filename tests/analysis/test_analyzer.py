from __future__ import annotations

import itertools
import time
import unicodedata
from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ragembed.analysis import Analyzer, highlight_spans
from ragembed.analysis.analyzer import LONGEST_WORD
from ragembed.errors import SpecError
from ragembed.index.postings import PostingsBuilder

ENGLISH = Analyzer("english")
PLAIN = Analyzer("none")

SCRIPTS = "aZ09_'’ -.é\u0301ßİıΣςйё漢字かナｶﾞกำ้각ᄒ\u1161हि\ufb01Ａ½㍿\u20d7\n🦊"
TEXTS = st.text(st.sampled_from(SCRIPTS), max_size=30) | st.text(max_size=30)

LANGUAGES = [
    ("english", "The cats were running in the houses", ["cat", "run", "hous"]),
    ("german", "Die Häuser und die Straßen", ["haus", "strass"]),
    ("german", "STRASSE Straße", ["strass", "strass"]),
    ("russian", "В домах живут кошки", ["дом", "живут", "кошк"]),
    ("english", "В домах живут кошки", ["дом", "живут", "кошк"]),
    ("russian", "the running cats", ["run", "cat"]),
    ("chinese", "检索增强", ["检索", "索增", "增强", "检", "索", "增", "强"]),
    ("japanese", "東京タワー", ["東京", "京タ", "タワ", "ワー", "東", "京"]),
    ("thai", "ที่วัด", ["ที", "ี่", "่ว", "วั", "ัด"]),
    ("thai", "น้ำ", ["น้", "้\u0e4d", "\u0e4dา"]),  # NFKC takes sara am apart
    ("korean", "학교에서 배운다", ["학교", "교에", "에서", "배운", "운다"]),
    ("hindi", "हिन्दी", ["हिन्द"]),
    ("none", "The Cats", ["the", "cats"]),
]


@pytest.mark.parametrize(("language", "text", "terms"), LANGUAGES)
def test_terms_of_languages(language: str, text: str, terms: list[str]) -> None:
    stemmed = language not in (
        "chinese",
        "japanese",
        "thai",
        "korean",
    )  # no stemmer of these: any analyzer will do
    assert Analyzer(language if stemmed else "english").terms(text) == terms


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("don't stop", ["don", "stop"]),
        ("don’t", ["don"]),
        ("the dog's bone", ["the", "dog", "bone"]),
        ("l'homme", ["homme"]),
        ("rock'n'roll", ["rock", "roll"]),
        ("'quoted'", ["quoted"]),
        ("snake_case", ["snake", "case"]),
        ("naïve_case", ["naïve", "case"]),
        ("__init__", ["init"]),
        ("maxLength", ["maxlength", "max", "length"]),
        ("HTTPServer", ["httpserver", "http", "server"]),
        ("vec2Text", ["vec2text", "vec2", "text"]),
        ("GPU", ["gpu"]),
        ("Title", ["title"]),
        ("ISO-8859-1", ["iso", "8859", "1"]),
        ("user@example.org", ["user", "example", "org"]),
        ("ＦＡＩＳＳ", ["faiss"]),
        ("ﬁle", ["file"]),
        ("e\u0301te\u0301", ["été"]),
        ("ｶﾞﾗｽ", ["ガラ", "ラス"]),
        ("ᄒ\u1161ᆨ교", ["학교"]),
        ("Σίσυφος ΣΊΣΥΦΟΣ", ["σίσυφοσ", "σίσυφοσ"]),
        ("FAISS索引", ["faiss", "索引", "索", "引"]),
        ("第3章", ["第", "3", "章"]),
        ("字", ["字"]),
        ("10€ x²", ["10", "x2"]),
        ("🦊 ❤\ufe0f", []),
        ("", []),
        (" \n\t.,;'’_", []),
    ],
)
def test_terms_without_stemming(text: str, terms: list[str]) -> None:
    assert PLAIN.terms(text) == terms


def test_stop_words_are_dropped_but_negations_stay() -> None:
    assert ENGLISH.terms("the and of") == []
    assert ENGLISH.terms("not") == ["not"]


def test_turkish_has_two_letters_i() -> None:
    turkish = Analyzer("turkish")
    assert turkish.terms("ISPARTA") == turkish.terms("ısparta")
    assert turkish.terms("İZMİR") == turkish.terms("izmir")
    assert turkish.terms("ISPARTA") != turkish.terms("isparta")
    assert ENGLISH.terms("ISLAND") == ENGLISH.terms("island")


def test_a_language_is_named_in_several_ways() -> None:
    assert {Analyzer(name).language for name in ("german", "de", "deu", "de-AT", "German")} == {"german"}
    with pytest.raises(SpecError, match="unknown language 'germen'; did you mean german"):
        Analyzer("germen")


@pytest.mark.parametrize("letter", ["a", "é", "ж"])
def test_long_words_are_cut(letter: str) -> None:
    assert PLAIN.terms(letter * 100_000) == [letter * LONGEST_WORD]
    assert PLAIN.terms(letter * LONGEST_WORD) == [letter * LONGEST_WORD]


@given(TEXTS)
@example("a\u0301\u0323" * 3)
def test_normal_forms_of_a_text_have_the_same_terms(text: str) -> None:
    found = [ENGLISH.terms(unicodedata.normalize(form, text)) for form in ("NFC", "NFD", "NFKC", "NFKD")]
    assert found == [found[0]] * 4


@given(st.text(st.characters(max_codepoint=127), max_size=40))
def test_ascii_takes_the_short_way_with_the_same_result(text: str) -> None:
    assert PLAIN.words(text) == PLAIN.words(f"{text} é")[:-1]


@given(TEXTS)
def test_terms_of_a_word_stand_alone(text: str) -> None:
    words = ENGLISH.words(text)
    assert ENGLISH.terms(text) == [term for word in words for term in Analyzer("english").word_terms(word)]
    assert all(term for term in ENGLISH.terms(text))


@given(st.lists(TEXTS, max_size=5))
def test_an_index_counts_the_terms_that_a_query_has(texts: list[str]) -> None:
    builder = PostingsBuilder(Analyzer("english"))
    builder.add(texts)
    postings = builder.build()
    found: list[dict[str, int]] = [{} for _ in texts]
    for number in range(postings.vocabulary_size):
        documents, counts = postings.posting_list(number)
        for document, count in zip(documents.tolist(), counts.tolist(), strict=True):
            found[document][postings.term(number)] = count
    terms = [ENGLISH.terms(text) for text in texts]
    assert found == [{term: own.count(term) for term in own} for own in terms]
    assert postings.lengths.tolist() == [len(own) for own in terms]


@pytest.mark.parametrize(
    "make",
    [
        lambda n: "a" + "\u0301\u0323" * n,  # marks out of order
        lambda n: "a" + "\u20d7\u20e8" * n,  # marks of symbols, which belong to no word
        lambda n: "漢" * n,
        lambda n: "a'" * n,
        lambda n: "Aa" * n,
        lambda n: "_" * n + "é",
        lambda n: "\u0e33" * n,
    ],
    ids=["marks", "marks of symbols", "one run of Han", "apostrophes", "humps", "underscores", "sara am"],
)
def test_hostile_text_takes_linear_time(make: Callable[[int], str]) -> None:
    text = make(100_000)
    started = time.perf_counter()
    Analyzer("english").terms(text)
    highlight_spans(ENGLISH, text, ["a"])
    assert time.perf_counter() - started < 3  # a quadratic way takes half a minute or more


@pytest.mark.parametrize(
    ("text", "query", "marked"),
    [
        ("The cats ran. A cat!", "cat", ["cats", "cat"]),
        ("don't use maxLength here", "length", ["maxLength"]),
        ("the l'homme", "homme", ["homme"]),
        ("snake_case", "case", ["case"]),
        ("naïve snake_case", "case", ["case"]),
        ("Die Straßen und STRASSE", "straße", ["Straßen", "STRASSE"]),
        ("В домах", "дом", ["домах"]),
        ("我们的检索增强生成", "检索", ["检索"]),
        ("检验和索引", "检索", ["检", "索"]),
        ("東京タワーは高い", "東京タワー", ["東京タワー"]),
        ("ดื่มน้ำทุกวัน", "น้ำ", ["น้ำ"]),
        ("학교에서 배운다", "학교", ["학교"]),
        (unicodedata.normalize("NFD", "학교에서"), "학교", [unicodedata.normalize("NFD", "학교")]),
        ("ＦＡＩＳＳ ﬁles été", "faiss file", ["ＦＡＩＳＳ", "ﬁles"]),
        ("cafe\u0301 noir", "café", ["cafe\u0301"]),
        ("ｶﾞﾗｽの", "ガラス", ["ｶﾞﾗｽ"]),
        ("½ cup", "1 2", ["½"]),
        ("nothing here", "absent", []),
        ("", "absent", []),
    ],
)
def test_what_is_highlighted(text: str, query: str, marked: list[str]) -> None:
    analyzer = Analyzer("german") if "ß" in text else ENGLISH
    assert [text[a:b] for a, b in highlight_spans(analyzer, text, analyzer.terms(query))] == marked


@given(TEXTS, TEXTS)
@example("a½b", "1")
@example("각", "각")
def test_every_span_shares_a_term_with_the_query(text: str, query: str) -> None:
    wanted = PLAIN.terms(query)
    spans = highlight_spans(PLAIN, text, wanted)
    assert all(0 <= start < end <= len(text) for start, end in spans)
    assert all(before[1] <= after[0] for before, after in itertools.pairwise(spans))
    for start, end in spans:
        assert set(wanted) & {*PLAIN.terms(text[start:end]), *unicodedata.normalize("NFKC", text[start:end])}


@given(TEXTS)
def test_something_of_every_text_with_words_is_highlighted(text: str) -> None:
    words = [word for word in PLAIN.words(text) if not {"'", "’"} & {*word} and any(map(str.isalnum, word))]
    terms = [term for word in words for term in PLAIN.word_terms(word)]
    assert bool(highlight_spans(PLAIN, text, terms)) == bool(terms)


@given(st.text(st.sampled_from("ab Zé_'’-ßжЖαΣ²½–№“”\u00ad\n"), max_size=30))
def test_the_short_way_for_common_scripts_gives_the_same_words(text: str) -> None:
    with_another_script = f"{text} \u0e01"  # one Thai letter sends the whole text the long way
    analyzer = Analyzer("english")
    assert analyzer.words(with_another_script) == [*analyzer.words(text), "\u0e01"]
