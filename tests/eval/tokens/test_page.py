"""The page as text: one file, no request, nothing of the texts as markup."""

from __future__ import annotations

import json
import os
import re
from html.parser import HTMLParser
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from ragembed.errors import StoreError
from ragembed.eval.tokens import write_tokens
from ragembed.eval.tokens.page import HERE, SCRIPTS, render_tokens

HOSTILE = "</script><script>alert(1)</script><img/src=x/onerror=alert(2)><!--${say} \u202e \u2028 \ud83d \x00"


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


def test_one_file_without_requests(make: Any) -> None:
    text = render_tokens(make())
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


def test_hostile_text_does_not_become_elements(make: Any) -> None:
    tame = Elements(render_tokens(make(), "title"))
    text = render_tokens(make(HOSTILE, HOSTILE, embedder=HOSTILE), HOSTILE)
    page = Elements(text)
    kinds = [[tag for tag, _ in each.found] for each in (page, tame)]
    assert kinds[0] == kinds[1]
    data = next(json.loads(raw) for raw in page.raw if raw.startswith("{"))
    assert data["passage"]["words"][1].startswith("</script><script>alert(1)")
    assert "[U+202E]" in data["passage"]["words"]
    assert not re.search("[\x00\u202e]", text)
    text.encode()  # no half characters


def test_page_is_written_whole(make: Any, tmp_path: Path) -> None:
    write_tokens(tmp_path / "view.html", make())
    write_tokens(tmp_path / "view.html", make())
    assert (tmp_path / "view.html").read_text(encoding="utf-8") == render_tokens(make()) + "\n"
    (tmp_path / "notes.html").write_text("mine")
    with pytest.raises(StoreError, match=r"notes\.html exists and is no page"):
        write_tokens(tmp_path / "notes.html", make())
    os.mkfifo(tmp_path / "pipe.html")  # which is not read, or it would wait for a writer
    with pytest.raises(StoreError, match=r"pipe\.html exists and is no page"):
        write_tokens(tmp_path / "pipe.html", make())


def test_every_script_is_on_the_page() -> None:
    own = [name for where, name in SCRIPTS if where == HERE]
    found = [file.name for file in resources.files(HERE).iterdir() if file.name.endswith(".js")]
    assert sorted(own) == sorted(found)
