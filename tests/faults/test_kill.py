"""A few kills at random moments; `python -m ragembed.eval.bench.kill` does 500."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from ragembed.eval.bench.phases import IDLE, PHASES, Board, turns

_RUNS = 15
_OPTIMIZING = 10


@pytest.fixture(scope="session")
def kills(script: Callable[..., str]) -> list[dict[str, Any]]:
    told = script("ragembed.eval.bench.kill", "--json", "--runs", _RUNS, "--seed", 1)
    return [json.loads(line) for line in told.splitlines()]


@pytest.fixture(scope="session")
def kills_of_optimize(script: Callable[..., str]) -> list[dict[str, Any]]:
    told = script("ragembed.eval.bench.kill", "--json", "--runs", _OPTIMIZING, "--optimizing")
    return [json.loads(line) for line in told.splitlines()]


def test_nothing_is_lost_and_nothing_comes_back(kills: list[dict[str, Any]]) -> None:
    assert [kill for kill in kills if kill["wrong"]] == []
    assert len(kills) == _RUNS


def test_optimize_leaves_the_index_before_or_after(kills_of_optimize: list[dict[str, Any]]) -> None:
    assert [kill for kill in kills_of_optimize if kill["wrong"]] == []
    assert len(kills_of_optimize) == _OPTIMIZING
    assert sum(kill["step"] == "optimize" for kill in kills_of_optimize) >= 3
    assert any(kill["accelerated"] for kill in kills_of_optimize)


def test_kills_hit_writes_in_many_phases_and_never_idle_time(kills: list[dict[str, Any]]) -> None:
    phases = {kill["phase"] for kill in kills}
    assert IDLE not in phases
    assert len(phases) >= 6
    assert len({kill["step"] for kill in kills}) >= 3


def test_the_innermost_phase_is_told_and_how_long_it_lasted() -> None:
    board, timeline = Board(), list[tuple[float, str]]()
    assert board.phase == PHASES[0] == IDLE
    with board.within("merge", timeline):
        assert board.phase == "merge"
        with board.within("fsync", timeline):
            assert board.phase == "fsync"
        assert board.phase == "merge"
    assert board.turn == 4
    assert [(turn.number, turn.phase) for turn in turns(timeline)] == [
        (1, "merge"),
        (2, "fsync"),
        (3, "merge"),
    ]
