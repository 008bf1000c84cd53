"""Conditions as SQL: which chunks and documents of a catalog a filter selects.

A condition on keys that are not scanned (see `ragembed.filters.fields`) becomes a set of document numbers, found in the
primary key of the table ``fields``. One on scanned keys reads the JSON: simple ones with SQLite's own functions as far
as these are exact, all others by calling `Condition.matches`, through a function that `register` adds to a connection.
Everything that comes from a user is bound as a parameter.
"""

from __future__ import annotations

import functools
import json
import re
import sqlite3
from collections.abc import Collection, Iterator, Sequence
from typing import Any

from ragembed.filters.conditions import (
    ID_KEY,
    And,
    Compare,
    Condition,
    Exists,
    Glob,
    Group,
    Leaf,
    Not,
    OneOf,
    Or,
    Prefix,
    Scalar,
    glob_regex,
)
from ragembed.filters.fields import is_scanned
from ragembed.filters.parse import parse_printed

Statement = tuple[str, dict[str, Scalar]]
"""SQL and its parameters by name, as `sqlite3.Connection.execute` takes them."""

_MOST_LEAVES = 200  # SQLite limits the depth of expressions (1,000) and the members of a union (500)
_DEEPEST = 4  # its parser has room for about a dozen subqueries within each other
_FEW = 8
"""Values that are looked up one by one, and bound as a parameter each."""
_MOST_ODD = 100
"""Values of one list that cannot go through JSON and have to be bound as a parameter each."""
_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_WILDCARD = re.compile(r"[*?]")
_LARGEST = 0x10FFFF
_SURROGATES = range(0xD800, 0xE000)


def register(db: sqlite3.Connection) -> None:
    """Give a connection the functions that the statements of this module call, unless it has them."""
    try:
        db.execute("SELECT ragembed_glob('', '')").close()
    except sqlite3.OperationalError:
        pass
    else:
        return  # SQLite refuses to replace a function while a statement of the connection is being read
    last: tuple[str, dict[str, Any]] = ("{}", {})  # chunks of a document mostly come one after the other

    def where(condition: str, identifier: str, outer: str, inner: str) -> bool:
        nonlocal last
        document = last
        if document[0] != outer:
            last = document = (outer, json.loads(outer))
        return _condition(condition).matches({**document[1], **json.loads(inner), ID_KEY: identifier})

    def glob(pattern: str, value: Scalar) -> bool:
        return isinstance(value, str) and glob_regex(pattern).fullmatch(value) is not None

    db.create_function("ragembed_where", 4, where, deterministic=True)
    db.create_function("ragembed_glob", 2, glob, deterministic=True)


def select_rows(condition: Condition, scanned: Collection[str]) -> Statement:
    """A statement for the rows, ascending, of all chunks that a condition is true of.

    It is asked of the document's metadata with the chunk's own over them. `scanned` are the keys of all
    `Fields.scanned` and `own_keys` of the index.
    """
    compiler = _Compiler(scanned, ("c.metadata", "d.metadata"))
    where = compiler.whole(condition, "c.document")
    join = " JOIN documents d ON d.row = c.document" if "d.metadata" in where else ""
    return f"SELECT c.row FROM chunks c{join} WHERE {where} ORDER BY c.row", compiler.parameters


def select_documents(condition: Condition, scanned: Collection[str]) -> Statement:
    """The same for the rows of documents, by the document's own metadata; `own_keys` need not be in `scanned`."""
    compiler = _Compiler(scanned, ("d.metadata",))
    where = compiler.whole(condition, "d.row")
    return f"SELECT d.row FROM documents d WHERE {where} ORDER BY d.row", compiler.parameters


