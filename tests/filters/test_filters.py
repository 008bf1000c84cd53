from __future__ import annotations

import re
import time
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ragembed.errors import QueryError
from ragembed.filters import (
    And,
    Compare,
    Condition,
    Exists,
    Glob,
    Not,
    OneOf,
    Or,
    Prefix,
    Where,
    as_condition,
    from_dict,
    parse,
)
from ragembed.filters.conditions import DEEPEST, MOST_VALUES, RESERVED, glob_regex, pairs, print_key
from ragembed.filters.parse import LONGEST

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
KEYS = (
    st.sampled_from(["lang", "a.b", "in", "is", "prefix", *RESERVED, "NOT", "[", "]]", "x y", "", "2"])
    | TEXTS
)
SCALARS = st.one_of(st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), TEXTS)
LEAVES: st.SearchStrategy[Condition] = st.one_of(
    st.builds(Compare, KEYS, st.sampled_from(["=", "<", "<=", ">", ">="]), SCALARS),
    st.builds(OneOf, KEYS, st.lists(SCALARS, max_size=3).map(tuple)),
    st.builds(Prefix, KEYS, TEXTS),
    st.builds(Glob, KEYS, TEXTS | st.sampled_from(["guide/*", "a b", "(x)", "'", ""])),
    st.builds(Exists, KEYS),
)
CONDITIONS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(Not, inner),
        *(st.builds(join, st.lists(inner, min_size=2, max_size=3).map(tuple)) for join in (And, Or)),
    ),
    max_leaves=8,
)

EN = Compare("lang", "=", "en")
NEW = Compare("year", ">=", 2020)


# reading


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("lang = 'en' and year >= 2020", And((EN, NEW))),
        ('LANG = "en"', Compare("LANG", "=", "en")),
        ("lang='en'AND(year>=2020)", And((EN, NEW))),
        ("lang == 'en' or not year >= 2020", Or((EN, Not(NEW)))),
        ("lang = 'en' or lang = 'en' and year >= 2020", Or((EN, And((EN, NEW))))),
        ("not lang = 'en' and year >= 2020", And((Not(EN), NEW))),
        ("not (lang = 'en' and year >= 2020)", Not(And((EN, NEW)))),
        ("lang = 'en' and (lang = 'en' and year >= 2020)", And((EN, EN, NEW))),
        ("lang != 'en'", Not(EN)),
        ("lang <> 'en'", Not(EN)),
        ("lang in ('en', 5, true)", OneOf("lang", ("en", 5, True))),
        ("lang not in ()", Not(OneOf("lang", ()))),
        ("title prefix 'How'", Prefix("title", "How")),
        ("title STARTS WITH 'How'", Prefix("title", "How")),
        ("exists author.name", Exists("author.name")),
        ("author is null", Not(Exists("author"))),
        ("author is not null", Exists("author")),
        ("path:guide/*", Or((Glob("path", "guide/*"), Glob("path", "*/guide/*")))),
        ("path:/guide/*", Glob("path", "guide/*")),
        ("path:*/guide/*", Glob("path", "*/guide/*")),
        ("path://srv/*", Glob("path", "/srv/*")),
        ("(path:/guide/* or path:'/my notes/*') and lang = 'en'",
         And((Or((Glob("path", "guide/*"), Glob("path", "my notes/*"))), EN))),
        ("url:https://a.b/?q=*", Glob("url", "https://a.b/?q=*")),
        ("[og:title] = 'x' and [a]]b] = 1", And((Compare("og:title", "=", "x"), Compare("a]b", "=", 1)))),
        ("[not] = 1", Compare("not", "=", 1)),
        ("in in (1)", OneOf("in", (1,))),
        ("last-modified > '2024-05'", Compare("last-modified", ">", "2024-05")),
        ("größe < 1.5e3", Compare("größe", "<", 1500.0)),
        ("t = 'it''s'", Compare("t", "=", "it's")),
        ("n = -5", Compare("n", "=", -5)),
        ("n = .5", Compare("n", "=", 0.5)),
        ("n = 99999999999999999999", Compare("n", "=", 99999999999999999999)),
    ],
)  # fmt: skip
def test_what_an_expression_means(text: str, expected: Condition) -> None:
    assert parse(text) == expected


