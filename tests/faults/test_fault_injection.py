"""Each kind of write with faults at every so manieth file operation; `kill --faults` takes every one."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from ragembed.eval.bench.faultfs import KINDS, environment
from ragembed.eval.bench.faults import CREATE, CUT, WAYS, Injection, by_mode, by_step, inject
from ragembed.eval.bench.scenario import CHUNKER, EMBEDDERS, Place, ask_near
from ragembed.eval.bench.scenario import script as steps
from ragembed.pipeline import Pipeline

_EVERY = 41
"""A prime, so that over all steps each kind of operation has its turn."""
_EVERY_LEARNT = 23

THIRD_WRITE = """
import json, sys
from pathlib import Path
from ragembed.eval.bench.faultfs import Faults
folder, mode = Path(sys.argv[1]), sys.argv[2]
faults, errors = Faults(), []
faults.arm(folder, 3, mode, ["write"])
with (folder / "file").open("wb", buffering=0) as file:
    for letter in (b"aa", b"bb", b"cc", b"dd"):
        try:
            file.write(letter)
        except OSError as error:
            errors.append(f"{letter.decode()}: {error.strerror}")
hit = faults.hit
faults.disarm()
print(json.dumps([errors, (folder / "file").read_text(), hit]))
"""


@pytest.mark.parametrize(
    ("mode", "errors", "content"),
    [
        ("once", ["cc: No space left on device"], "aabbdd"),
        ("full", ["cc: No space left on device", "dd: No space left on device"], "aabb"),
        ("dead", ["cc: Input/output error", "dd: Input/output error"], "aabb"),
        ("short", ["dd: No space left on device"], "aabbc"),
    ],
)
def test_the_library_strikes_where_it_is_told_to(
    mode: str, errors: list[str], content: str, library: Path, script: Callable[..., str], tmp_path: Path
) -> None:
    told = script(THIRD_WRITE, tmp_path, mode, environment=environment(library))
    assert json.loads(told) == [errors, content, ["write", "/file"]]


@pytest.fixture(scope="session")
def found(library: Path) -> list[Injection]:
    return inject(library, every=_EVERY)


@pytest.fixture(scope="session")
def found_learning(library: Path) -> list[Injection]:
    """Of the two steps that write what an embedder has learnt."""
    return inject(library, every=_EVERY_LEARNT, only=["add to nothing", "vacuum"], embedder="learnt")


def test_nothing_is_wrong_after_a_fault_while_what_is_learnt_is_written(
    found_learning: list[Injection],
) -> None:
    assert [str(item) for item in found_learning if item.wrong] == []
    assert any("/embedders/" in item.path for item in found_learning)


def test_nothing_is_wrong_after_any_fault(found: list[Injection]) -> None:
    assert [str(item) for item in found if item.wrong] == []


def test_every_way_of_failing_strikes_every_step(found: list[Injection]) -> None:
    struck = {(item.step, item.mode) for item in found}
    assert struck == {(step, way) for step in [CREATE, *(step.name for step in steps())] for way in WAYS} - {
        (CREATE, CUT)
    }


def test_every_kind_of_operation_fails(found: list[Injection]) -> None:
    assert {item.kind for item in found if item.mode not in (CUT, "short", "torn")} >= set(KINDS)


def test_the_tables_count_every_fault_once(found: list[Injection]) -> None:
    for header, rows in (by_step(found), by_mode(found)):
        assert header[1] == "faults"
        assert header[-1] == "wrong"
        *parts, whole = rows
        assert whole[1:] == [sum(column) for column in zip(*(row[1:] for row in parts), strict=True)]
        assert whole[1] == len(found)


def test_what_is_left_is_searched_through_an_accelerator(tmp_path: Path) -> None:
    place = Place(tmp_path)
    served = {}
    with Pipeline.create(place.index, EMBEDDERS["hybrid"], CHUNKER) as pipeline:
        for step in steps():
            place.show(step.after.files)
            step.act(pipeline, place)
            served[step.name] = ask_near(pipeline, "borant calive")[1]
    names = list(served)
    before, after = names[: names.index("optimize")], names[names.index("optimize") : -1]
    assert not any(served[name] for name in [*before, "search exactly again"])
    assert all(served[name] for name in after)


def test_power_cuts_show_when_nothing_is_synced(library: Path) -> None:
    # the check of the check: the same step passes above, where its fsyncs count
    careless = inject(library, [CUT], every=6, only=["upsert"], careless=True)
    assert any(item.wrong for item in careless)
