from __future__ import annotations

import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ragembed.errors import SpecError
from ragembed.spec import Spec, Value, parse_all

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_.-]{0,9}", fullmatch=True)
KEYS = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,9}", fullmatch=True)
VALUES: st.SearchStrategy[Value] = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), TEXT
)
SPECS = st.builds(
    lambda name, target, params: Spec(name, target, tuple(params.items())),
    NAMES,
    st.none() | TEXT,
    st.dictionaries(KEYS, VALUES, max_size=4),
)


def kinds(spec: Spec) -> list[type]:
    return [type(value) for _, value in spec.params]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("bm25", Spec("bm25")),
        ("bm25()", Spec("bm25")),
        ("random-projection", Spec("random-projection")),
        ("recursive(tokens=256, overlap=32)", Spec("recursive", None, (("tokens", 256), ("overlap", 32)))),
        (
            " recursive ( tokens = 256 ,overlap=32 ) ",
            Spec("recursive", None, (("tokens", 256), ("overlap", 32))),
        ),
        ("x(a=1.5, b=-2, c=1e3, d=.5)", Spec("x", None, (("a", 1.5), ("b", -2), ("c", 1000.0), ("d", 0.5)))),
        ("x(a=true, b=False, c=none)", Spec("x", None, (("a", True), ("b", False), ("c", None)))),
        ('x(a="true", b="5", c="")', Spec("x", None, (("a", "true"), ("b", "5"), ("c", "")))),
        ("x(a=two words)", Spec("x", None, (("a", "two words"),))),
        ('x(a="say \\"hi\\", (ok)")', Spec("x", None, (("a", 'say "hi", (ok)'),))),
        ("st:BAAI/bge-small-en-v1.5", Spec("st", "BAAI/bge-small-en-v1.5")),
        ("st:some/model(batch=8)", Spec("st", "some/model", (("batch", 8),))),
        ('st:"C++ (models)/a"(batch=8)', Spec("st", "C++ (models)/a", (("batch", 8),))),
        ("st:.", Spec("st", ".")),
    ],
)
def test_what_a_spec_means(text: str, expected: Spec) -> None:
    found = Spec.parse(text)
    assert found == expected
    assert kinds(found) == kinds(expected)


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        (Spec("bm25"), "bm25"),
        (Spec("x", None, (("a", 1), ("b", 1.5), ("c", None), ("d", True))), "x(a=1, b=1.5, c=none, d=true)"),
        (
            Spec("x", None, (("a", "true"), ("b", "5"), ("c", ""), ("d", "plain"))),
            'x(a="true", b="5", c="", d=plain)',
        ),
        (Spec("st", "a/b"), "st:a/b"),
        (Spec("st", "a+b"), 'st:"a+b"'),
    ],
)
def test_how_a_spec_is_printed(spec: Spec, text: str) -> None:
    assert str(spec) == text


@given(SPECS)
@example(Spec("x", None, (("a", "x "), ("b", "=1"), ("c", "1_0"), ("d", "٣"), ("e", "None"))))
@example(Spec("x", 'a"b', (("a", 1e300), ("b", -0.0))))
def test_printing_and_parsing_are_inverse(spec: Spec) -> None:
    again = Spec.parse(str(spec))
    assert again == spec
    assert kinds(again) == kinds(spec)


@given(st.lists(SPECS, min_size=1, max_size=4))
def test_parts_joined_by_plus_come_apart_again(parts: list[Spec]) -> None:
    assert parse_all("+".join(map(str, parts))) == tuple(parts)
    assert parse_all(" + ".join(map(str, parts))) == tuple(parts)


@given(st.text(st.sampled_from("ab1.-+:=,()'\" \\\n5e"), max_size=25))
@example("x(a=1e999)")
@example("x(a=-" + "9" * 5000 + ")")
def test_any_text_parses_to_what_prints_back_or_is_a_spec_error(text: str) -> None:
    try:
        parts = parse_all(text)
    except SpecError:
        return
    assert parse_all("+".join(map(str, parts))) == parts
    assert all(math.isfinite(v) for part in parts for _, v in part.params if isinstance(v, float))


@pytest.mark.parametrize(
    ("text", "wanted", "position", "found"),
    [
        ("", "a name", 1, "the end"),
        ("  ", "a name", 3, "the end"),
        ("5x", "a name", 1, "'5x'"),
        ("bm25(", "a parameter's name", 6, "the end"),
        ("bm25(k1", "'='", 8, "the end"),
        ("bm25(k1=", "a value", 9, "the end"),
        ("bm25(k1=1", "',' or ')'", 10, "the end"),
        ('bm25(k1="1" b=2)', "',' or ')'", 13, "'b=2)'"),
        ("bm25(k1=1,)", "a parameter's name", 11, "')'"),
        ("bm25)", "'+' or the end", 5, "')'"),
        ("bm25+", "a name", 6, "the end"),
        ("bm25 tfidf", "'+' or the end", 6, "'tfidf'"),
        ("st:", "a name or folder after ':'", 4, "the end"),
    ],
)
def test_errors_say_what_was_expected_and_where(text: str, wanted: str, position: int, found: str) -> None:
    with pytest.raises(SpecError) as raised:
        parse_all(text)
    assert f"expected {wanted} at character {position}, found {found}" in raised.value.fault
    assert "name(key=value" in raised.value.remedy


def test_a_parameter_given_twice() -> None:
    with pytest.raises(SpecError, match="gives k1 twice"):
        Spec.parse("bm25(k1=1, k1=2)")


def test_single_quotes_for_a_shell_that_takes_the_double_ones() -> None:
    spec = Spec.parse("x(a='my, model', b='5', c='')")
    assert spec.params == (("a", "my, model"), ("b", "5"), ("c", ""))
    assert Spec.parse("x(a=it's, b='open)").params == (("a", "it's"), ("b", "'open"))


def test_a_string_with_a_wrong_escape() -> None:
    with pytest.raises(SpecError, match="no valid string; quote as in JSON"):
        Spec.parse(r'x(a="\q")')


def test_one_part_where_several_are_given() -> None:
    with pytest.raises(SpecError, match="joins 2 parts where one is wanted"):
        Spec.parse("bm25+tfidf")
