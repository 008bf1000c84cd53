"""Every measure that ir_measures names, in every form that its parameters give it, is read by `parse_measure`."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from ragembed.errors import SpecError
from ragembed.eval.measures import evaluate
from ragembed.eval.names import computed_here, ir_measure, parse_measure

ir_measures = pytest.importorskip("ir_measures")

REGISTRY: dict[str, Any] = ir_measures.measures.registry
REQUIRED = {"cutoff": 10, "recall": 0.5, "max_rel": 3}
OTHER = {"int": 2, "float": 0.7, "bool": True}
"""For parameters of each type a value that is no default."""
QRELS = {"1": {"a": 2, "b": 0, "c": 1}, "2": {"a": 1}}
RUN = {"1": {"a": 3.0, "x": 2.5, "b": 2.0, "c": 1.0}, "2": {"x": 2.0, "a": 1.0}}


def forms() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Name as it is written, name in the registry, parameters: required ones alone, and with each other one."""
    for name, kind in REGISTRY.items():
        known = {key: info for key, info in kind.SUPPORTED_PARAMS.items() if key not in kind.params}
        needed = {key: REQUIRED[key] for key, info in known.items() if info.required}
        more: list[dict[str, Any]] = [{}]
        for key, info in known.items():
            if key == "cutoff":
                more.append({key: 10})
            elif key == "dcg" and kind.NAME == "nDCG":
                more.append({key: "exp-log2"})
            elif key == "normalize":
                more.append({key: False})
            elif key not in needed and info.dtype.__name__ in OTHER:
                more.append({key: OTHER[info.dtype.__name__]})
        for given in more:
            params = {**needed, **given}
            at = params.pop(kind.AT_PARAM, None)
            inner = ",".join(f"{key}={value!r}" for key, value in params.items())
            written = name + (f"({inner})" if inner else "") + (f"@{at}" if at is not None else "")
            yield written, name, {**params, **({kind.AT_PARAM: at} if at is not None else {})}


ALL = [form for form in forms() if form[0].isascii()]
SUPPORTED = [
    form for form in ALL if ir_measures.DefaultPipeline.supports(REGISTRY[form[1]](**form[2]))
]  # the others want packages that are not installed, or are computed by nobody (ERR without a cutoff)


def test_there_are_many() -> None:
    assert len(REGISTRY) >= 45
    assert len(SUPPORTED) >= 60


@pytest.mark.parametrize(("written", "name", "params"), SUPPORTED, ids=[form[0] for form in SUPPORTED])
def test_it_is_read_as_what_ir_measures_means(written: str, name: str, params: dict[str, Any]) -> None:
    measure = parse_measure(written)
    theirs = REGISTRY[name](**params)
    assert (ir_measure(measure).NAME, ir_measure(measure).params) == (theirs.NAME, theirs.params)
    assert parse_measure(str(measure)) == measure
    assert parse_measure(str(theirs)) == measure
    if computed_here(measure) and measure.name == "RR":
        return  # RR@k: MS MARCO's script breaks ties otherwise
    expected = dict.fromkeys(QRELS, theirs.DEFAULT)  # Accuracy tells nothing of some queries
    try:
        found = {metric.query_id: metric.value for metric in theirs.iter_calc(QRELS, RUN)}
    except Exception:  # noqa: BLE001 - a package that ir_measures has but cannot use
        with pytest.raises(SpecError, match=r"^ir_measures cannot compute .* for this run .*; leave it out"):
            evaluate(QRELS, RUN, measure)
        return
    expected |= {query: value for query, value in found.items() if not math.isnan(value)}
    assert evaluate(QRELS, RUN, measure).per_query[str(measure)] == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("written", [form[0] for form in ALL if form not in SUPPORTED])
def test_what_nobody_computes_is_refused_in_one_line(written: str) -> None:
    with pytest.raises(SpecError, match=r"no package that is installed computes|lacks a cutoff"):
        parse_measure(written)


@pytest.mark.parametrize("seed", range(1, 7))
def test_what_is_asked_for_together_does_not_matter(seed: int) -> None:
    """ir_measures asks for NumRet along with whatever comes first in a set, which may look at judged documents only."""
    script = (
        "from ragembed.eval.measures import evaluate\n"
        f"found = evaluate({QRELS}, {RUN}, ['SetP(judged_only=true)', 'NumRet', 'AP(rel=2)', 'Rprec', 'infAP'])\n"
        "print(list(found.per_query['NumRet'].values()))"
    )
    environment = {**os.environ, "PYTHONHASHSEED": str(seed)}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout == "[4.0, 2.0]\n"
