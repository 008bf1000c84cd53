"""docs/attention.md describes every mechanism correctly, and its figures show them all."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="needs the extra encoder")

from ragembed.encoder import attention  # noqa: E402
from ragembed.eval.bench.attention_curves import ERRORS, FILE, mechanisms  # noqa: E402
from ragembed.eval.bench.attention_figures import FAMILIES, apart  # noqa: E402
from ragembed.eval.bench.attention_masks import PANELS, TOKENS, Panel  # noqa: E402

DOCS = Path(__file__).resolve().parents[3] / "docs"
PAGE = (DOCS / "attention.md").read_text(encoding="utf-8")
NAMES = attention.names()
MEASURED = json.loads((DOCS / FILE).read_text(encoding="utf-8"))
HERE = [name for name in NAMES if not attention.get(name).sharded]
"""Those that run in one process."""


def rows() -> dict[str, str]:
    """The last cell (what it honours) for each mechanism in the table of mechanisms."""
    table = PAGE[PAGE.index("| name | is |") :].split("\n\n")[0]
    cells = [line.strip("| ").split(" | ") for line in table.splitlines()[2:]]
    return {name: line[-1] for line in cells for name in re.findall(r"`(\w+)`", line[0])}


def test_every_mechanism_has_a_row_and_no_other_has() -> None:
    assert sorted(rows()) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_row_names_what_is_honoured(name: str) -> None:
    said = rows()[name]
    words = set(re.findall(r"\w+", said)) & attention.ALL
    assert attention.get(name).honours == (attention.ALL - words if said.startswith("all") else words)


def test_every_mechanism_has_a_paragraph() -> None:
    heads = re.findall(r"^\*\*([^*]+)\*\*: ", PAGE, re.MULTILINE)
    assert sorted(name for head in heads for name in re.findall(r"`(\w+)`", head)) == NAMES


def test_every_mask_is_drawn() -> None:
    assert {name for panel in PANELS for name in panel.names} == set(NAMES)


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel.title)
def test_a_panel_shows_something(panel: Panel) -> None:
    """Each layer adds something to those before it."""
    before = torch.zeros(TOKENS, TOKENS, dtype=torch.bool)
    for _, seen in panel.layers():
        assert seen.shape == before.shape
        assert (seen & ~before).any()
        before = before | seen


def test_every_curve_is_measured_and_drawn() -> None:
    drawn = [name for members in FAMILIES.values() for name in members]
    assert sorted(drawn) == sorted(mechanisms()) == sorted([*HERE, "naive"])
    for what in ("seconds", "megabytes"):
        assert sorted(MEASURED[what]) == sorted(drawn)
        assert all(len(curve) > 1 and min(curve.values()) > 0 for curve in MEASURED[what].values())
    assert all(list(curves) == list(ERRORS) for curves in MEASURED["errors"].values())


def test_what_is_said_of_rounding() -> None:
    """The page says 1e-6 at most, but for `additive` 1e-5."""
    off = {name: max(found.values()) for name, found in MEASURED["rounding"].items()}
    assert off.pop("additive") < 1.5e-5
    assert max(off.values()) < 1.05e-6


@pytest.mark.parametrize("name", ["masks", "cost", "error"])
def test_pictures_are_there_and_small(name: str) -> None:
    file = DOCS / f"attention-{name}.png"
    assert f"]({file.name})" in PAGE
    assert file.read_bytes().startswith(b"\x89PNG")
    assert file.stat().st_size < 200_000


def test_labels_are_moved_apart_as_little_as_can_be() -> None:
    assert apart([0.0, 5.0], 1) == [0.0, 5.0]
    assert apart([1.0, 1.0], 1) == [0.5, 1.5]
    assert apart([0.0, 4.0, 4.1, 4.2, 9.0], 1) == pytest.approx([0.0, 3.1, 4.1, 5.1, 9.0])
