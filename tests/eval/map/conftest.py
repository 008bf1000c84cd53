"""Small maps: words of which a reader can work out who is near to whom, and chunks with text of a stranger."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ragembed.embed.words import WordVectors
from ragembed.eval.map import write_map
from ragembed.eval.map.drawing import Drawing, draw
from ragembed.eval.map.groups import Groups
from ragembed.eval.map.points import Points

ANGLES = {"cat": 0, "dog": 8, "horse": 16, "rose": 90, "lily": 98, "oak": 106, "one": 200, "two": 208}
"""Words on a circle, by their angle in degrees: three animals, three plants, two numbers."""


@pytest.fixture
def vectors() -> WordVectors:
    turns = np.radians([*ANGLES.values()])
    return WordVectors([*ANGLES], np.stack([np.cos(turns), np.sin(turns)], axis=1).astype(np.float32))


@pytest.fixture
def make_chunks() -> Callable[..., Points]:
    """Chunks of the text given, on a circle, in two groups, with one query beside the first."""

    def make(text: str = "a cat sleeps", count: int = 6, query: str = "where is the cat?") -> Points:
        turns = np.radians(np.linspace(0, 300, count))
        return Points(
            kind="chunks",
            source=f"folder/{text}",
            names=[f"{text}::{number}" for number in range(count)],
            vectors=np.stack([np.cos(turns), np.sin(turns)], axis=1).astype(np.float32),
            groups=Groups((text, "b"), tuple(number % 2 for number in range(count)), text),
            total=count + 3,
            titles=[text if number % 2 else "" for number in range(count)],
            texts=[f"{text} number {number}" for number in range(count)],
            queries=[query],
            query_vectors=np.array([[1, 0.1]], np.float32),
            embedder=text,
        )

    return make


class Page:
    """The page of a map in the browser."""

    def __init__(self, browser: Any, folder: Path) -> None:
        self.browser = browser
        self.path = folder / "map.html"

    def open(
        self, drawing: Drawing, width: int = 1200, height: int = 800, scheme: str = "light", media: str = ""
    ) -> None:
        """Write the map and open it in a window of that size, as a theme and a medium see it."""
        write_map(self.path, drawing)
        self.browser.get("about:blank")
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": features})
        for log in ("browser", "performance"):
            self.browser.get_log(log)
        self.browser.get(self.path.as_uri())
        self.settle()

    def settle(self) -> None:
        """Wait until what was asked for has been laid out and drawn."""
        self.browser.execute_async_script(
            "const done = arguments[0]; requestAnimationFrame(() => requestAnimationFrame(() => done()))"
        )

    def run(self, script: str, *arguments: Any) -> Any:
        """What `script` returns in the page."""
        return self.browser.execute_script(script, *arguments)

    def text(self, selector: str) -> str:
        """The text of the first element that fits, white space joined."""
        return " ".join(self.run("return document.querySelector(arguments[0]).textContent", selector).split())

    def texts(self, selector: str) -> list[str]:
        """The text of every element that fits."""
        return list(
            self.run("return [...document.querySelectorAll(arguments[0])].map(e => e.textContent)", selector)
        )

    def keys(self, selector: str, *keys: str) -> None:
        """Focus an element and type."""
        from selenium.webdriver.common.action_chains import ActionChains

        self.run("document.querySelector(arguments[0]).focus()", selector)
        for key in keys:
            ActionChains(self.browser).send_keys(key).perform()
        self.settle()

    def point_at(self, name: str, *, press: bool = False) -> None:
        """Move the mouse onto the point of that name, and press it."""
        from selenium.webdriver.common.action_chains import ActionChains

        x, y = self.run("return onScreen(map.names.indexOf(arguments[0]))", name)
        canvas = self.browser.find_element("css selector", "#map")
        half = self.run("return [camera.width / 2, camera.height / 2]")
        move = ActionChains(self.browser).move_to_element_with_offset(
            canvas, round(x - half[0]), round(y - half[1])
        )
        (move.click() if press else move).perform()
        self.settle()

    def complaints(self) -> list[str]:
        """What the console has said since the page was opened."""
        return [entry["message"] for entry in self.browser.get_log("browser")]


@pytest.fixture
def page(chromium: Any, tmp_path: Path) -> Page:
    """A page that is not opened yet."""
    return Page(chromium, tmp_path)


@pytest.fixture
def words_map(vectors: WordVectors) -> Drawing:
    from ragembed.eval.map.points import points_of_words

    return draw(points_of_words(vectors, "models/animals.txt"))
