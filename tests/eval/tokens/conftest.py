"""Two texts compared without a model: words of which a reader can work out who is like whom."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ragembed.eval.tokens import write_tokens
from ragembed.explain.tokens import Compared, Reading, Token, Word, cosines

LAYERS, HEADS = 2, 3
MEANINGS = {"often": 0, "every": 8, "week": 20, "key": 90, "keys": 95, "rotate": 120, "lunch": 200}
"""Directions of words in degrees; of all others by their first letter."""


def reading(text: str, *, left_out: int = 0, maps: int = 400) -> Reading:
    """A text of words between blanks; a word with a hyphen is two tokens."""
    tokens, words = [Token(101, "[CLS]", 0, 0, special=True)], [Word("[CLS]", 0, 0, 0, 1, special=True)]
    at = 0
    for word in text.split(" "):
        first = len(tokens)
        for piece in word.split("-"):
            tokens.append(Token(7, piece, at, at + len(piece)))
            at += len(piece) + 1
        words.append(Word(word, at - 1 - len(word), at - 1, first, len(tokens)))
    tokens.append(Token(102, "[SEP]", at - 1, at - 1, special=True))
    words.append(Word("[SEP]", at - 1, at - 1, len(tokens) - 1, len(tokens), special=True))
    n = len(tokens)
    turns = np.radians([MEANINGS.get(each.piece, 270 + (ord(each.piece[:1] or "x") % 26)) for each in tokens])
    vectors = np.stack([np.cos(turns), np.sin(turns)], axis=1).astype(np.float32)
    place = np.arange(n)
    near = np.exp(-np.abs(place[:, None] - place).astype(np.float32))
    near /= near.sum(axis=1, keepdims=True)
    shown = min(n, maps)
    attention = np.tile(near[:shown, :shown], (LAYERS, HEADS, 1, 1))
    attention[1, 2] = np.eye(shown)  # the last head looks at nothing but the word itself
    return Reading(
        text, 0, tuple(tokens), tuple(words), left_out, np.stack([vectors] * 3), vectors, attention, near
    )


@pytest.fixture(scope="session")
def make() -> Callable[..., Compared]:
    """A query and a passage compared; `sums` says whether there are shares."""

    def made(
        query: str = "how often key",
        passage: str = "rotate the signing-key every week , lunch later",
        *,
        sums: bool = True,
        embedder: str = "minilm",
        **more: Any,
    ) -> Compared:
        asked, found = reading(query), reading(passage, **more)
        similarity = cosines(asked.vectors, found.vectors)
        shares = similarity[1:-1].mean(axis=0) / len(found.tokens) if sums else None
        score = float(similarity[1:-1].mean())
        note = "" if sums else "the score has no shares: similarity only"
        return Compared(embedder, asked, found, similarity, score, shares, 0.0, note)

    return made


class Page:
    """The page in the browser."""

    def __init__(self, browser: Any, folder: Path) -> None:
        self.browser = browser
        self.path = folder / "view.html"

    def open(
        self, compared: Compared, title: str = "", width: int = 1200, scheme: str = "light", media: str = ""
    ) -> None:
        """Write the page and open it in a window of that width, as a theme and a medium see it."""
        write_tokens(self.path, compared, title)
        self.browser.get("about:blank")
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
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

    def shaded(self, within: str) -> dict[str, int]:
        """The words of a text with their shade in percent, below zero where they are of the other colour."""
        return dict(
            self.run(
                """return [...document.querySelectorAll(`${arguments[0]} .word`)].map(w => [w.textContent,
                  parseInt(w.style.getPropertyValue("--strength")) * (w.classList.contains("down") ? -1 : 1)])""",
                within,
            )
        )

    def point_at(self, selector: str, text: str, *, press: bool = False) -> None:
        """Move the mouse onto the element with that text, and press it."""
        from selenium.webdriver.common.action_chains import ActionChains

        found = self.run(
            "return [...document.querySelectorAll(arguments[0])].find(e => e.textContent === arguments[1])",
            selector,
            text,
        )
        move = ActionChains(self.browser).move_to_element(found)
        (move.click() if press else move).perform()
        self.settle()

    def keys(self, selector: str, *keys: str) -> None:
        """Focus an element and type."""
        from selenium.webdriver.common.action_chains import ActionChains

        self.run("document.querySelector(arguments[0]).focus()", selector)
        for key in keys:
            ActionChains(self.browser).send_keys(key).perform()
        self.settle()

    def complaints(self) -> list[str]:
        """What the console has said since the page was opened."""
        return [entry["message"] for entry in self.browser.get_log("browser")]


@pytest.fixture
def page(chromium: Any, tmp_path: Path) -> Page:
    """A page that is not opened yet."""
    return Page(chromium, tmp_path)
