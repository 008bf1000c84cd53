from __future__ import annotations

import sys
import types
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ragembed.errors import SpecError
from ragembed.registry import Registry, spec_of
from ragembed.spec import Spec

MODULE = "parts_for_the_registry_tests"


@dataclass
class Knife:
    """A part with a parameter of each type."""

    length: int = 10
    weight: float = 1.5
    sharp: bool = True
    colour: str = "red"
    owner: str | None = None
    uses: int = field(default=0, init=False)


@dataclass
class Fork:
    """A part that needs a target."""

    target: str
    prongs: int | None = 4


@dataclass
class Spoon:
    """A part whose target may be left out."""

    target: str = "soup"


@pytest.fixture
def cutlery(monkeypatch: pytest.MonkeyPatch) -> Registry[object]:
    module = types.ModuleType(MODULE)
    vars(module).update(Knife=Knife, Fork=Fork, Spoon=Spoon)
    monkeypatch.setitem(sys.modules, MODULE, module)
    entries = {"knife": f"{MODULE}:Knife", "fork": f"{MODULE}:Fork", "spoon": f"{MODULE}:Spoon"}
    return Registry("cutlery", "ragembed.tests.cutlery", entries)


def test_a_part_has_its_parameters_and_the_defaults_of_others(cutlery: Registry[object]) -> None:
    made = cutlery.create("knife(length=12, sharp=false, owner=Ann)")
    assert made == Knife(length=12, weight=1.5, sharp=False, colour="red", owner="Ann")
    assert cutlery.create(Spec("knife")) == Knife()


def test_values_are_brought_to_the_type_of_the_parameter(cutlery: Registry[object]) -> None:
    made = cutlery.create("knife(weight=2, colour=7, owner=none)")
    assert isinstance(made, Knife)
    assert (made.weight, made.colour, made.owner) == (2.0, "7", None)
    assert type(made.weight) is float
    assert cutlery.create("knife(colour=none)") == Knife(colour="none")
    assert cutlery.create("knife(colour=true, owner=false)") == Knife(colour="true", owner="false")


@pytest.mark.parametrize(
    ("spec", "fault", "remedy"),
    [
        ("knife(length=1.5)", "knife(length=...) got 1.5", "type int"),
        ("knife(length=true)", "knife(length=...) got True", "type int"),
        ("knife(length=none)", "knife(length=...) got None", "type int"),
        ("knife(length=long)", "knife(length=...) got 'long'", "type int"),
        ("knife(weight=true)", "knife(weight=...) got True", "type float"),
        ("knife(weight=1e999)", "knife(weight=...) got '1e999'", "type float"),
        (f"knife(weight={'9' * 400})", "knife(weight=...) got 999", "type float"),
        ("knife(sharp=1)", "knife(sharp=...) got 1", "type bool"),
        ("fork:x(prongs=two)", "fork(prongs=...) got 'two'", "type int or none"),
    ],
)
def test_a_value_of_the_wrong_type(cutlery: Registry[object], spec: str, fault: str, remedy: str) -> None:
    with pytest.raises(SpecError) as raised:
        cutlery.create(spec)
    assert fault in raised.value.fault
    assert remedy in raised.value.remedy


def test_an_unknown_name_lists_the_valid_ones_and_the_nearest(cutlery: Registry[object]) -> None:
    with pytest.raises(SpecError) as raised:
        cutlery.create("Knive")
    assert str(raised.value) == "unknown cutlery 'Knive'; did you mean knife? valid are: fork, knife, spoon"
    with pytest.raises(SpecError) as raised:
        cutlery.create("xyz")
    assert raised.value.remedy == "valid are: fork, knife, spoon"


def test_an_unknown_parameter_lists_the_valid_ones_and_the_nearest(cutlery: Registry[object]) -> None:
    with pytest.raises(SpecError) as raised:
        cutlery.create("knife(lenght=3)")
    assert raised.value.fault == "cutlery knife has no parameter 'lenght'"
    assert raised.value.remedy == "did you mean length? valid are: length, weight, sharp, colour, owner"
    with pytest.raises(SpecError, match="no parameter 'uses'"):  # a field that the part fills itself
        cutlery.create("knife(uses=3)")
    with pytest.raises(SpecError, match="valid are: none"):
        cutlery.create("spoon(size=3)")


def test_targets(cutlery: Registry[object]) -> None:
    assert cutlery.create("fork:fish(prongs=none)") == Fork("fish", None)
    assert cutlery.create("spoon") == Spoon("soup")
    with pytest.raises(SpecError, match="fork lacks a target; write fork:NAME-OR-FOLDER"):
        cutlery.create("fork")
    with pytest.raises(SpecError, match="knife takes nothing after a colon; write knife"):
        cutlery.create("knife:bread")
    with pytest.raises(SpecError, match="no parameter 'target'"):
        cutlery.create("fork(target=fish)")


@pytest.mark.parametrize(
    "spec", ["knife", "knife(length=3, owner=Ann)", "fork:fish", "fork:fish(prongs=none)"]
)
def test_a_part_tells_the_spec_that_makes_it(cutlery: Registry[object], spec: str) -> None:
    assert str(spec_of(cutlery.create(spec), Spec.parse(spec).name)) == spec


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed distribution whose entry points add to the group."""
    info = tmp_path / "ladles-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: ladles\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[ragembed.tests.cutlery]\nladle = ladles_plugin:Ladle\nlost = ladles_plugin:Absent\ngone = no_such_module:X\n"
    )
    (tmp_path / "ladles_plugin.py").write_text(
        "from dataclasses import dataclass\n\n@dataclass\nclass Ladle:\n    depth: int = 3\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "ladles_plugin", raising=False)


@pytest.mark.usefixtures("plugin")
def test_entry_points_add_names(cutlery: Registry[object]) -> None:
    assert cutlery.names() == ["fork", "gone", "knife", "ladle", "lost", "spoon"]
    assert cutlery.create("ladle(depth=5)").depth == 5  # type: ignore[attr-defined]
    with pytest.raises(SpecError, match="did you mean ladle"):
        cutlery.create("ladel")


@pytest.mark.usefixtures("plugin")
@pytest.mark.parametrize("name", ["lost", "gone"])
def test_a_broken_entry_point_is_named(cutlery: Registry[object], name: str) -> None:
    with pytest.raises(SpecError, match=f"cutlery {name} comes from a package that does not load"):
        cutlery.create(name)