class _Compiler:
    def __init__(self, scanned: Collection[str], layers: Sequence[str]) -> None:
        self.scanned = scanned
        self.layers = layers
        """The columns of JSON that make up the metadata, the one that wins first."""
        self.parameters: dict[str, Scalar] = {}

    def bind(self, value: Scalar) -> str:
        name = f"p{len(self.parameters)}"
        self.parameters[name] = value
        return f":{name}"

    def whole(self, condition: Condition, document: str) -> str:
        """What comes after WHERE; by the function alone where it is larger than SQLite takes."""
        leaves = list(_leaves(condition))
        if len(leaves) > _MOST_LEAVES or condition.depth > _DEEPEST:
            return self.called(condition)
        return self.holds(condition, document)

    # what has rows in the table: sets of document numbers

    def needs_metadata(self, condition: Condition) -> bool:
        """Whether something in it is not to be found in the table."""
        return any(
            _is_beyond_sqlite(leaf) or (leaf.key != ID_KEY and is_scanned(leaf.key, self.scanned))
            for leaf in _leaves(condition)
        )

    def is_set(self, condition: Condition) -> bool:
        """Whether its documents can be listed without going through all that there are."""
        match condition:
            case Leaf():
                return not self.needs_metadata(condition)
            case And(parts=parts):
                return any(map(self.is_set, parts)) and not self.needs_metadata(condition)
            case Or(parts=parts):
                return all(map(self.is_set, parts))
            case _:
                return False

    def members(self, condition: Condition) -> str:
        """A SELECT of the numbers, as ``document`` and perhaps repeated, of all that an `is_set` is true of."""
        match condition:
            case Leaf():
                return self.leaf_members(condition)
            case Or(parts=parts):
                return " UNION ALL ".join(map(self.members, parts))
            case Group(parts=parts):
                # one part is gone through, preferably one that is dear to look up for single documents
                first = min((part for part in parts if self.is_set(part)), key=_is_point)
                others = [self.holds(part, "f.document", each=True) for part in parts if part is not first]
                return f"SELECT f.document FROM ({self.members(first)}) f WHERE {' AND '.join(others)}"
            case _:
                raise AssertionError(condition)

    def leaf_members(self, leaf: Leaf) -> str:
        if isinstance(leaf, Exists):
            return self.existing(leaf.key)
        if leaf.key == ID_KEY:
            return f"SELECT row AS document FROM documents WHERE {self.test(leaf, 'id', only_text=True)}"
        return f"SELECT document FROM fields WHERE key = {self.bind(leaf.key)} AND {self.test(leaf, 'value')}"

    def existing(self, key: str) -> str:
        if key == ID_KEY:
            return "SELECT row AS document FROM documents"
        low, high = self.bind(f"{key}."), self.bind(f"{key}/")  # "/" comes after "."
        return (
            f"SELECT document FROM fields WHERE key = {self.bind(key)}"
            f" UNION ALL SELECT document FROM fields WHERE key >= {low} AND key < {high}"
        )

    def holds(self, condition: Condition, document: str, *, each: bool = False) -> str:
        """A boolean expression. With `each`, made to be cheap for a few documents rather than for all."""
        if self.is_set(condition):
            if each and _is_point(condition):
                return f"EXISTS ({self.members(condition)} AND document = {document})"
            return f"{document} IN ({self.members(condition)})"
        match condition:
            case Leaf():
                return self.read(condition)
            case Not(part=part):
                return f"NOT ({self.holds(part, document, each=each)})"
            case Group(parts=parts):
                return f"({f' {condition.word} '.join(self.joined(type(condition), parts, document, each))})"
            case _:
                raise AssertionError(condition)

    def joined(
        self, join: type[Group], parts: Sequence[Condition], document: str, each: bool
    ) -> Iterator[str]:
        """Expressions for the parts of a group: one for all that has rows, one for all that is called."""
        listed = [part for part in parts if not self.needs_metadata(part)]
        if len(listed) > 1 and len(listed) < len(parts):
            yield self.holds(join(tuple(listed)), document, each=each)
        else:
            yield from (self.holds(part, document, each=each) for part in listed)
        others = [part for part in parts if self.needs_metadata(part)]
        called = [part for part in others if not any(map(_is_readable, _leaves(part)))]
        yield from (self.holds(part, document, each=each) for part in others if part not in called)
        if called:
            yield self.called(called[0] if len(called) == 1 else join(tuple(called)))

    # what is scanned: JSON

    def called(self, condition: Condition) -> str:
        """`Condition.matches` itself."""
        own = self.layers[0] if len(self.layers) > 1 else "'{}'"
        return f"ragembed_where({self.bind(str(condition))}, d.id, d.metadata, {own})"

    def read(self, leaf: Leaf) -> str:
        """A test of a scanned key: SQLite's functions where they are exact, else the function.

        They are not for lists, objects, numbers with a fraction or beyond 64 bits, and text with NUL in it.
        """
        called = self.called(leaf)
        if not _is_readable(leaf):
            return called
        path = self.bind(f"$.{leaf.key}")
        if isinstance(leaf, Exists):  # where it is missing, what is below it may exist
            types = "('text', 'integer', 'real', 'true', 'false')"
            return f"CASE WHEN json_type({self.layers[0]}, {path}) IN {types} THEN 1 ELSE {called} END"
        found = "0"
        for layer in reversed(self.layers):
            value = f"json_extract({layer}, {path})"
            test = self.test(leaf, value)
            found = (
                f"CASE json_type({layer}, {path})"
                f" WHEN 'text' THEN CASE WHEN instr({layer}, '\\u0000') THEN {called} ELSE {test} END"
                f" WHEN 'integer' THEN CASE typeof({value}) WHEN 'integer' THEN {test} ELSE {called} END"
                f" ELSE CASE WHEN json_type({layer}, {path}) IS NULL THEN {found} ELSE {called} END END"
            )
        return found

    def test(self, leaf: Leaf, value: str, *, only_text: bool = False) -> str:
        """Whether the expression `value`, a number or text, passes.

        In SQLite all numbers come before all text. `only_text` is for a column that would turn numbers into text.
        """
        match leaf:
            case Compare(operator=operator, value=operand):
                if isinstance(operand, str):
                    floor = f"{value} >= '' AND " if operator in ("<", "<=") else ""
                    return f"{floor}{value} {operator} {self.bind(operand)}"
                if only_text:
                    return "0"
                ceiling = f" AND {value} < ''" if operator in (">", ">=") else ""
                return f"{value} {operator} {self.bind(operand)}{ceiling}"
            case OneOf(values=values):
                return self.among(value, [one for one in values if isinstance(one, str) or not only_text])
            case Prefix(text=text):
                return self.begins(value, text)
            case Glob(pattern=pattern):
                found = _WILDCARD.search(pattern)
                if found is None:
                    return f"{value} = {self.bind(pattern)}"
                begins = self.begins(value, pattern[: found.start()])
                if not pattern[found.start() :].strip("*"):
                    return begins
                return f"{begins} AND ragembed_glob({self.bind(pattern)}, {value})"
            case _:
                raise AssertionError(leaf)

    def among(self, value: str, values: Sequence[Scalar]) -> str:
        if len(values) <= _FEW:
            return f"{value} IN ({', '.join(map(self.bind, values))})"
        listed = [int(one) if isinstance(one, bool) else one for one in values if _survives_json(one)]
        others = [self.bind(one) for one in values if not _survives_json(one)]
        # one parameter, because SQLite's time for naming them is quadratic in their number
        whole = self.bind(json.dumps(listed, ensure_ascii=False))
        found = f"{value} IN (SELECT value FROM json_each({whole}))"
        return f"({found} OR {value} IN ({', '.join(others)}))" if others else found

    def begins(self, value: str, prefix: str) -> str:
        after = _successor(prefix)
        above = "" if after is None else f" AND {value} < {self.bind(after)}"
        return f"{value} >= {self.bind(prefix)}{above}"


