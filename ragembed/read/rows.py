"""Rows of JSON and CSV files: which fields make the id, the title and the text; the others are metadata."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ragembed.read.base import Failure, ReadOptions, Source
from ragembed.read.compose import own_fields, whole
from ragembed.types import Document

TEXT_FIELDS = ("text", "contents", "content", "page_content", "body")
"""Fields that hold a row's text where none are named: those of the common toolkits and collections."""
ID_FIELDS = ("_id", "id")
_NESTED = ("metadata", "meta")
"""Fields whose own fields are taken for those of the row."""


class Rows:
    """The rows of one file. A row that makes no document is a `Failure`, and the others go on."""

    def __init__(self, source: Source, options: ReadOptions, format_name: str) -> None:
        self.source = source
        self.options = options
        self.format = format_name
        self._lines: dict[str, int] = {}

    def failure(self, line: int, reason: str) -> Failure:
        """What is wrong with the row that begins in `line` (from 1)."""
        return Failure(f"{self.source.id}:{line}", reason)

    def document(self, row: object, line: int, number: int = 0, /, **more: Any) -> Document | Failure:
        """The document that a row makes: it begins in `line`, is the `number`-th; `more` is metadata."""
        if isinstance(row, str):
            row = {"text": row}
        if not isinstance(row, dict):
            return self.failure(line, f"row is {_kind(row)}, not an object; write each row as {{...}}")
        fields = _flat(row)
        missing = self._missing(fields)
        if missing:
            names = ", ".join(map(str, fields)) or "no fields"
            return self.failure(line, f"row has no field {missing!r}; it has: {names}")
        id_key = _find(fields, (self.options.id_field,) if self.options.id_field else ID_FIELDS)
        identifier = "" if id_key is None or fields[id_key] is None else str(fields[id_key])
        if not identifier:
            # elements of an array may share a line, and rows of a CSV file do not
            identifier, id_key = f"{self.source.id}#{number if self.format == 'json' else line}", None
        if identifier in self._lines:
            fault = f"id {identifier!r} was given in line {self._lines[identifier]} already"
            return self.failure(line, f"{fault}; give each row its own")
        self._lines[identifier] = line
        title_key = _find(fields, (self.options.title_field or "title",))
        text, used = self._text(fields, {id_key, title_key})
        title = "" if title_key is None else _string(fields[title_key]).strip()
        taken = {*used, id_key, title_key}
        rest = {key: value for key, value in fields.items() if key not in taken and value is not None}
        metadata: dict[str, Any] = {"path": self.source.id, "format": self.format, "line": line, **more}
        if number:
            metadata["row"] = number
        if title:
            metadata["title"] = title
        for key, value in own_fields(rest).items():
            metadata[f"{key}_" if key in metadata else key] = _whole(value)
        return Document(identifier, "\n".join(part for part in (title, text) if part), metadata)

    def _missing(self, fields: Mapping[str, Any]) -> str | None:
        """A field that the options name and the row lacks; text fields count as one, of which any will do."""
        for name in (self.options.id_field, self.options.title_field):
            if name and _find(fields, (name,)) is None:
                return name
        names = self.options.text_fields
        return names[0] if names and all(_find(fields, (name,)) is None for name in names) else None

    def _text(self, fields: Mapping[str, Any], apart: set[str | None]) -> tuple[str, set[str]]:
        """A row's text and the fields that went into it."""
        if self.options.text_fields:
            keys = [key for name in self.options.text_fields if (key := _find(fields, (name,))) is not None]
            return "\n".join(_string(fields[key]) for key in keys if fields[key] is not None), set(keys)
        key = _find(fields, TEXT_FIELDS)
        if key is not None and isinstance(fields[key], str):
            return fields[key], {key}
        strings = {k: v for k, v in fields.items() if isinstance(v, str) and v.strip() and k not in apart}
        return "\n".join(f"{key}: {value}" for key, value in strings.items()), set()


def has_text(row: Mapping[str, Any]) -> bool:
    """Whether an object has a field that is known to hold text."""
    key = _find(row, TEXT_FIELDS)
    return key is not None and isinstance(row[key], str)


def _flat(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row with its nested metadata lifted; its own fields win."""
    fields = {key: value for key, value in row.items() if key not in _NESTED or not isinstance(value, dict)}
    for nested in _NESTED:
        inner = row.get(nested)
        for key, value in inner.items() if isinstance(inner, dict) else ():
            fields.setdefault(key, value)
    return fields


def _find(fields: Mapping[str, Any], names: tuple[str, ...]) -> str | None:
    """The first of `names` that is a field, else the first that is but for upper and lower case."""
    for name in names:
        if name in fields:
            return name
    folded = {key.casefold(): key for key in fields}
    return next((folded[name.casefold()] for name in names if name.casefold() in folded), None)


def _string(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "\n".join(map(_string, value))
    return "" if value is None else str(value)


def _whole(value: Any) -> Any:
    """`value` without halves of surrogate pairs, at any depth."""
    if isinstance(value, str):
        return value if value.isascii() else whole(value)
    if isinstance(value, list):
        return [_whole(item) for item in value]
    if isinstance(value, dict):
        return {_whole(key): _whole(item) for key, item in value.items()}
    return value


def _kind(value: object) -> str:
    names = {list: "a list", type(None): "null", bool: "true or false"}
    return names.get(type(value), "a number")
