"""What stands between ``---`` lines (YAML) or ``+++`` lines (TOML) at the top of a Markdown file.

Of YAML only what front matter is made of: ``key: value``, quotes, lists, folded and literal blocks. Nested
mappings are passed over. The file's text is taken off only where all of it looks like front matter.
"""

from __future__ import annotations

import re
import tomllib
from typing import Any

from ragembed.read.compose import one_line, scalar

_KEY = re.compile(r"([\w.@-][\w .@/-]*?)\s*:(?:\s+(.*)|\s*)$")
_MOST_LINES = 2000


def split(text: str) -> tuple[dict[str, Any], int]:
    """Front matter of `text`, and where the rest begins (0 where there is none)."""
    fence = text[:3]
    if fence not in ("---", "+++"):
        return {}, 0
    lines: list[str] = []
    at = 0
    while at < len(text) and len(lines) <= _MOST_LINES:
        end = text.find("\n", at) + 1 or len(text)
        line = text[at:end].rstrip()
        at = end
        if lines and (line == fence or (line == "..." and fence == "---")):
            fields = _yaml(lines[1:]) if fence == "---" else _toml(lines[1:])
            return ({}, 0) if fields is None else (fields, at)
        lines.append(line)
        if lines[0] != fence:
            return {}, 0
    return {}, 0


def _toml(lines: list[str]) -> dict[str, Any] | None:
    try:
        fields = tomllib.loads("\n".join(lines))
    except tomllib.TOMLDecodeError:
        return None
    kinds = (str, int, float, bool)
    return {
        key: value if isinstance(value, (*kinds, list)) else str(value)
        for key, value in fields.items()
        if not isinstance(value, dict)
        and not (isinstance(value, list) and not all(isinstance(item, kinds) for item in value))
    }


def _yaml(lines: list[str]) -> dict[str, Any] | None:
    """Fields of simple YAML; None where a line is none."""
    fields: dict[str, Any] = {}
    key, block = "", list[str]()
    for line in lines:
        if line.startswith("#"):
            continue
        match = _KEY.match(line)
        if match:
            _store(fields, key, block)
            key, block = match[1].strip("\"'"), [match[2] or ""]
        elif key and (not line or line[0] in " \t-"):
            block.append(line)
        elif line:
            return None
    _store(fields, key, block)
    return fields


def _store(fields: dict[str, Any], key: str, block: list[str]) -> None:
    if not key:
        return
    value = _value(block[0].strip(), [line for line in block[1:] if line.strip()])
    if value not in (None, "", []):
        fields[key] = value


def _value(first: str, more: list[str]) -> Any:
    if first[:1] in ("|", ">"):
        lines = [line.strip() for line in more]
        return "\n".join(lines) if first[0] == "|" else " ".join(lines)
    if first[:1] not in ("'", '"'):
        first = re.sub(r"(?:^|\s)#.*", "", first)
    if not first and more:
        if all(line.lstrip().startswith("- ") for line in more):
            return [_scalar(line.lstrip()[2:].strip()) for line in more]
        return None  # a nested mapping
    whole = " ".join([first, *(line.strip() for line in more)])
    if whole.startswith("[") and whole.endswith("]"):
        return [_scalar(item) for item in _items(whole[1:-1])]
    return None if whole.startswith("{") else _scalar(whole)


def _items(text: str) -> list[str]:
    """What commas outside of quotes part."""
    found = re.findall(r"""\s*("(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|[^,]+?)\s*(?:,|$)""", text)
    return [item for item in found if item]


def _scalar(text: str) -> Any:
    if len(text) > 1 and text[0] == text[-1] == "'":
        return text[1:-1].replace("''", "'")
    if len(text) > 1 and text[0] == text[-1] == '"':
        return re.sub(r"\\(.)", lambda match: {"n": "\n", "t": "\t"}.get(match[1], match[1]), text[1:-1])
    if text in ("null", "~", ""):
        return None
    return scalar(one_line(text))