@functools.lru_cache(maxsize=64)
def _condition(printed: str) -> Condition:
    return parse_printed(printed)


def _leaves(condition: Condition) -> Iterator[Leaf]:
    match condition:
        case Leaf():
            yield condition
        case Not(part=part):
            yield from _leaves(part)
        case Group(parts=parts):
            for part in parts:
                yield from _leaves(part)


def _is_point(condition: Condition) -> bool:
    """Whether the primary key answers it for a document with one or a few look-ups."""
    if isinstance(condition, Compare):
        return condition.operator == "=" and condition.key != ID_KEY
    return isinstance(condition, OneOf) and len(condition.values) <= _FEW and condition.key != ID_KEY


def _is_readable(leaf: Leaf) -> bool:
    """Whether SQLite's functions can read it: a key of the outermost level without odd characters."""
    return _PLAIN_KEY.fullmatch(leaf.key) is not None and not _is_beyond_sqlite(leaf)


def _is_beyond_sqlite(leaf: Leaf) -> bool:
    """Whether it compares with an integer of more than 64 bits, or with too many values that JSON is no way for."""
    match leaf:
        case Compare(value=value):
            values: tuple[Scalar, ...] = (value,)
        case OneOf(values=values):
            pass
        case _:
            return False
    if any(isinstance(value, int) and not -(1 << 63) <= value < 1 << 63 for value in values):
        return True
    return len(values) > _MOST_ODD and sum(not _survives_json(value) for value in values) > _MOST_ODD


def _survives_json(value: Scalar) -> bool:
    """Whether every SQLite reads it from JSON as it is: fractions may be rounded, and texts end at NUL."""
    return isinstance(value, int) or (isinstance(value, str) and "\0" not in value)


def _successor(prefix: str) -> str | None:
    """The first text by code point after all that begin with `prefix`; None where there is none."""
    for end in range(len(prefix), 0, -1):
        code = ord(prefix[end - 1])
        if code < _LARGEST:
            after = code + 1
            return prefix[: end - 1] + chr(_SURROGATES.stop if after in _SURROGATES else after)
    return None