@pytest.mark.parametrize(
    ("text", "place", "wanted"),
    [
        ("lang =", 7, "text in quotes"),
        ("lang = en", 8, "text in quotes"),
        ("lang = 'en", 8, "closing '"),
        ("lang 'en'", 6, "a test after the key 'lang'"),
        ("lang like 'e%'", 6, "path:guide/*"),
        ("lang = 'en' year = 5", 13, "'and', 'or' or the end"),
        ("(lang = 'en'", 13, "')'"),
        ("lang = 'en')", 12, "the end"),
        ("and lang = 'en'", 1, "[and]"),
        ("lang = 'en' and", 16, "a key"),
        ("n = 5x", 5, "a number"),
        ("n = 1.2.3", 5, "a number"),
        ("n = " + "9" * 5000, 5, "fewer digits"),
        ("n = null", 5, "KEY is null"),
        ("n in 5", 6, "'('"),
        ("n in (5", 8, "')'"),
        ("n in (5 6)", 9, "','"),
        ("path: guide", 6, "at once after ':'"),
        ("path:", 6, "a pattern"),
        ("exists 5", 8, "a key"),
        ("n = '\n' ;", 9, "the end"),
        ("5 = n", 1, "a key"),
        ("' OR 1=1 --", 1, "a key"),
    ],
)
def test_a_wrong_expression_says_where_and_what(text: str, place: int, wanted: str) -> None:
    with pytest.raises(QueryError) as caught:
        parse(text)
    assert f"at character {place}," in caught.value.fault
    assert wanted in caught.value.fault
    assert caught.value.remedy
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text", ["n = 1e999", "x = '\ud800'", "[\udc00] = 1", "p:\ud800*", "p prefix '\ud800'"]
)
def test_values_that_cannot_be_compared(text: str) -> None:
    with pytest.raises(QueryError):
        parse(text)


@given(
    st.text(max_size=30) | st.lists(st.sampled_from([*"()'\"[]:,=<>*. ", "not", "a", "in", "1"])).map("".join)
)
def test_any_text_is_a_condition_or_a_query_error(text: str) -> None:
    try:
        found = parse(text)
    except QueryError as error:
        assert "\n" not in str(error)  # noqa: PT017
    else:
        assert parse(str(found)) == found


@given(CONDITIONS)
@example(Compare("n", "=", -0.0))
@example(Not(Not(Or((EN, NEW)))))
@example(Not(Glob("NULL", "")))
def test_printing_and_reading_are_inverse(condition: Condition) -> None:
    again = parse(str(condition))
    assert again == condition
    assert hash(again) == hash(condition)
    assert repr(again) == repr(condition)  # also the types of the values
    assert str(again) == str(condition)


def test_limits() -> None:
    assert parse("n = 1 " + " " * (LONGEST - 6)) == Compare("n", "=", 1)
    with pytest.raises(QueryError, match=f"more than the {LONGEST} allowed"):
        parse("n = 1" + " " * LONGEST)
    for opening in ("(", "not ", "not ("):
        with pytest.raises(QueryError, match="nests more than"):
            parse(opening * 10_000 + "n = 1")
    with pytest.raises(QueryError, match=f"more than the {MOST_VALUES} allowed"):
        OneOf("n", tuple(range(MOST_VALUES + 1)))
    condition: Condition = EN
    for level in range(DEEPEST):
        condition = And((condition, NEW)) if level % 2 else Or((condition, NEW))
    assert parse(str(condition)) == condition
    with pytest.raises(QueryError, match=f"more than {DEEPEST} deep"):
        Not(condition)
    with pytest.raises(QueryError, match="two or more"):
        And((EN,))
    with pytest.raises(QueryError, match="unknown comparison"):
        Compare("a", "LIKE", "b")


def test_long_expressions_are_read_in_linear_time() -> None:
    start = time.perf_counter()
    parse("n in (" + ",".join(["12"] * 20_000) + ")")
    for text in (
        "n = '" + "''" * 40_000,
        "[" + "]]" * 40_000,
        "n = " + "9" * 90_000,
        " or ".join(["n:*"] * 9_000) + "(",
    ):
        with pytest.raises(QueryError):
            parse(text)
    assert time.perf_counter() - start < 5


