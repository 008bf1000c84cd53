"""docs/steps.md tells every step and every default."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any, cast

import pytest

from ragembed.retrieve.steps import STEPS

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "steps.md").read_text(encoding="utf-8")
ROWS = dict(re.findall(r"^\| `(\w+)` \| [^|]+ \| (.+) \|$", PAGE, re.MULTILINE))


def test_every_step_is_named() -> None:
    for name in STEPS.names():
        assert f"`{name}`" in PAGE or f"`{name}:`" in PAGE, name


@pytest.mark.parametrize("name", sorted(ROWS))
def test_its_parameters_are_those_of_the_table(name: str) -> None:
    for field in dataclasses.fields(cast(Any, STEPS.load(name))):
        if field.init:
            assert field.name in ROWS[name]
        if field.init and isinstance(field.default, (int, float)):
            assert f"{field.name}={field.default:g}" in ROWS[name]
