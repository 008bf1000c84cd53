"""The written form of a filter: ``lang = 'en' and (year >= 2020 or path:guide/*)``.

Grammar, words in any case::

    condition = all { "or" all }
    all       = one { "and" one }
    one       = "not" one | "(" condition ")" | "exists" key | key test
    test      = ":" pattern                                  at once after the key; quoted where it holds spaces
              | ( "=" | "!=" | "<" | "<=" | ">" | ">=" ) value
              | [ "not" ] "in" "(" [ value { "," value } ] ")"
              | "prefix" text | "starts with" text | "is" [ "not" ] "null"
    value     = number | "true" | "false" | text
    text      = "'" ... "'" | '"' ... '"'                    the quote itself is written twice
    key       = letter or _ { letter, digit, _ . - } | "[" ... "]"    "]" is written twice
"""

from __future__ import annotations

import re
from collections.abc import Callable

from ragembed.errors import QueryError
from ragembed.filters.conditions import (
    BARE_KEY,
    BARE_PATTERN,
    RESERVED,
    And,
    Compare,
    Condition,
    Exists,
    Not,
    OneOf,
    Or,
    Prefix,
    Scalar,
    glob,
)

LONGEST = 100_000
"""Characters of an expression."""
_DEEPEST = 48  # parentheses and `not`: more than the deepest condition prints
_SPACE = re.compile(r"\s*+")
_WORD = re.compile(r"[^\W\d]\w*+")
_OPERATOR = re.compile(r"<=|>=|!=|<>|==|=|<|>")
_NUMBER = re.compile(r"[+-]?(?:[0-9]++(?:\.[0-9]*+)?+|\.[0-9]++)(?:[eE][+-]?[0-9]++)?+(?![\w.])")
_TEXTS = {
    quote: re.compile(f"{quote}([^{quote}]*+(?:{quote}{quote}[^{quote}]*+)*+){quote}") for quote in "'\""
}
_BRACKETS = re.compile(r"\[([^\]]*+(?:\]\][^\]]*+)*+)\]")
_ALIASES = {"==": "=", "<>": "!="}
_TESTS = "=, !=, <, <=, >, >=, in, not in, prefix, is null, or a pattern such as path:guide/*"


def parse(text: str) -> Condition:
    """Read an expression; `QueryError` says where it is wrong and what was expected there."""
    if len(text) > LONGEST:
        raise QueryError(
            f"the filter has {len(text)} characters, more than the {LONGEST} allowed",
            "ask in several queries",
        )
    return parse_printed(text)


