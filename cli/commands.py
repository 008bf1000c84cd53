"""Which commands there are. A command's module is imported when that command is asked for, or the help of all."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

COMMANDS = {
    "index": "index",
    "query": "query",
    "explain": "explain",
    "eval": "evaluate",
    "compare": "compare",
    "tune": "tune",
    "chunk": "chunk",
    "embed": "embed",
    "train": "train",
    "neighbors": "neighbors",
    "map": "map",
    "words": "words",
    "info": "info",
    "verify": "verify",
    "optimize": "optimize",
    "vacuum": "vacuum",
    "export": "export",
    "import": "import_",
    "datasets": "datasets",
    "doctor": "doctor",
}
"""Commands in the order of ``--help``, each with its module, which has a function of the same name."""


GROUPS = {
    "datasets": (
        "List or describe test collections, make one of your own documents, convert one.",
        {"show": "datasets", "make": "make", "convert": "convert"},
    ),
}
"""Commands that have commands of their own: their help, and those as in `COMMANDS`. The first is meant where none is
named, so that ``ragembed datasets FOLDER`` is ``ragembed datasets show FOLDER``."""


class _Loaded(Mapping[str, Any]):
    """Commands by name, made ready when they are looked up."""

    def __init__(self, table: Mapping[str, str]) -> None:
        self._table = table
        self._ready: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._ready:
            home = self._table[name]
            self._ready[name] = (
                Group(name) if name in GROUPS and self._table is COMMANDS else _command(name, home)
            )
        return self._ready[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._table)

    def __len__(self) -> int:
        return len(self._table)


class Commands(TyperGroup):
    """The group of all `COMMANDS`."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = _Loaded(COMMANDS)  # type: ignore[assignment]  # nothing is added to it


class Group(TyperGroup):
    """A command of `GROUPS`."""

    def __init__(self, name: str) -> None:
        about, table = GROUPS[name]
        super().__init__(name=name, help=about)
        self.commands = _Loaded(table)  # type: ignore[assignment]  # nothing is added to it

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the first command's name before arguments that begin with none."""
        if not args or args[0] not in {*self.commands, *ctx.help_option_names}:
            args = [next(iter(self.commands)), *args]
        return super().parse_args(ctx, args)


def _command(name: str, home: str) -> Any:
    alone = typer.Typer(add_completion=False)
    alone.command(name)(getattr(importlib.import_module(f"ragembed.cli.{home}"), home))
    return get_command(alone)
