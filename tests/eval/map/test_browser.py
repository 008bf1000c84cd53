"""The map in a browser: pointer, keys, search, themes, phone, paper."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ragembed.embed.words import WordVectors
from ragembed.eval.map.drawing import Drawing, draw
from ragembed.eval.map.points import points_of_words

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>"


def labels(page: Any) -> list[dict[str, Any]]:
    """The names that stand on the map, with their rectangles."""
    return page.run(
        """const pen = canvas.getContext("2d"); pen.font = font(false);
        return placeLabels(pen, inOrder, 0, new Set(), radius()).map(l =>
          ({name: l.name, x1: l.x, x2: l.x + measure(pen, l.name), y1: l.y - 11.5, y2: l.y + 3.5}))"""
    )


def test_a_press_chooses_a_word_and_shows_who_is_near(page: Any, words_map: Drawing) -> None:
    page.open(words_map)
    assert page.text("h1") == "8 words of animals.txt"
    page.point_at("rose")
    assert page.text("#tip") == "rose"
    page.point_at("rose", press=True)
    assert page.text("#detail h2") == "rose"
    near = page.texts("#detail .entries bdi")
    assert near[0] == "lily"
    assert page.text("#detail .much") == "0.990"  # cos 8 degrees
    assert page.text("#announce").startswith("rose. Nearest: lily, oak")
    page.run("document.querySelector('#detail .entries button').click()")
    assert page.text("#detail h2") == "lily"
    assert page.complaints() == []


def test_keys_alone_are_enough(page: Any, words_map: Drawing) -> None:
    from selenium.webdriver.common.keys import Keys

    page.open(words_map)
    page.keys("#map", Keys.ARROW_RIGHT)  # the point nearest to the middle
    where = "return [map.x[state.chosen], map.y[state.chosen]]"
    steps = {
        Keys.ARROW_LEFT: (-1, 0),
        Keys.ARROW_UP: (0, 1),
        Keys.ARROW_RIGHT: (1, 0),
        Keys.ARROW_DOWN: (0, -1),
    }
    seen = set()
    for key, (right, up) in list(steps.items()) * 3:
        old = page.run(where)
        page.keys("#map", key)
        new = page.run(where)
        assert new == old or (new[0] - old[0]) * right + (new[1] - old[1]) * up > 0
        seen.add(page.text("#detail h2"))
    assert len(seen) >= 4
    before = page.run("return camera.scale")
    page.keys("#map", "+", "+")
    assert page.run("return camera.scale") == pytest.approx(before * 1.6**2)
    page.keys("#map", "0")
    assert page.run("return camera.scale") == pytest.approx(before)
    page.keys("#map", Keys.ESCAPE)
    assert page.run("return document.querySelector('#detail').hidden")


def test_search_lists_and_marks(page: Any, make_chunks: Any) -> None:
    page.open(draw(make_chunks()))
    page.keys("#find", "cat number 3")
    assert page.text("#count") == "1 point"
    assert page.run("return [...matches]") == [3]
    from selenium.webdriver.common.keys import Keys

    page.keys("#find", Keys.ENTER)
    assert page.text("#detail .passage") == "a cat sleeps number 3"
    assert page.texts("#detail mark") == ["cat", "number", "3"]
    page.run("document.querySelector('#find').value = ''")
    page.keys("#find", "x", "x")
    assert page.text("#count") == "0 points"


def test_groups_and_queries(page: Any, make_chunks: Any) -> None:
    page.open(draw(make_chunks()))
    assert page.texts("#groups .much") == ["3", "3"]
    page.run("document.querySelectorAll('#groups button')[1].click()")
    page.settle()
    assert page.run("return [...Array(size).keys()].filter(p => !faded(p))") == [1, 3, 5, 6]  # 6 is the query
    assert page.run("return document.querySelectorAll('#groups button')[1].ariaPressed") == "true"
    assert page.texts("#query-list bdi") == ["“where is the cat?”"]
    page.run("document.querySelector('#query-list button').click()")
    assert page.text("#detail .where") == "query"
    assert page.texts("#detail .entries bdi")[0] == "a cat sleeps::0"


def test_hostile_text_stays_text(page: Any, make_chunks: Any) -> None:
    page.open(draw(make_chunks(HOSTILE, query=HOSTILE)))
    page.run("choose(1)")
    page.keys("#find", "alert")
    page.settle()
    assert page.text("#detail .passage") == f"{HOSTILE} number 1"
    assert page.run("return document.querySelectorAll('img, iframe').length") == 0
    assert page.run("return document.querySelectorAll('script').length") == 2
    page.point_at(f"{HOSTILE}::0")
    assert HOSTILE in page.text("#tip")
    assert page.complaints() == []


def test_names_do_not_cover_one_another(page: Any) -> None:
    rng = np.random.default_rng(0)
    words = [f"word{number}" for number in range(400)]
    table = WordVectors(words, rng.standard_normal((400, 5)).astype(np.float32))
    page.open(draw(points_of_words(table, "x")))
    shown = labels(page)
    assert len(shown) > 40
    assert shown[0]["name"] == "word0"  # the most frequent comes first
    for place, one in enumerate(shown):
        for other in shown[:place]:
            apart = (
                one["x2"] <= other["x1"]
                or other["x2"] <= one["x1"]
                or one["y2"] <= other["y1"]
                or other["y2"] <= one["y1"]
            )
            assert apart, (one, other)
    page.run("zoom(6)")
    assert {one["name"] for one in labels(page)} - {
        one["name"] for one in shown
    }  # closer, there is room for others


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_themes(page: Any, words_map: Drawing, scheme: str) -> None:
    page.open(words_map, scheme=scheme)
    corner = "return canvas.getContext('2d').getImageData(3, 40, 1, 1).data[0] > 128"
    assert page.run(corner) == (scheme == "light")
    page.run("document.querySelector('#theme').click()")
    page.settle()
    assert page.run(corner) == (scheme == "dark")


def test_phone(page: Any, words_map: Drawing) -> None:
    page.open(words_map, width=360, height=740)
    assert page.run("return document.documentElement.scrollWidth") <= 360
    frame, aside = page.run(
        "return ['.frame', 'aside'].map(s => { const r = document.querySelector(s).getBoundingClientRect();"
        " return [r.top, r.bottom, r.width]; })"
    )
    assert frame[1] <= aside[0]
    assert frame[2] > 300
    everything = page.run("return [...Array(size).keys()].map(onScreen)")
    assert all(0 < x < 360 and 0 < y < 740 for x, y in everything)


def test_paper_is_light(page: Any, words_map: Drawing) -> None:
    page.open(words_map, scheme="dark")
    page.run("dispatchEvent(new Event('beforeprint'))")
    assert page.run("return canvas.getContext('2d').getImageData(3, 40, 1, 1).data[0]") > 240
    page.run("dispatchEvent(new Event('afterprint'))")
    page.settle()
    assert page.run("return canvas.getContext('2d').getImageData(3, 40, 1, 1).data[0]") < 60


def test_twenty_thousand_points(page: Any) -> None:
    rng = np.random.default_rng(0)
    words = [f"w{number}" for number in range(20_000)]
    drawing = draw(
        points_of_words(
            WordVectors(words, rng.standard_normal((20_000, 4)).astype(np.float32)), "x", most=20_000
        )
    )
    page.open(drawing)
    assert page.run("return size") == 20_000
    name = page.run("const [x, y] = onScreen(17); return map.names[pointAt(x, y)]")
    assert name is not None
    # while it moves, the marks are copied and not drawn one by one
    assert (
        page.run(
            "let drawn = 0; const real = CanvasRenderingContext2D.prototype.drawImage;"
            "const pens = CanvasRenderingContext2D.prototype;"
            "pens.drawImage = function (...a) { drawn += 1; return real.apply(this, a); };"
            "move(); pan(5, 5); draw(canvas.getContext('2d')); pens.drawImage = real; return drawn"
        )
        == 1
    )
    assert page.complaints() == []
