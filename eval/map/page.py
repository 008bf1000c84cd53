"""The page of a map: template, style, scripts and data in one file that asks for nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from pathlib import PurePath
from typing import Any

from ragembed.eval.map.drawing import Drawing, told
from ragembed.eval.page import foreign, rendered, script_json, visible

HERE = "ragembed.eval.map"
SHARED = "ragembed.eval.report"
STYLES = ((SHARED, "base.css"), (HERE, "map.css"))
SCRIPTS = (
    (SHARED, "dom.js"),
    (SHARED, "numbers.js"),
    (HERE, "data.js"),
    (HERE, "camera.js"),
    (HERE, "near.js"),
    (HERE, "marks.js"),
    (HERE, "labels.js"),
    (HERE, "picture.js"),
    (HERE, "detail.js"),
    (HERE, "find.js"),
    (HERE, "legend.js"),
    (HERE, "app.js"),
)
"""In the order in which they are joined: each uses only what stands before it, but for calls made later."""


def render_map(drawing: Drawing) -> str:
    """The whole page."""
    points = drawing.points
    name = visible(PurePath(points.source).name)
    counted = f"{len(points.names):,}"
    if len(points.names) < points.total:
        counted += f" of {points.total:,}"
    return rendered(
        HERE,
        STYLES,
        SCRIPTS,
        f"{counted} {points.kind} of {name}",
        headline=f"{counted} {points.kind} of {foreign(name)}",
        made=foreign(visible(points.embedder)) if points.embedder else "",
        say=" ".join(escape(line) for line in told(drawing)),
        data=script_json(payload(drawing)),
    )


def payload(drawing: Drawing) -> dict[str, Any]:
    """What the scripts draw from. Queries stand behind the points."""
    points = drawing.points
    places = [*drawing.places.tolist(), *drawing.query_places.tolist()]
    return {
        "kind": points.kind,
        "axes": list(drawing.axes),
        "origin": drawing.variance is not None,
        "names": _all_visible((*points.names, *points.queries)),
        "titles": _all_visible(points.titles),
        "texts": _all_visible(points.texts),
        "x": [float(f"{x:.5g}") for x, _ in places],
        "y": [float(f"{y:.5g}") for _, y in places],
        "near": [*drawing.near.tolist(), *drawing.query_near.tolist()],
        "cosines": [
            [round(value, 3) for value in row]
            for row in (*drawing.cosines.tolist(), *drawing.query_cosines.tolist())
        ],
        "groups": {
            "names": _all_visible(points.groups.names),
            "of": list(points.groups.of),
            "by": None if points.groups.by is None else visible(points.groups.by),
            "ordered": points.groups.ordered,
        },
        "asked": list(points.asked),
        "queries": len(points.queries),
    }


def _all_visible(texts: Iterable[str]) -> list[str]:
    return [visible(text) for text in texts]
