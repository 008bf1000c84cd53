"""A registry is a dict of names and a function that makes the part a spec names.

Entries are ``"module:Class"`` strings, so that listing the names imports nothing. A part is a dataclass: its
fields are its parameters (one source for the check, ``--help`` and the docs). A field named ``target`` takes what
follows the colon in ``st:TARGET``. Other packages add names through entry points of the registry's group.
"""

from __future__ import annotations

import contextlib
import dataclasses
import difflib
import importlib
import types
import typing
from typing import Any, Generic, TypeVar

from ragembed.errors import SpecError
from ragembed.spec import Spec, Value

T = TypeVar("T")


class Registry(Generic[T]):
    """Parts of one kind under their names."""

    def __init__(self, kind: str, group: str, entries: dict[str, str]) -> None:
        self.kind = kind
        self.group = group
        self.entries = entries

    def names(self) -> list[str]:
        """All names, built in and from entry points, sorted."""
        return sorted({*self.entries, *self._plugins()})

    def load(self, name: str) -> type[T]:
        """The class behind `name`; an unknown name raises `SpecError` with the valid ones."""
        path = self.entries.get(name) or self._plugins().get(name)
        if path is None:
            names = self.names()
            near = difflib.get_close_matches(name.lower(), names, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]}? " if near else ""
            raise SpecError(f"unknown {self.kind} {name!r}", f"{hint}valid are: {', '.join(names)}")
        module, _, attribute = path.partition(":")
        try:
            return typing.cast("type[T]", getattr(importlib.import_module(module), attribute))
        except (ImportError, AttributeError) as error:
            if name in self.entries:
                raise
            raise SpecError(
                f"{self.kind} {name} comes from a package that does not load ({error})",
                "mend or remove that package",
            ) from error

    def create(self, spec: str | Spec) -> T:
        """Make the part that `spec` describes, its parameters checked by name and type."""
        if isinstance(spec, str):
            spec = Spec.parse(spec)
        return self.load(spec.name)(**self._arguments(spec))

    def _arguments(self, spec: Spec) -> dict[str, Value]:
        cls = self.load(spec.name)
        fields = {field.name: field for field in dataclasses.fields(typing.cast(Any, cls)) if field.init}
        takes_target = fields.pop("target", None)
        arguments = dict(spec.params)
        for key, value in arguments.items():
            if key not in fields:
                near = difflib.get_close_matches(key, fields, n=1, cutoff=0.5)
                hint = f"did you mean {near[0]}? " if near else ""
                valid = ", ".join(fields) or "none"
                raise SpecError(
                    f"{self.kind} {spec.name} has no parameter {key!r}", f"{hint}valid are: {valid}"
                )
            arguments[key] = _checked(value, typing.get_type_hints(cls)[key], f"{spec.name}({key}=...)")
        if spec.target is not None:
            if takes_target is None:
                raise SpecError(f"{self.kind} {spec.name} takes nothing after a colon", f"write {spec.name}")
            arguments["target"] = spec.target
        elif takes_target is not None and takes_target.default is dataclasses.MISSING:
            raise SpecError(f"{self.kind} {spec.name} lacks a target", f"write {spec.name}:NAME-OR-FOLDER")
        return arguments

    def _plugins(self) -> dict[str, str]:
        from importlib.metadata import entry_points  # slow to import, and needed only for unknown names

        return {point.name: point.value for point in entry_points(group=self.group)}


def spec_of(part: object, name: str) -> Spec:
    """The spec that makes `part` again: its name, and the parameters that differ from their defaults."""
    target: str | None = None
    params: list[tuple[str, Value]] = []
    for field in dataclasses.fields(typing.cast(Any, part)):
        if not field.init:
            continue
        value = getattr(part, field.name)
        if field.name == "target":
            target = value
        elif value != field.default:
            params.append((field.name, value))
    return Spec(name, target, tuple(params))


def _checked(value: Value, hint: Any, where: str) -> Value:
    allowed = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    if type(value) in allowed or (value is None and type(None) in allowed):
        return value
    if float in allowed and type(value) is int:
        with contextlib.suppress(OverflowError):
            return float(value)
    if str in allowed:  # where text is wanted, a number or none was meant as text: bm25(language=none)
        return str(value).lower() if value is None or isinstance(value, bool) else str(value)
    wanted = " or ".join(getattr(kind, "__name__", str(kind)) for kind in allowed)
    raise SpecError(f"{where} got {value!r}", f"give a value of type {wanted.replace('NoneType', 'none')}")