# dictionaries


@pytest.mark.parametrize(
    ("where", "text"),
    [
        ({"lang": "en"}, "lang = 'en'"),
        ({"lang": "en", "year": {"$gte": 2020}}, "lang = 'en' and year >= 2020"),
        ({"year": {"$gt": 1, "$lt": 9}}, "year > 1 and year < 9"),
        ({"year": {"$lte": 1.5}}, "year <= 1.5"),
        ({"tag": ["a", "b"]}, "tag in ('a', 'b')"),
        ({"tag": {"$in": ["a"]}}, "tag in ('a')"),
        ({"tag": {"$nin": ["a"]}}, "tag not in ('a')"),
        ({"tag": {"$in": {2, 1}}}, "tag in (1, 2)"),
        ({"tag": {"$ne": "a"}}, "tag != 'a'"),
        ({"tag": {"$eq": True}}, "tag = true"),
        ({"tag": None}, "not exists tag"),
        ({"tag": {"$ne": None}}, "exists tag"),
        ({"tag": {"$exists": True}}, "exists tag"),
        ({"tag": {"$exists": False}}, "not exists tag"),
        ({"path": {"$glob": "guide/*"}}, "path:/guide/* or path:*/guide/*"),
        ({"url": {"$glob": "guide/*"}}, "url:guide/*"),
        ({"title": {"$prefix": "How"}}, "title prefix 'How'"),
        ({"year": {"$not": {"$gte": 2020}}}, "not year >= 2020"),
        ({"$or": [{"a": 1}, {"b": 2, "c": 3}]}, "a = 1 or (b = 2 and c = 3)"),
        ({"$and": [{"a": 1}]}, "a = 1"),
        ({"$not": {"a": 1}}, "a != 1"),
        ({"a b": 1}, "[a b] = 1"),
    ],
)
def test_what_a_dictionary_means(where: Mapping[str, Any], text: str) -> None:
    assert from_dict(where) == parse(text)
    assert str(from_dict(where)) == text


@pytest.mark.parametrize(
    ("where", "named"),
    [
        ({"a": {"$regex": "x"}}, "$regex"),
        ({"$nor": [{"a": 1}]}, "$nor"),
        ({"$or": []}, "$or"),
        ({"$or": {"a": 1}}, "$or"),
        ({"$and": [{}]}, "dictionary with something in it"),
        ({"a": {}}, "'a'"),
        ({"author": {"name": "x"}}, "'author'"),
        ({"a": {"$in": "xy"}}, "take a list"),
        ({"a": {"$exists": 1}}, "$exists"),
        ({"a": [None]}, "NoneType"),
        ({"a": float("nan")}, "NaN"),
        ({"a": float("inf")}, "infinite"),
        ({"a": 10**5000}, "too large"),
        ({"a": b"x"}, "bytes"),
        ({"a": "\ud800"}, "surrogate"),
        ({"a": {"$prefix": 5}}, "int"),
        ({5: "a"}, "5"),
        (["a"], "list"),
    ],
)
def test_a_wrong_dictionary_is_named(where: Any, named: str) -> None:
    with pytest.raises(QueryError) as caught:
        as_condition(where)
    assert named in caught.value.fault
    assert caught.value.remedy


def test_a_dictionary_within_itself() -> None:
    where: dict[str, Any] = {}
    where["$not"] = where
    with pytest.raises(QueryError):
        from_dict(where)
    field: dict[str, Any] = {}
    field["$not"] = field
    with pytest.raises(QueryError):
        from_dict({"a": field})


@pytest.mark.parametrize("nothing", [None, "", "  ", {}])
def test_nothing_filters_nothing(nothing: Where | None) -> None:
    assert as_condition(nothing) is None


def test_all_forms_are_one() -> None:
    assert as_condition("lang = 'en'") == as_condition({"lang": "en"}) == as_condition(EN) == EN


# meaning


