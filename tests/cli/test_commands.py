"""Commands are imported when they are asked for."""

from __future__ import annotations

import subprocess
import sys

from typer.main import get_command

from ragembed.cli import app
from ragembed.cli.commands import COMMANDS


def test_every_command_has_help() -> None:
    commands = get_command(app).commands  # type: ignore[attr-defined]
    assert list(commands) == list(COMMANDS)
    for name, command in commands.items():
        assert command.name == name
        assert command.help


def test_one_command_loads_no_other() -> None:
    program = (
        "import sys; from ragembed.cli import main; sys.argv = ['ragembed', 'verify', '-h']\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print(sorted(name for name in sys.modules if name.startswith('ragembed.cli.')), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    expected = ["ragembed.cli.commands", "ragembed.cli.options", "ragembed.cli.verify"]
    assert done.stderr.strip() == str(expected)
