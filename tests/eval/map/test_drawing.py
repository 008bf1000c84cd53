"""What a map says of itself."""

from __future__ import annotations

from typing import Any

import pytest

from ragembed.eval.map.drawing import Drawing, draw, told


def test_a_plane_loses_nothing(words_map: Drawing) -> None:
    # the words lie on a circle: two dimensions hold all of it
    assert sum(words_map.variance or ()) == pytest.approx(1)
    assert words_map.kept == 1
    assert words_map.axes[0].startswith("PC 1, ")
    assert words_map.axes[0].endswith(" % of the variance")
    lines = told(words_map)
    assert "together they show 100 % of the variance" in lines[0]
    assert (
        "Of the 7 nearest words in all 2 dimensions, 7.0 on average are among the 7 nearest here." in lines[1]
    )


def test_true_neighbours(words_map: Drawing) -> None:
    names = list(words_map.points.names)
    near = [names[row] for row in words_map.near[names.index("dog")]]
    assert near[0] in ("cat", "horse")
    assert near[2] == "rose"
    assert words_map.cosines[names.index("cat")][0] == pytest.approx(0.990, abs=1e-3)  # cos 8 degrees


def test_queries_lie_among_the_points_and_move_none(make_chunks: Any) -> None:
    points = make_chunks()
    drawing = draw(points)
    alone = draw(type(points)(**{**vars(points), "queries": [], "query_vectors": None}))
    assert drawing.places == pytest.approx(alone.places)
    assert drawing.query_near[0][0] == 0
    first, second = drawing.query_places[0], drawing.places[0]
    assert abs(first - second).max() < 0.15  # six degrees on a circle
    found = drawing.to_json()
    assert [one["text"] for one in found["queries"]] == ["where is the cat?"]
    assert found["points"][1]["group"] == "b"
    assert found["of"] == 9


def test_json_values(words_map: Drawing) -> None:
    found = words_map.to_json()
    assert (found["kind"], found["method"], found["dimension"], found["of"]) == ("words", "pca", 2, 8)
    assert set(found["points"][0]) == {"name", "x", "y"}
    assert found["points"][0]["name"] == "cat"