@pytest.mark.parametrize(
    ("text", "metadata", "answer"),
    [
        ("n = 1", {"n": 1.0}, True),
        ("n = 1", {"n": True}, True),  # truth values are numbers
        ("n = 1", {"n": "1"}, False),
        ("n < 'a'", {"n": 1}, False),
        ("n > 'a'", {"n": 1}, False),
        ("n != 'a'", {"n": 1}, True),
        ("n > 5", {}, False),
        ("n <= 5", {}, False),
        ("n != 5", {}, True),
        ("n not in (5)", {}, True),
        ("not n > 5", {}, True),
        ("n != 5", {"n": None}, True),
        ("exists n", {"n": None}, False),
        ("exists n", {"n": []}, False),
        ("exists n", {"n": [None, {"a": None}]}, False),
        ("exists n", {"n": {"a": 0}}, True),
        ("exists n", {"n": ""}, True),
        ("exists n", {"na": 1}, False),
        ("t = 'a'", {"t": ["b", "a"]}, True),
        ("t != 'a'", {"t": ["b", "a"]}, False),
        ("t > 4 and t < 2", {"t": [1, 5]}, True),  # each test asks for some element
        ("t prefix 'a'", {"t": ["b", ["ab"]]}, True),
        ("a.b = 1", {"a": {"b": 1}}, True),
        ("a.b = 1", {"a.b": 1}, True),
        ("a.b = 1", {"a": [{"b": 2}, {"b": 1}]}, True),
        ("a.b.c = 1", {"a": {"b.c": 1}}, True),
        ("a = 1", {"a": {"b": 1}}, False),
        ("t < 'b'", {"t": "Z"}, True),  # by code point: capitals come first
        ("t > '\ufffd'", {"t": "\U0001f600"}, True),
        ("n > 9007199254740992", {"n": 2**53 + 1}, True),
        ("n = 9007199254740993", {"n": 2.0**53}, False),
        ("path:guide/*", {"path": "guide/a/b.md"}, True),
        ("path:guide/*", {"path": "my/guide/a"}, True),
        ("path:guide/*", {"path": "myguide/a"}, False),
        ("path:/guide/*", {"path": "my/guide/a"}, False),
        ("path:a.md", {"path": "guide/a.md"}, True),
        ("path:*.md", {"path": "guide/a.md"}, True),
        ("path:*.MD", {"path": "guide/a.md"}, False),
        ("path:g?ide", {"path": "guide"}, True),
        ("path:g?uide", {"path": "guide"}, False),
        ("path:[g]uide", {"path": "guide"}, False),
        ("path:guide", {"path": "guide/"}, False),
        ("n:5", {"n": 5}, False),
        ("_id = 'x'", {"_id": "x"}, True),
    ],
)
def test_what_is_true(text: str, metadata: dict[str, Any], answer: bool) -> None:
    condition = parse(text)
    assert condition.matches(metadata) is answer
    assert Not(condition).matches(metadata) is not answer


def test_keys() -> None:
    assert parse("a = 1 and (b:x or not exists [c d]) and a < 5").keys() == {"a", "b", "c d"}


@given(st.text("ab*?", max_size=8), st.text("ab", max_size=12))
def test_a_pattern_means_what_its_regular_expression_does(pattern: str, text: str) -> None:
    plain = "".join({"*": ".*", "?": "."}.get(character, character) for character in pattern)
    assert bool(glob_regex(pattern).fullmatch(text)) is bool(re.fullmatch(plain, text))


def test_a_hostile_pattern_takes_no_exponential_time() -> None:
    start = time.perf_counter()
    assert not Glob("t", "*a" * 200 + "b").matches({"t": "a" * 5_000})
    assert not Glob("t", "*?" * 200 + "b").matches({"t": "a" * 5_000})
    assert time.perf_counter() - start < 2


def test_deep_metadata_need_no_recursion() -> None:
    deep: Any = 7
    for _ in range(5_000):
        deep = [deep]
    assert list(pairs({"n": deep})) == [("n", 7)]


def test_a_list_goes_on_after_what_lies_within_it() -> None:
    assert list(pairs({"a": [{"b": 1}, 2, [3, {"c": 4}], 5], "d": 6})) == [
        ("a.b", 1), ("a", 2), ("a", 3), ("a.c", 4), ("a", 5), ("d", 6)
    ]  # fmt: skip


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_printed_key_is_read_as_that_key(key: str) -> None:
    assert parse(f"exists {print_key(key)}") == Exists(key)
