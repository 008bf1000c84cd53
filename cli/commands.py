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
    "eval": "evaluate",
    "chunk": "chunk",
    "embed": "embed",
    "info": "info",
    "verify": "verify",
    "vacuum": "vacuum",
    "export": "export",
    "import": "import_",
    "datasets": "datasets",
    "doctor": "doctor",
}
"""Commands in the order of ``--help``, each with its module, which has a function of the same name."""


class _Loaded(Mapping[str, Any]):
    """Commands by name, made ready when they are looked up."""

    def __init__(self) -> None:
        self._ready: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._ready:
            home = COMMANDS[name]
            alone = typer.Typer(add_completion=False)
            alone.command(name)(getattr(importlib.import_module(f"ragembed.cli.{home}"), home))
            self._ready[name] = get_command(alone)
        return self._ready[name]

    def __iter__(self) -> Iterator[str]:
        return iter(COMMANDS)

    def __len__(self) -> int:
        return len(COMMANDS)


class Commands(TyperGroup):
    """The group of all `COMMANDS`."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = _Loaded()  # type: ignore[assignment]  # nothing is added to it