def parse_printed(text: str) -> Condition:
    """Read what `str` made of a condition, however long it is."""
    parser = _Parser(text)
    found = parser.condition()
    if parser.at < len(text):
        raise parser.fail("'and', 'or' or the end")
    return found


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.depth = 0
        self.skip()

    def condition(self) -> Condition:
        return self.joined("or", lambda: self.joined("and", self.one, And), Or)

    def joined(self, word: str, part: Callable[[], Condition], join: type[And] | type[Or]) -> Condition:
        parts = [part()]
        while self.take_word(word):
            parts.append(part())
        return parts[0] if len(parts) == 1 else join(tuple(parts))

    def one(self) -> Condition:
        self.depth += 1
        if self.depth > _DEEPEST:
            raise QueryError(
                f"the filter nests more than {_DEEPEST} parentheses and 'not' at character {self.at + 1}",
                "write it with fewer levels",
            )
        found = self.inner()
        self.depth -= 1
        return found

    def inner(self) -> Condition:
        if self.take_word("not"):
            return Not(self.one())
        if self.take_word("exists"):
            return Exists(self.key())
        if self.take("("):
            found = self.condition()
            if not self.take(")"):
                raise self.fail("'and', 'or' or ')'")
            return found
        key = self.key(skip=False)
        if self.text.startswith(":", self.at):
            self.at += 1
            return glob(key, self.pattern())
        self.skip()
        return self.test(key)

    def test(self, key: str) -> Condition:
        operator = self.match(_OPERATOR)
        if operator is not None:
            operator = _ALIASES.get(operator, operator)
            value = self.value()
            return Not(Compare(key, "=", value)) if operator == "!=" else Compare(key, operator, value)
        if self.take_word("prefix") or self.take_word("starts", "with"):
            return Prefix(key, self.quoted("text in quotes"))
        if self.take_word("in"):
            return OneOf(key, self.values())
        if self.take_word("not", "in"):
            return Not(OneOf(key, self.values()))
        if self.take_word("is", "null"):
            return Not(Exists(key))
        if self.take_word("is", "not", "null"):
            return Exists(key)
        raise self.fail(f"a test after the key {key!r} ({_TESTS})")

    def key(self, *, skip: bool = True) -> str:
        found = _BRACKETS.match(self.text, self.at)
        if found:
            key = found[1].replace("]]", "]")
        else:
            found = BARE_KEY.match(self.text, self.at)
            if found is None:
                raise self.fail("a key, 'not', 'exists' or '('")
            key = found[0]
            if key.lower() in RESERVED:
                raise self.fail(f"a key ('{key}' is a word of the language; as a key it is [{key}])")
        self.at = found.end()
        if skip:
            self.skip()
        return key

    def pattern(self) -> str:
        if self.text[self.at : self.at + 1] in _TEXTS:
            return self.quoted("a pattern")
        found = self.match(BARE_PATTERN)
        if found is None:
            raise self.fail("a pattern at once after ':'")
        return found

    def values(self) -> tuple[Scalar, ...]:
        if not self.take("("):
            raise self.fail("'(' and the values after 'in'")
        values: list[Scalar] = []
        while not self.take(")"):
            if values and not self.take(","):
                raise self.fail("',' or ')'")
            values.append(self.value())
        return tuple(values)

    def value(self) -> Scalar:
        start = self.at
        number = self.match(_NUMBER)
        if number is not None:
            try:
                return int(number) if number.lstrip("+-").isdigit() else float(number)
            except ValueError as error:  # more digits than Python reads
                self.at = start
                raise self.fail("a number of fewer digits") from error
        for word, truth in (("true", True), ("false", False)):
            if self.take_word(word):
                return truth
        if self.take_word("null"):
            self.at = start
            raise self.fail("a value (for null write: KEY is null)")
        return self.quoted("a number, true, false or text in quotes")

    def quoted(self, wanted: str) -> str:
        quote = self.text[self.at : self.at + 1]
        if quote not in _TEXTS:
            raise self.fail(wanted)
        found = _TEXTS[quote].match(self.text, self.at)
        if found is None:
            raise self.fail(f"a closing {quote} for the text that begins")
        self.at = found.end()
        self.skip()
        return found[1].replace(quote * 2, quote)

    # scanning

    def skip(self) -> None:
        found = _SPACE.match(self.text, self.at)
        self.at = found.end() if found else self.at

    def take(self, character: str) -> bool:
        if not self.text.startswith(character, self.at):
            return False
        self.at += 1
        self.skip()
        return True

    def take_word(self, *words: str) -> bool:
        """Take the words if they come next, all of them or none."""
        start = self.at
        for word in words:
            found = _WORD.match(self.text, self.at)
            if found is None or found[0].lower() != word:
                self.at = start
                return False
            self.at = found.end()
            self.skip()
        return True

    def match(self, pattern: re.Pattern[str]) -> str | None:
        found = pattern.match(self.text, self.at)
        if found is None:
            return None
        self.at = found.end()
        self.skip()
        return found[0]

    def fail(self, wanted: str) -> QueryError:
        found = repr(self.text[self.at : self.at + 20]) if self.at < len(self.text) else "the end"
        return QueryError(
            f"the filter does not parse: expected {wanted} at character {self.at + 1}, found {found}",
            "write it like: lang = 'en' and year >= 2020",
        )
