"""The docs are finished."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def test_nothing_is_left_to_be_filled_in() -> None:
    """No place-holder such as @@TABLE, TODO or a line that is nothing but a word in capitals."""
    left = re.compile(r"@@|\b(?:TODO|FIXME|XXX|TBD)\b|^[A-Z]{4,}$", re.MULTILINE)
    for file in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]:
        prose = re.sub(
            r"^(`{3,}).*?^\1$", "", file.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE
        )
        assert not (found := left.findall(prose)), f"{file.name}: {found}"
    for file in (ROOT / "docs").rglob("*.md"):
        assert "@@" not in file.read_text(encoding="utf-8"), file.name
