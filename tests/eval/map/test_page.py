"""The page as text: one file, no request, nothing of the data as markup."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from importlib import resources
from pathlib import Path
from typing import Any

from ragembed.eval.map import write_map
from ragembed.eval.map.drawing import Drawing, draw
from ragembed.eval.map.page import HERE, SCRIPTS, render_map

HOSTILE = (
    "</script><script>alert(1)</script><img src=x onerror=alert(2)><!-- ${say} \u202e \u2028 \ud83d \x00"
)


class Elements(HTMLParser):
    """Every element with its attributes, and the content of scripts and styles."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.raw: list[str] = []
        self._open = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        self._open = tag in ("script", "style")

    def handle_data(self, data: str) -> None:
        if self._open:
            self.raw.append(data)


def test_one_file_without_requests(words_map: Drawing) -> None:
    text = render_map(words_map)
    page = Elements(text)
    for tag, attributes in page.found:
        assert tag not in ("iframe", "object", "embed", "img", "base")
        assert not {"src", "srcset", "action", "style"} & set(attributes)
        assert all(not name.startswith("on") for name in attributes)
        assert tag != "link" or attributes["href"] == "data:,"
    policy = next(attributes["content"] or "" for _, attributes in page.found if "http-equiv" in attributes)
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in policy
    assert not re.search(r"url\(|@import|https?://(?!www\.w3\.org/2000/svg)", text)
    assert "${" not in text.replace("`${", "").split("<script>")[0]


def test_hostile_text_does_not_become_elements(make_chunks: Any) -> None:
    tame = Elements(render_map(draw(make_chunks())))
    text = render_map(draw(make_chunks(HOSTILE, query=HOSTILE)))
    page = Elements(text)
    assert [tag for tag, _ in page.found] == [tag for tag, _ in tame.found]
    data = next(json.loads(raw) for raw in page.raw if raw.startswith("{"))
    assert data["texts"][0].startswith("</script><script>alert(1)")
    text.encode()  # no half characters


def test_page_is_written_whole(words_map: Drawing, tmp_path: Path) -> None:
    write_map(tmp_path / "map.html", words_map)
    assert (tmp_path / "map.html").read_text(encoding="utf-8") == render_map(words_map) + "\n"
    assert [path.name for path in tmp_path.iterdir()] == ["map.html"]


def test_every_script_is_on_the_page() -> None:
    own = [name for where, name in SCRIPTS if where == HERE]
    found = [file.name for file in resources.files(HERE).iterdir() if file.name.endswith(".js")]
    assert sorted(own) == sorted(found)


def test_what_turns_or_hides_text_is_named(make_chunks: Any) -> None:
    turned = "invoice\u202efdp.exe \u2066\x07\x9b"
    text = render_map(draw(make_chunks(turned, query=turned)))
    assert not re.search("[\x07\x9b\u202a-\u202e\u2066-\u2069]", text)
    data = next(json.loads(raw) for raw in Elements(text).raw if raw.startswith("{"))
    for told in (data["names"][0], data["names"][-1], data["titles"][1], data["groups"]["names"][0]):
        assert told.startswith("invoice[U+202E]fdp.exe [U+2066][U+0007][U+009B]")
