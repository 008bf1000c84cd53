"""gitignore patterns, translated to regular expressions.

The rules are those of ``git help ignore``: the last pattern that matches decides, ``!`` takes back, a
trailing ``/`` means folders only, a pattern with a ``/`` at its start or within is tied to the root, any
other matches at every depth; ``*`` and ``?`` stop at ``/``, ``**`` does not.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

_POSIX = {
    "alnum": "a-zA-Z0-9", "alpha": "a-zA-Z", "blank": " \t", "digit": "0-9", "lower": "a-z", "upper": "A-Z",
    "space": r"\s", "xdigit": "0-9A-Fa-f", "punct": r"!-/:-@\[-`{-~", "cntrl": r"\x00-\x1f\x7f",
    "graph": "!-~", "print": " -~",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Rule:
    regex: re.Pattern[str]
    negated: bool
    folders_only: bool
    by_name: bool


class Matcher:
    """Some patterns, asked about one path after the other."""

    def __init__(self, patterns: Iterable[str]) -> None:
        rules = [rule for rule in map(_rule, patterns) if rule is not None]
        self._rules = rules[::-1]

    def decide(self, path: str, is_folder: bool) -> bool | None:
        """True where `path` (below the root, with ``/``) matches, False where ``!`` takes it back, else None.

        Only the path itself is looked at: a caller who walks a tree does not enter what is matched.
        """
        name = path[path.rfind("/") + 1 :]
        for rule in self._rules:
            if (is_folder or not rule.folders_only) and rule.regex.fullmatch(name if rule.by_name else path):
                return not rule.negated
        return None


def _rule(line: str) -> _Rule | None:
    pattern = _strip(line.rstrip("\r\n"))
    if not pattern or pattern.startswith("#"):
        return None
    negated = pattern.startswith("!")
    pattern = pattern[negated:]
    folders_only = pattern.endswith("/")
    pattern = pattern[: len(pattern) - folders_only]
    by_name = "/" not in pattern
    regex = _translate(pattern.removeprefix("/"))
    if not pattern or regex is None:
        return None
    return _Rule(re.compile(regex, re.DOTALL), negated, folders_only, by_name)


def _strip(line: str) -> str:
    """Without trailing spaces, unless a backslash keeps them."""
    bare = line.rstrip(" ")
    backslashes = len(bare) - len(bare.rstrip("\\"))
    return bare + " " if backslashes % 2 and len(bare) < len(line) else bare


def _translate(pattern: str) -> str | None:
    """The regular expression of one pattern; None where git says that it can match nothing."""
    parts: list[str] = []
    at = 0
    while at < len(pattern):
        character = pattern[at]
        if character == "*":
            stars = len(pattern) - at - len(pattern[at:].lstrip("*"))
            regex, taken = _stars(pattern, at, stars)
            parts.append(regex)
            at += taken
        elif character == "?":
            parts.append("[^/]")
            at += 1
        elif character == "[":
            bracket = _bracket(pattern, at)
            if bracket is None:
                return None
            parts.append(bracket[0])
            at = bracket[1]
        else:
            if character == "\\":
                at += 1
                if at == len(pattern):
                    return None
            parts.append(re.escape(pattern[at]))
            at += 1
    return "".join(parts)


def _stars(pattern: str, at: int, stars: int) -> tuple[str, int]:
    """What a run of stars means, and how many characters of the pattern that takes."""
    end = at + stars
    whole_name = (at == 0 or pattern[at - 1] == "/") and (end == len(pattern) or pattern[end] == "/")
    if stars < 2 or not whole_name:
        return "[^/]*", stars
    if end == len(pattern):
        return ".*" if at == 0 else ".+", stars
    return "(?:.*/)?", stars + 1


def _bracket(pattern: str, at: int) -> tuple[str, int] | None:
    """A set such as ``[a-z]`` and where it ends; None where it is never closed."""
    at += 1
    negated = pattern[at : at + 1] in ("!", "^")
    at += negated
    items: list[str] = []
    first = True
    while first or pattern[at : at + 1] != "]":
        first = False
        if at >= len(pattern):
            return None
        end = pattern.find(":]", at + 2)
        if pattern.startswith("[:", at) and end != -1:
            members = _POSIX.get(pattern[at + 2 : end])
            if members is None:
                return None
            items.append(members)
            at = end + 2
            continue
        low, at = _member(pattern, at)
        high = low
        if pattern[at : at + 1] == "-" and pattern[at + 1 : at + 2] not in ("]", ""):
            high, at = _member(pattern, at + 1)
        if not low or not high:
            return None
        if low <= high:
            items.append(f"{re.escape(low)}-{re.escape(high)}")
    body = "".join(items)
    if negated:
        return f"[^/{body}]", at + 1
    return (f"(?!/)[{body}]" if body else "(?!)"), at + 1


def _member(pattern: str, at: int) -> tuple[str, int]:
    if pattern[at : at + 1] == "\\":
        at += 1
    return pattern[at : at + 1], at + 1
