from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ragembed.filters import (
    ID_KEY,
    And,
    Compare,
    Condition,
    Exists,
    Glob,
    Not,
    OneOf,
    Or,
    Prefix,
    from_dict,
    parse,
)
from ragembed.filters.fields import EVERY_KEY, fields, own_keys
from ragembed.filters.sql import register, select_documents, select_rows

SCHEMA = """
CREATE TABLE documents (row INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, metadata TEXT NOT NULL);
CREATE TABLE fields (key TEXT NOT NULL, value NOT NULL, document INTEGER NOT NULL,
                     PRIMARY KEY (key, value, document)) WITHOUT ROWID;
CREATE TABLE chunks (row INTEGER PRIMARY KEY AUTOINCREMENT, document INTEGER NOT NULL, metadata TEXT NOT NULL);
CREATE INDEX chunks_by_document ON chunks (document);
"""

Entry = tuple[str, Mapping[str, Any], Sequence[Mapping[str, Any]]]
"""A document's id, its metadata, and its chunks' own."""


class Index:
    """The tables that a filter looks at, filled as the catalog does."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self.entries = entries
        self.db = sqlite3.connect(":memory:")
        self.db.executescript(SCHEMA)
        register(self.db)
        self.scanned: set[str] = set()
        for identifier, metadata, chunks in entries:
            text = json.dumps(metadata, ensure_ascii=False)
            cursor = self.db.execute("INSERT INTO documents (id, metadata) VALUES (?, ?)", (identifier, text))
            rows = fields(metadata)
            self.scanned |= rows.scanned
            self.db.executemany(
                "INSERT INTO fields VALUES (?, ?, ?)",
                [(key, value, cursor.lastrowid) for key, value in rows.rows],
            )
            for own in chunks:
                self.scanned |= own_keys(own)
                self.db.execute(
                    "INSERT INTO chunks (document, metadata) VALUES (?, ?)",
                    (cursor.lastrowid, json.dumps(own, ensure_ascii=False)),
                )

    def rows(self, condition: Condition, *scanned: str) -> list[int]:
        return [row for (row,) in self.db.execute(*select_rows(condition, self.scanned | {*scanned}))]

    def documents(self, condition: Condition) -> list[int]:
        return [row for (row,) in self.db.execute(*select_documents(condition, self.scanned))]

    def expected_rows(self, condition: Condition) -> list[int]:
        merged = [{**outer, **own, ID_KEY: i} for i, outer, chunks in self.entries for own in chunks]
        return [row for row, metadata in enumerate(merged, 1) if condition.matches(metadata)]

    def expected_documents(self, condition: Condition) -> list[int]:
        return [
            row
            for row, (identifier, metadata, _) in enumerate(self.entries, 1)
            if condition.matches({**metadata, ID_KEY: identifier})
        ]

    def plan(self, statement: tuple[str, dict[str, Any]]) -> str:
        sql, parameters = statement
        return "\n".join(row[3] for row in self.db.execute(f"EXPLAIN QUERY PLAN {sql}", parameters))


# random metadata against the plain meaning

KEYS = st.just("a") | st.sampled_from(
    ["a", "b", "a.b", "a.b.c", "b.a", "b.", "_id", "", "*", 'q"]', "nul\0", "ключ", "a/b"]
)
TEXTS = st.sampled_from(
    [
        "",
        "a",
        "ab",
        "a/b",
        "b",
        "2",
        "'",
        '"',
        "''--",
        "a\0b",
        "a\0",
        "é",
        "\ud7ff",
        "\ue000",
        "\U0010ffff",
        "x" * 300,
    ]
) | st.text(st.characters(exclude_categories=["Cs"]), max_size=4)
SMALL = [0, 1, 2, -1, 2.5, 1.0, -0.0, 0.1]
LARGE = [1e300, 2**53, 2**53 + 1, 2.0**53, 2**63 - 1, 2**63, -(2**63), -(2**63) - 1, 10**30]
NUMBERS = st.sampled_from([*SMALL, *LARGE])
SCALARS = st.one_of(st.booleans(), NUMBERS, TEXTS)
VALUES = st.recursive(
    SCALARS | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=2),
    max_leaves=4,
)
METADATA = st.dictionaries(KEYS, VALUES, max_size=4)
ENTRIES = st.lists(
    st.tuples(TEXTS, METADATA, st.lists(st.just({}) | METADATA, min_size=1, max_size=2)),
    min_size=1,
    max_size=4,
    unique_by=lambda entry: entry[0],
)
PATTERNS = st.lists(st.sampled_from(["*", "?", "a", "b", "/", "[", "é", "\0"]), max_size=4).map("".join)
LEAVES: st.SearchStrategy[Condition] = st.one_of(
    st.builds(Compare, KEYS, st.sampled_from(["=", "<", "<=", ">", ">="]), SCALARS),
    st.builds(
        OneOf, KEYS, (st.lists(SCALARS, max_size=3) | st.lists(SCALARS, min_size=9, max_size=12)).map(tuple)
    ),
    st.builds(Prefix, KEYS, TEXTS),
    st.builds(Glob, KEYS, PATTERNS),
    st.builds(Exists, KEYS),
)
CONDITIONS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(Not, inner),
        *(st.builds(join, st.lists(inner, min_size=2, max_size=3).map(tuple)) for join in (And, Or)),
    ),
    max_leaves=6,
)


@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow])
@given(ENTRIES, CONDITIONS, st.sampled_from([None, "a", EVERY_KEY]))
@example([("x", {"a": {"b": 1}}, [{"a": {"c": 2}}])], parse("a.b = 1"), None)
@example([("x", {"a.b": 1}, [{}])], parse("exists a"), None)
@example([("x", {}, [{"a.b": 1}])], parse("exists a"), None)
@example([("x", {"a": "q\0r"}, [{}])], Compare("a", "=", "q"), "a")
@example([("x", {"a": 2**63}, [{}])], Compare("a", "=", 2.0**63), None)
@example([("x", {"_id": "y"}, [{"_id": "z"}])], parse("_id = 'x'"), None)
@example([("5", {}, [{}])], Compare("_id", "=", 5), None)
def test_sql_selects_what_the_condition_means(
    entries: list[Entry], condition: Condition, more: str | None
) -> None:
    index = Index(entries)
    assert index.rows(condition, *([more] if more else [])) == index.expected_rows(condition)
    assert index.documents(condition) == index.expected_documents(condition)
    # printing and parsing may not change what is selected either
    assert index.rows(parse(str(condition))) == index.expected_rows(condition)


# what a reader can work out


@pytest.fixture
def library() -> Iterator[Index]:
    """Rows 1 and 2 are chunks of the guide, 3 of the notes, 4 of the untitled one."""
    index = Index(
        [
            (
                "g",
                {"path": "guide/a.md", "lang": "en", "year": 2021, "tags": ["new", "api"]},
                [{"page": 1}, {"page": 2, "lang": "fr"}],
            ),
            ("n", {"path": "notes/b.md", "lang": "de", "year": 2019, "about": "y" * 500}, [{}]),
            ("u", {"author": {"name": "Ada"}}, [{"page": "ii"}]),
        ]
    )
    yield index
    index.db.close()


@pytest.mark.parametrize(
    ("where", "rows"),
    [
        ("path:guide/*", [1, 2]),
        ("lang = 'en'", [1]),  # the second chunk has its own
        ("lang = 'fr'", [2]),
        ("lang != 'en'", [2, 3, 4]),  # the last has none
        ("year >= 2020", [1, 2]),
        ("not year >= 2020", [3, 4]),
        ("tags = 'api'", [1, 2]),
        ("tags not in ('api', 'old')", [3, 4]),
        ("page >= 2", [2]),
        ("page >= 'a'", [4]),
        ("page < 'z'", [4]),  # numbers are not before text
        ("page > 0", [1, 2]),
        ("year < 'z'", []),
        ("year > 0", [1, 2, 3]),
        ("lang > 0", []),
        ("exists page", [1, 2, 4]),
        ("author.name prefix 'A'", [4]),
        ("exists author", [4]),
        ("about prefix 'yy'", [3]),
        ("_id in ('g', 'u') and not page = 1", [2, 4]),
        ("year = 2019 or page = 2", [2, 3]),
        ("year = 2019 and lang = 'de' and path:*.md", [3]),
    ],
)
def test_what_a_filter_selects(library: Index, where: str, rows: list[int]) -> None:
    assert library.rows(parse(where)) == rows == library.expected_rows(parse(where))


@pytest.mark.parametrize(
    "text", ["') OR 1=1 --", "'; DROP TABLE fields; --", '" OR ""="', ":p0", "?1", "%", "\0' OR 1=1", "$.a"]
)
def test_hostile_text_is_only_text(text: str) -> None:
    index = Index([("a", {"k": text, text: 1}, [{}]), ("b", {"k": "other"}, [{}])])
    for scanned in ((), (EVERY_KEY,)):
        for condition in (
            Compare("k", "=", text),
            Compare(text, "=", 1),
            Prefix("k", text),
            Glob("k", f"{text.replace('?', '*')}*"),
            Exists(text),
            parse(str(Compare(text, "=", 1))),
        ):
            assert index.rows(condition, *scanned) == [1]
            assert index.rows(Not(condition), *scanned) == [2]
    assert index.db.execute("SELECT count(*) FROM documents").fetchone() == (2,)
    sql, parameters = select_rows(Compare(text, "=", text), [text])
    assert text not in sql or text in (":p0", "%", "?1", "$.a")
    assert text in "".join(map(str, parameters.values()))


def test_a_value_left_out_of_the_table_is_found() -> None:
    long = "z" * 1000
    index = Index(
        [("a", {"t": long, "n": 2**70}, [{}]), ("b", {"t": "short", "n": 5, "l": list(range(2000))}, [{}])]
    )
    assert index.scanned == {"t", "n", "l"}
    assert index.rows(parse("t prefix 'zz'")) == [1]
    assert index.rows(parse("n > 9")) == [1]
    assert index.rows(parse(f"n = {2**70}")) == [1]
    assert index.rows(parse("l = 1999")) == [2]


@pytest.mark.parametrize("scanned", [(), (EVERY_KEY,)])
def test_the_widest_and_deepest_conditions(scanned: tuple[str, ...]) -> None:
    index = Index([(str(n), {"n": n, f"k{n}": 1}, [{}]) for n in range(300)])
    last = index.db.execute("SELECT max(row) FROM chunks").fetchone()[0]
    assert index.rows(from_dict({"n": list(range(30_000))}), *scanned) == list(range(1, last + 1))
    odd = ["a\0", 0.1, 7.0, True, "7", *range(290, 400)]
    assert index.rows(OneOf("n", tuple(odd)), *scanned) == [2, 8, *range(291, 301)]
    assert index.rows(OneOf("n", tuple(n + 0.0 for n in range(200))), *scanned) == list(range(1, 201))
    many = tuple(Compare(f"k{n}", "=", 1) for n in range(300))
    assert index.rows(Or(many), *scanned) == list(range(1, last + 1))
    assert index.rows(Or(many[:150]), *scanned) == list(range(1, 151))
    assert index.rows(And(many), *scanned) == []
    assert index.rows(And(tuple(Not(each) for each in many[:199])), *scanned) == list(range(200, 301))
    lists = Or(tuple(OneOf(f"k{n}", tuple(range(20_000))) for n in range(3)))
    assert index.rows(lists, *scanned) == [1, 2, 3]
    deep: Condition = Compare("n", "=", 7)
    for level in range(30):
        deep = Not(deep) if level % 3 == 2 else (And, Or)[level % 3]((deep, Compare("n", ">=", level % 2)))
    assert index.rows(deep, *scanned) == index.expected_rows(deep)


@pytest.mark.parametrize("depth", range(1, 7))
def test_every_depth_that_is_compiled_is_within_the_limits_of_sqlite(depth: int, library: Index) -> None:
    for joins in ((And, Or), (Or, And)):
        condition: Condition = parse("year = 2021")
        for level in range(depth):
            wide = tuple(Compare(key, ">=", 0) for key in ("lang", "year", "page", "about"))
            condition = joins[level % 2](
                (*wide, condition, parse("not exists author and year > 1 or page = 2"))
            )
        assert library.rows(condition) == library.expected_rows(condition)


def test_filters_use_the_primary_key() -> None:
    index = Index([(str(n), {"n": n, "lang": "en", "path": f"d/{n}"}, [{}]) for n in range(50)])
    assert index.scanned == set()
    for where in (
        "n = 5",
        "n >= 49",
        "path:d/4*",
        "lang prefix 'e'",
        "n in (1, 2)",
        "_id = '5'",
        "exists lang",
    ):
        for statement in (select_rows(parse(where), ()), select_documents(parse(where), ())):
            plan = index.plan(statement)
            assert "SCAN" not in plan, (where, plan)
    plan = index.plan(select_rows(parse("lang = 'en' and n = 5 and path:/d/*"), ()))
    assert plan.count("PRIMARY KEY") == 3


def test_a_connection_that_is_being_read_may_register_again(library: Index) -> None:
    reading = library.db.execute(*select_rows(parse("exists page or path:*n*s/*"), [EVERY_KEY]))
    assert reading.fetchone() == (1,)
    register(library.db)
    assert reading.fetchall() == [(2,), (3,), (4,)]
