"""Short names for pluggable parts: ``bm25``, ``recursive(tokens=256, overlap=32)``, ``st:NAME``, ``bm25+minilm``.

Grammar::

    spec   = part { "+" part }
    part   = name [ ":" target ] [ "(" [ key "=" value { "," key "=" value } ] ")" ]
    value  = integer | float | "true" | "false" | "none" | bare string | "quoted string" | 'quoted string'

A target ends at ``(``, ``+`` or the end; one that holds such characters is written in double quotes.
A shell takes double quotes away: ``"glove(path='my model')"`` is what one writes there.
``Spec.parse(text)`` and ``str(spec)`` are inverse up to white space and quoting.
"""

from __future__ import annotations

import contextlib
import json
import math
import re
from dataclasses import dataclass

from ragembed.errors import SpecError

Value = int | float | bool | str | None

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
_SINGLE = re.compile(r"'([^']*)'(?=\s*[,)])")
_BARE_TARGET = re.compile(r'[^"(+\s][^(+]*')
_BARE_VALUE = re.compile(r"[^,()=\"\s][^,()\"]*")
_SPACE = re.compile(r"\s*")
_INTEGER = re.compile(r"[+-]?\d+")
_FLOAT = re.compile(r"[+-]?(\d+\.\d*|\.\d+|\d+)([eE][+-]?\d+)?")
_WORDS: dict[str, Value] = {"true": True, "false": False, "none": None}


@dataclass(frozen=True, slots=True)
class Spec:
    """A part's name, its target (``st:TARGET``) and its parameters in the order written."""

    name: str
    target: str | None = None
    params: tuple[tuple[str, Value], ...] = ()

    @classmethod
    def parse(cls, text: str) -> Spec:
        """Read one part; raises `SpecError` where `text` is none, or several joined by ``+``."""
        parts = parse_all(text)
        if len(parts) != 1:
            raise SpecError(f"spec {text!r} joins {len(parts)} parts where one is wanted", "name one part")
        return parts[0]

    def __str__(self) -> str:
        head = self.name if self.target is None else f"{self.name}:{_print_target(self.target)}"
        if not self.params:
            return head
        return f"{head}({', '.join(f'{key}={_print_value(value)}' for key, value in self.params)})"


def parse_all(text: str) -> tuple[Spec, ...]:
    """Read parts joined by ``+``, such as ``bm25+minilm``."""
    scanner = _Scanner(text)
    parts = [scanner.part()]
    while scanner.take("+"):
        parts.append(scanner.part())
    scanner.end()
    return tuple(parts)


class _Scanner:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.skip()

    def skip(self) -> None:
        match = _SPACE.match(self.text, self.at)
        self.at = match.end() if match else self.at

    def take(self, character: str) -> bool:
        if self.text.startswith(character, self.at):
            self.at += 1
            self.skip()
            return True
        return False

    def match(self, pattern: re.Pattern[str]) -> str | None:
        match = pattern.match(self.text, self.at)
        if match is None:
            return None
        self.at = match.end()
        self.skip()
        return match.group().rstrip()

    def fail(self, wanted: str) -> SpecError:
        found = repr(self.text[self.at : self.at + 20]) if self.at < len(self.text) else "the end"
        return SpecError(
            f"spec {self.text!r} does not parse: expected {wanted} at character {self.at + 1}, found {found}",
            "write it as name(key=value, ...), for example recursive(tokens=256, overlap=32)",
        )

    def part(self) -> Spec:
        name = self.match(_NAME)
        if name is None:
            raise self.fail("a name")
        target = self.target() if self.take(":") else None
        params: list[tuple[str, Value]] = []
        if self.take("("):
            while not self.take(")"):
                if params and not self.take(","):
                    raise self.fail("',' or ')'")
                key, value = self.param()
                if key in dict(params):
                    raise SpecError(f"spec {self.text!r} gives {key} twice", "keep one of them")
                params.append((key, value))
        return Spec(name, target, tuple(params))

    def target(self) -> str:
        quoted = self.match(_QUOTED)
        if quoted is not None:
            return self.unquote(quoted)
        bare = self.match(_BARE_TARGET)
        if bare is None:
            raise self.fail("a name or folder after ':'")
        return bare

    def param(self) -> tuple[str, Value]:
        key = self.match(_KEY)
        if key is None:
            raise self.fail("a parameter's name")
        if not self.take("="):
            raise self.fail("'='")
        quoted = self.match(_QUOTED)
        if quoted is not None:
            return key, self.unquote(quoted)
        single = self.match(_SINGLE)
        if single is not None:
            return key, single[1:-1]
        bare = self.match(_BARE_VALUE)
        if bare is None:
            raise self.fail("a value")
        return key, _read_bare(bare)

    def unquote(self, quoted: str) -> str:
        try:
            return str(json.loads(quoted))
        except json.JSONDecodeError as error:
            raise SpecError(f"spec {self.text!r}: {quoted} is no valid string", "quote as in JSON") from error

    def end(self) -> None:
        if self.at != len(self.text):
            raise self.fail("'+' or the end")


def _read_bare(text: str) -> Value:
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    if _INTEGER.fullmatch(text):
        with contextlib.suppress(ValueError):  # more digits than Python reads
            return int(text)
    elif _FLOAT.fullmatch(text) and math.isfinite(number := float(text)):
        return number
    return text


def _print_target(target: str) -> str:
    match = _BARE_TARGET.fullmatch(target)
    return target if match and target == target.strip() else json.dumps(target, ensure_ascii=False)


def _print_value(value: Value) -> str:
    if value is None or isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, str):
        return repr(value)
    bare = (
        _BARE_VALUE.fullmatch(value)
        and value == value.strip()
        and value[0] != "'"
        and isinstance(_read_bare(value), str)
    )
    return value if bare else json.dumps(value, ensure_ascii=False)
